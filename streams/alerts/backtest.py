"""What a rule would have done on stored scores: the machine of the live service, run again."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from msgspec.structs import replace

from inference.score import WindowScore
from inference.units import HOUR_NS, SECOND_NS
from storage.hindsight import Reviewed
from storage.values import AlertState, ConversationFacts, ParticipantKey, Transition
from streams.alerts.book import RuleBook
from streams.alerts.machine import advance, end
from streams.alerts.rule import METRICS, SILENCE, RuleSpec

FLAP_NS: Final = 300 * SECOND_NS
"""An alert that fires again for the same participant so soon after it resolved is a flap."""
LEVELS: Final = 19
"""Thresholds beside the rule's own that are tried, evenly over what the metric may be."""
_OWN: Final = "rule"
_SAME: Final[Mapping[str, str]] = {"smoothed": "distress"}
"""A verdict on one says as much of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One alert that would have fired."""

    conversation: str
    participant: str
    since_ns: int
    fired_ns: int
    resolved_ns: int | None
    """None where it was still open at the end of what was read."""
    peak: float

    @property
    def delay_ns(self) -> int:
        """From the first moment over `enter` to firing."""
        return self.fired_ns - self.since_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """How often the same rule would have fired under another `enter`."""

    enter: float
    exit: float
    alerts: int
    alerts_per_hour: float | None
    flaps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Alerts that would have fired where people have judged one."""

    right: int
    wrong: int
    unclear: int
    missed: int
    """Alerts judged right at which this rule would not have fired."""

    @property
    def precision(self) -> float | None:
        """Share of right ones; unclear ones count for neither side."""
        decided = self.right + self.wrong
        return self.right / decided if decided else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a rule would have done."""

    spec: RuleSpec
    conversations: int
    """In which somebody was watched."""
    watched_ns: int
    """Time of the watched participants, each second once."""
    episodes: tuple[Episode, ...]
    flaps: int
    judged: Judged | None
    """None where nobody has judged an alert on this metric."""
    thresholds: tuple[Threshold, ...]
    suggested: Threshold | None
    """For the wanted rate, if any was wanted."""

    @property
    def alerts_per_hour(self) -> float | None:
        """Of watched time; None where nothing was watched."""
        return _rate(len(self.episodes), self.watched_ns)

    @property
    def median_delay_ns(self) -> float | None:
        """Half of the alerts fired at most so long after their first moment."""
        delays = [one.delay_ns for one in self.episodes]
        return median(delays) if delays else None

    @property
    def p90_delay_ns(self) -> int | None:
        """Nine tenths did."""
        delays = sorted(one.delay_ns for one in self.episodes)
        return delays[math.ceil(0.9 * len(delays)) - 1] if delays else None


@dataclass(slots=True)
class _Course:
    """What was heard of one alert so far."""

    key: ParticipantKey
    since_ns: int
    fired_ns: int
    resolved_ns: int | None
    peak: float

    def episode(self) -> Episode:
        return Episode(
            conversation=self.key.conversation,
            participant=self.key.participant,
            since_ns=self.since_ns,
            fired_ns=self.fired_ns,
            resolved_ns=self.resolved_ns,
            peak=self.peak,
        )


@dataclass(slots=True)
class _Participant:
    key: ParticipantKey
    state: bytes = b""
    until_ns: int = 0


@dataclass(slots=True)
class BackTest:
    """Shows stored scores to a rule and to copies of it with other thresholds.

    Copies stand in one book: rules do not see each other, so each does what it would alone.
    Conversations come one after the other: `show` its pages from its beginning, then `close`
    it. Windows before `from_ns` bring the machine to where it stood; alerts that fired and
    time that passed in `[from_ns, to_ns)` count.
    """

    spec: RuleSpec
    from_ns: int
    to_ns: int
    _specs: Mapping[str, RuleSpec] = field(init=False)
    _book: RuleBook = field(init=False)
    _standing: dict[str, _Participant] = field(default_factory=dict, init=False)
    """By participant of the conversation that is being shown."""
    _courses: dict[str, dict[str, _Course]] = field(
        default_factory=lambda: defaultdict(dict), init=False
    )
    """By copy and alert."""
    _watched_ns: int = field(default=0, init=False)
    _conversations: int = field(default=0, init=False)
    _seen: bool = field(default=False, init=False)
    """Whether somebody was watched in this conversation."""

    def __post_init__(self) -> None:
        """Make the copies."""
        self._specs = {_OWN: self.spec, **{f"{one.enter}": one for one in _copies(self.spec)}}
        self._book = RuleBook.of((), self._specs)

    def show(self, scores: Iterable[WindowScore], facts: ConversationFacts) -> None:
        """More windows of one conversation, those of each participant ascending."""
        by_participant: dict[str, list[WindowScore]] = defaultdict(list)
        for score in scores:
            if score.start_ns < self.to_ns:
                by_participant[score.participant].append(score)
        for name, windows in sorted(by_participant.items()):
            first = windows[0]
            key = ParticipantKey(first.tenant, first.run, first.conversation, name)
            one = self._standing.setdefault(name, _Participant(key))
            self._count(one, windows, facts)
            told, one.state = advance(windows, one.state, facts, self._book)
            self._hear(one.key, told)

    def close(self, facts: ConversationFacts) -> None:
        """No more windows of this conversation: what ended within the stretch ends."""
        if facts.ended_ns is not None and facts.ended_ns < self.to_ns:
            for one in self._standing.values():
                # with their last window, as live: some left before
                self._hear(one.key, end(one.state, 0, one.key))
        self._standing.clear()
        self._conversations += self._seen
        self._seen = False

    def findings(
        self, reviewed: Sequence[Reviewed] = (), *, wanted_per_hour: float | None = None
    ) -> Findings:
        """What all of it comes to.

        Args:
            reviewed: alerts that people judged; those on the same metric are compared.
            wanted_per_hour: asks for the threshold that comes nearest from below.
        """
        by_copy = {name: self._episodes(name) for name in self._specs}
        thresholds = tuple(
            Threshold(
                enter=spec.enter,
                exit=spec.exit,
                alerts=len(by_copy[name]),
                alerts_per_hour=_rate(len(by_copy[name]), self._watched_ns),
                flaps=_flaps(by_copy[name]),
            )
            for name, spec in sorted(self._specs.items(), key=_by_enter)
            if spec.metric != SILENCE
        )
        return Findings(
            spec=self.spec,
            conversations=self._conversations,
            watched_ns=self._watched_ns,
            episodes=by_copy[_OWN],
            flaps=_flaps(by_copy[_OWN]),
            judged=_judged(by_copy[_OWN], self.spec.metric, reviewed),
            thresholds=thresholds,
            suggested=None
            if wanted_per_hour is None
            else _suggested(thresholds, self.spec, wanted_per_hour),
        )

    def _count(
        self, one: _Participant, windows: Sequence[WindowScore], facts: ConversationFacts
    ) -> None:
        for score in windows:
            begin_ns, one.until_ns = max(one.until_ns, score.start_ns), score.end_ns
            watched = self.spec.match.covers(score.role, facts.queue, facts.language)
            if watched and score.start_ns >= self.from_ns:
                self._watched_ns += score.end_ns - begin_ns
                self._seen = True

    def _hear(self, key: ParticipantKey, told: Iterable[Transition]) -> None:
        for one in told:
            if one.fired_ns is None or not self.from_ns <= one.fired_ns < self.to_ns:
                continue
            course = self._courses[one.rule].setdefault(
                one.alert, _Course(key, one.pending_ns, one.fired_ns, None, 0.0)
            )
            course.peak = 0.0 if one.peak is None else one.peak
            course.resolved_ns = one.at_ns if one.state is AlertState.OK else None

    def _episodes(self, name: str) -> tuple[Episode, ...]:
        found = (course.episode() for course in self._courses[name].values())
        return tuple(sorted(found, key=_by_time))


def _by_time(episode: Episode) -> tuple[int, str, str]:
    return episode.fired_ns, episode.conversation, episode.participant


def _by_enter(item: tuple[str, RuleSpec]) -> float:
    return item[1].enter


def _copies(spec: RuleSpec) -> Iterable[RuleSpec]:
    """The same rule with `enter` over the metric's range, `exit` as far from it as now.

    Of a metric that may be negative only the side of zero on which the rule fires. Near the
    edge `exit` stays half-way to it: under the edge itself nothing would ever resolve.
    """
    if spec.metric == SILENCE:
        return
    low, high = METRICS[spec.metric]
    if low < 0 < spec.sign * spec.enter:
        low, high = (0.0, high) if spec.sign > 0 else (low, 0.0)
    edge = low if spec.sign > 0 else high
    for step in range(1, LEVELS + 1):
        enter = round(low + (high - low) * step / (LEVELS + 1), 4)
        gap = min(abs(spec.exit - spec.enter), abs(edge - enter) / 2)
        if enter != spec.enter:
            yield replace(spec, enter=enter, exit=round(enter - spec.sign * gap, 4))


def _rate(count: int, watched_ns: int) -> float | None:
    return count * HOUR_NS / watched_ns if watched_ns else None


def _flaps(episodes: Sequence[Episode]) -> int:
    """How many fired within `FLAP_NS` after the one before resolved, for the same participant."""
    resolved_ns: dict[tuple[str, str], int | None] = {}
    flaps = 0
    for one in episodes:
        who = (one.conversation, one.participant)
        before_ns = resolved_ns.get(who)
        flaps += before_ns is not None and one.fired_ns - before_ns < FLAP_NS
        resolved_ns[who] = one.resolved_ns
    return flaps


def _judged(
    episodes: Sequence[Episode], metric: str, reviewed: Sequence[Reviewed]
) -> Judged | None:
    """Each episode has the verdict of the judged alert that it overlaps longest."""
    kind = _SAME.get(metric, metric)
    relevant = [one for one in reviewed if _SAME.get(one.metric, one.metric) == kind]
    if not relevant:
        return None
    by_party: dict[tuple[str, str], list[Reviewed]] = defaultdict(list)
    for one in relevant:
        by_party[one.conversation, one.participant].append(one)
    counts = dict.fromkeys(("right", "wrong", "unclear"), 0)
    met: set[Reviewed] = set()
    for episode in episodes:
        over = {
            one: overlap_ns
            for one in by_party[episode.conversation, episode.participant]
            if (overlap_ns := _overlap_ns(episode, one)) > 0
        }
        met.update(over)
        if over:
            counts[max(over, key=lambda one: over[one]).verdict] += 1
    missed = sum(one.verdict == "right" and one not in met for one in relevant)
    return Judged(**counts, missed=missed)


def _overlap_ns(episode: Episode, alert: Reviewed) -> float:
    ends = (
        math.inf if episode.resolved_ns is None else episode.resolved_ns,
        math.inf if alert.resolved_ns is None else alert.resolved_ns,
    )
    return min(ends) - max(episode.since_ns, alert.pending_ns)


def _suggested(
    thresholds: Sequence[Threshold], spec: RuleSpec, wanted_per_hour: float
) -> Threshold | None:
    """The highest rate that is at most what is wanted.

    Read from the strictest threshold towards the laxest and not beyond the first that is too
    loud: far below, alerts run into each other, and few that never end are no quiet rule.
    Of equal rates the one nearest to the present threshold.
    """
    quiet: list[tuple[float, float, Threshold]] = []
    for one in sorted(thresholds, key=lambda one: -spec.sign * one.enter):
        if one.alerts_per_hour is None or one.alerts_per_hour > wanted_per_hour:
            break
        quiet.append((one.alerts_per_hour, -abs(one.enter - spec.enter), one))
    return max(quiet, key=lambda item: item[:2])[2] if quiet else None
