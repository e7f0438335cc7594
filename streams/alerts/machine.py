"""From final scores to alerts: a pure state machine in event time, one course a rule.

    ok → pending → firing ⇄ resolving → ok

A *course* is what happens between two states ok. What a window means to a rule is its
`Reading`: over `enter`, under `exit`, between the two, or nothing to go by.
"""

import dataclasses
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality
from inference.narrator.incident import IncidentRecord
from inference.score import SCORE_NAMESPACE, WindowScore
from inference.units import SECOND_NS
from storage.values import AlertState, ConversationFacts, ParticipantKey, Transition
from streams.alerts.book import RuleBook, RuleVersion
from streams.alerts.evidence import Seen
from streams.alerts.incident import incident_of
from streams.alerts.rule import SILENCE, RuleSpec

QUIET_NS: Final = 30 * SECOND_NS
"""After so long without a window that counts, pending is over: SEMANTICS.md, rule 20."""
LULL_NS: Final = 30 * SECOND_NS
"""After so long between `exit` and `enter`, without one window over it, pending is over too."""
WINDOWS_SHOWN: Final = 5
STATE_VERSION: Final = 1

RECOVERED: Final = "recovered"
ENDED: Final = "ended"
QUIET: Final = "quiet"
RULE_CHANGED: Final = "rule_changed"

_NOT_SILENT: Final = frozenset(
    {
        AbsenceReason.LATE,
        AbsenceReason.UNDECODABLE,
        AbsenceReason.FAILED,
        AbsenceReason.POOR_QUALITY,
    }
)
"""Reasons of an absence that says nothing about whether anybody spoke."""


class StateError(ValueError):
    """State bytes that this program did not write: a bug, or a newer version's."""


class Course(Struct, frozen=True, array_like=True, kw_only=True):
    """One rule for one participant, from pending on.

    Holds what its transitions will say: a course stays what it began as, also where the
    rule has gone or changed in what does not decide.
    """

    version: int
    digest: str
    """Of the rule that it began under, see `RuleSpec.digest`."""
    metric: str
    severity: str
    sinks: tuple[str, ...]
    state: AlertState
    pending_ns: int
    fired_ns: int | None
    dwell_ns: int
    """Pending: time over `enter`. Resolving: time under `exit`."""
    lull_ns: int
    """Pending: time between the two since the last window over `enter`."""
    quiet_ns: int
    """Pending: time since the last window that counted."""
    peak: float
    trail: tuple[Seen, ...]
    """Windows towards the next state: the first and the newest."""


class Standing(Struct, frozen=True, array_like=True, kw_only=True):
    """What one rule carries to the next window."""

    course: Course | None = None
    cool_until_ns: int = 0
    """No course begins before."""
    armed_until_ns: int = 0
    """Of a rule with `after`: a course may begin before."""


class AlertsState(Struct, frozen=True, array_like=True):
    """What the rules of one participant carry to the next window; rules at rest are left out."""

    version: int = STATE_VERSION
    until_ns: int = 0
    """End of the last window."""
    standings: dict[str, Standing] = {}
    """By name of the rule, sorted."""


class Reading(Enum):
    """What a window means to a rule."""

    OVER = auto()
    BETWEEN = auto()
    UNDER = auto()
    NOTHING = auto()
    """Absent, abstained, or too little speech: neither raises nor clears."""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(AlertsState)


def advance(
    scores: Sequence[WindowScore], state: bytes, facts: ConversationFacts, book: RuleBook
) -> tuple[tuple[Transition, ...], bytes]:
    """Show the rules more final scores of one participant; whole equals pieces.

    Args:
        scores: ascending, after those that `state` has seen.
        state: of the call before; empty at the beginning.
        facts: of the conversation. Queue and language are read.
        book: has every version that is valid from the last window's start or earlier.

    Returns the transitions in order of time and rule, and the state for the next call. A
    rule makes at most one course end in a window and begins none in that window, so
    (rule, at_ns, state) names a transition of a participant.

    Raises StateError for foreign bytes, ValueError for windows that do not ascend.
    """
    now = read_state(state)
    transitions: list[Transition] = []
    for score in scores:
        now = _window(now, score, facts, book, transitions)
    return tuple(transitions), write_state(now) if scores else state


def end(
    state: bytes, at_ns: int, key: ParticipantKey, *, reason: str = ENDED
) -> tuple[Transition, ...]:
    """The conversation is over: every course ends. Needs no book, nothing follows it.

    Args:
        state: of the last `advance`.
        at_ns: when it ended; the transitions are no earlier than the last window's end.
        key: whose state it is.
        reason: `ended`, or `withdrawn`.

    Raises StateError for foreign bytes.
    """
    now = read_state(state)
    at_ns = max(at_ns, now.until_ns)
    return tuple(
        dataclasses.replace(
            _transition(key, name, standing.course, AlertState.OK, at_ns), reason=reason
        )
        for name, standing in now.standings.items()
        if standing.course is not None
    )


def read_state(state: bytes) -> AlertsState:
    """State bytes as a value. Raises StateError for foreign ones."""
    if not state:
        return AlertsState()
    try:
        found = _decoder.decode(state)
    except (msgspec.DecodeError, ValueError) as exc:
        raise StateError(f"state of alert rules does not read: {exc}") from exc
    if found.version != STATE_VERSION:
        raise StateError(
            f"state of alert rules has version {found.version}, this program reads {STATE_VERSION}"
        )
    return found


def write_state(state: AlertsState) -> bytes:
    """Inverse of `read_state`; equal states are equal bytes."""
    return _encoder.encode(state)


def value_of(metric: str, score: WindowScore) -> float | None:
    """A rule's metric in one window; None where the window has none.

    `silence` is 1 where nobody spoke: the voice says so, or nothing at all is there and no
    fault explains it. Words from before the window and a face do not break a silence.
    """
    if metric == SILENCE:
        return _silence(score)
    if score.emotions is None or score.decision.abstained:
        return None
    if metric == "distress":
        return score.distress.probability if score.distress else None
    if metric == "smoothed":
        return score.distress.smoothed if score.distress else None
    if metric in EMOTIONS:
        return score.emotions.get(Emotion(metric))
    value: float | None = getattr(score, metric)
    return value


def _silence(score: WindowScore) -> float | None:
    speech = score.modalities.get(Modality.SPEECH)
    if speech is not None and speech.reason is AbsenceReason.SILENCE:
        return 1.0
    if score.emotions is not None:
        return 0.0
    faults = _NOT_SILENT & {report.reason for report in score.modalities.values()}
    return None if faults else 1.0


def _speech_share(score: WindowScore) -> float:
    speech = score.modalities.get(Modality.SPEECH)
    quality = speech.quality if speech is not None and speech.present else None
    return (quality.present_share or 0.0) if quality is not None else 0.0


def _read(spec: RuleSpec, score: WindowScore) -> tuple[Reading, float | None]:
    value = value_of(spec.metric, score)
    if value is None or (spec.min_speech > 0 and _speech_share(score) < spec.min_speech):
        return Reading.NOTHING, None
    if spec.sign * value >= spec.sign * spec.enter:
        return Reading.OVER, value
    if spec.sign * value < spec.sign * spec.exit:
        return Reading.UNDER, value
    return Reading.BETWEEN, value


@dataclass(frozen=True, slots=True)
class _Look:
    """One window as one rule sees it."""

    score: WindowScore
    reading: Reading
    value: float | None
    fresh_ns: int
    """Of the window, after the end of the one before it."""
    gap_ns: int
    """Between the end of the window before and its start."""
    began_ns: int
    """Start of the conversation."""

    @property
    def end_ns(self) -> int:
        return self.score.end_ns


def _window(
    now: AlertsState,
    score: WindowScore,
    facts: ConversationFacts,
    book: RuleBook,
    transitions: list[Transition],
) -> AlertsState:
    """Every rule sees one window.

    1. a course whose rule is gone, or decides otherwise now, ends
    2. any other course takes its step
    3. a rule without a course may begin one, unless one ended just now
    """
    if score.end_ns <= now.until_ns:
        raise ValueError(
            f"window ending at {score.end_ns} after one ending at {now.until_ns}: scores of a "
            "participant ascend"
        )
    first = not now.until_ns
    fresh_ns = score.end_ns - (score.start_ns if first else max(now.until_ns, score.start_ns))
    gap_ns = 0 if first else max(0, score.start_ns - now.until_ns)
    rules = {rule.name: rule for rule in book.in_force(score.tenant, score.start_ns)}
    standings: dict[str, Standing] = {}
    for name in sorted(rules.keys() | now.standings.keys()):
        rule, standing = rules.get(name), now.standings.get(name, Standing())
        if rule is None:
            look = _Look(score, Reading.NOTHING, None, fresh_ns, gap_ns, facts.started_ns)
        else:
            look = _Look(score, *_read(rule.spec, score), fresh_ns, gap_ns, facts.started_ns)
        standing = _step(name, rule, standing, look, facts, transitions)
        if (
            standing.course is not None
            or max(standing.cool_until_ns, standing.armed_until_ns) > score.end_ns
        ):
            standings[name] = standing
    return AlertsState(STATE_VERSION, score.end_ns, standings)


def _step(
    name: str,
    rule: RuleVersion | None,
    standing: Standing,
    look: _Look,
    facts: ConversationFacts,
    transitions: list[Transition],
) -> Standing:
    course = standing.course
    watched = rule is not None and rule.spec.match.covers(
        look.score.role, facts.queue, facts.language
    )
    if rule is not None and watched:
        standing = replace(standing, armed_until_ns=_armed_until(rule.spec, standing, look))
    if course is not None:
        after: Course | None
        if rule is None or rule.digest != course.digest:
            after, cooldown_ns = None, 0 if rule is None else rule.spec.cooldown_ns
            unread = dataclasses.replace(look, reading=Reading.NOTHING, value=None)
            transitions.append(_told(name, course, AlertState.OK, unread, reason=RULE_CHANGED))
        else:
            told, after = _continued(name, rule.spec, course, look)
            cooldown_ns = rule.spec.cooldown_ns
            transitions.extend(told)
        cooled = after is None and course.fired_ns is not None
        return replace(
            standing,
            course=after,
            cool_until_ns=look.end_ns + cooldown_ns if cooled else standing.cool_until_ns,
        )
    if rule is None or not watched or not _may_begin(rule.spec, standing, look):
        return standing
    begun, course = _begun(rule, look)
    transitions.extend(begun)
    return replace(standing, course=course)


def _armed_until(spec: RuleSpec, standing: Standing, look: _Look) -> int:
    if spec.after is None:
        return 0
    value = value_of(spec.after.metric, look.score)
    if value is not None and value >= spec.after.enter:
        return look.end_ns + spec.after.within_ns
    return standing.armed_until_ns


def _may_begin(spec: RuleSpec, standing: Standing, look: _Look) -> bool:
    return (
        look.reading is Reading.OVER
        and look.end_ns >= standing.cool_until_ns
        and (spec.after is None or look.end_ns < standing.armed_until_ns)
    )


def _begun(rule: RuleVersion, look: _Look) -> tuple[tuple[Transition, ...], Course]:
    seen = Seen.of(look.score, look.value)
    course = Course(
        version=rule.version,
        digest=rule.digest,
        metric=rule.spec.metric,
        severity=rule.spec.severity.value,
        sinks=rule.spec.notify,
        state=AlertState.PENDING,
        pending_ns=look.end_ns,
        fired_ns=None,
        dwell_ns=0,
        lull_ns=0,
        quiet_ns=0,
        peak=seen.value,
        trail=(seen,),
    )
    begun = _told(rule.name, course, AlertState.PENDING, look, before=AlertState.OK)
    told, after = _fired_if_due(rule.name, rule.spec, course, look)
    return (begun, *told), after


def _continued(
    name: str, spec: RuleSpec, course: Course, look: _Look
) -> tuple[tuple[Transition, ...], Course | None]:
    if look.value is not None:
        extreme = max if spec.sign > 0 else min
        course = replace(course, peak=extreme(course.peak, look.value))
    if course.state is AlertState.PENDING:
        return _pending(name, spec, course, look)
    if course.state is AlertState.FIRING:
        return _firing(name, spec, course, look)
    return _resolving(name, spec, course, look)


def _pending(
    name: str, spec: RuleSpec, course: Course, look: _Look
) -> tuple[tuple[Transition, ...], Course | None]:
    """Over `enter` counts, between pauses, under `exit` ends; nothing to go by pauses for 30 s."""
    counts = look.reading is not Reading.NOTHING
    quiet_ns = course.quiet_ns + look.gap_ns + (0 if counts else look.fresh_ns)
    if quiet_ns >= QUIET_NS:
        return (_told(name, course, AlertState.OK, look, reason=QUIET),), None
    if not counts:
        return (), replace(course, quiet_ns=quiet_ns)
    if look.reading is Reading.OVER:
        course = replace(
            _with(course, look),
            dwell_ns=course.dwell_ns + look.fresh_ns,
            lull_ns=0,
            quiet_ns=0,
        )
        return _fired_if_due(name, spec, course, look)
    lull_ns = course.lull_ns + look.fresh_ns
    if look.reading is Reading.UNDER or lull_ns >= LULL_NS:
        return (_told(name, course, AlertState.OK, look, reason=RECOVERED),), None
    return (), replace(course, lull_ns=lull_ns, quiet_ns=0)


def _fired_if_due(
    name: str, spec: RuleSpec, course: Course, look: _Look
) -> tuple[tuple[Transition, ...], Course]:
    if course.dwell_ns < spec.for_ns:
        return (), course
    fired = replace(course, fired_ns=look.end_ns)
    told = dataclasses.replace(
        _told(name, fired, AlertState.FIRING, look, before=AlertState.PENDING),
        incident=_incident(name, fired, look),
    )
    return (told,), replace(fired, state=AlertState.FIRING, dwell_ns=0, trail=())


def _incident(name: str, course: Course, look: _Look) -> IncidentRecord:
    return incident_of(
        course.trail,
        rule=name,
        metric=course.metric,
        severity=course.severity,
        peak=course.peak,
        dwell_ns=course.dwell_ns,
        role=look.score.role,
        participant=look.score.participant,
        began_ns=look.began_ns,
    )


def _firing(
    name: str, spec: RuleSpec, course: Course, look: _Look
) -> tuple[tuple[Transition, ...], Course | None]:
    """Only a window under `exit` changes anything."""
    if look.reading is not Reading.UNDER:
        return (), course
    course = replace(course, trail=(Seen.of(look.score, look.value),))
    told = _told(name, course, AlertState.RESOLVING, look)
    after = replace(course, state=AlertState.RESOLVING, dwell_ns=0)
    more, last = _resolved_if_due(name, spec, after, look)
    return (told, *more), last


def _resolving(
    name: str, spec: RuleSpec, course: Course, look: _Look
) -> tuple[tuple[Transition, ...], Course | None]:
    """Under `exit` counts, between pauses, over `enter` fires on."""
    if look.reading is Reading.OVER:
        course = replace(course, trail=(Seen.of(look.score, look.value),))
        told = _told(name, course, AlertState.FIRING, look)
        return (told,), replace(course, state=AlertState.FIRING, dwell_ns=0, trail=())
    if look.reading is not Reading.UNDER:
        return (), course
    course = replace(_with(course, look), dwell_ns=course.dwell_ns + look.fresh_ns)
    return _resolved_if_due(name, spec, course, look)


def _resolved_if_due(
    name: str, spec: RuleSpec, course: Course, look: _Look
) -> tuple[tuple[Transition, ...], Course | None]:
    if course.dwell_ns < spec.keep_firing_for_ns:
        return (), course
    return (_told(name, course, AlertState.OK, look, reason=RECOVERED),), None


def _with(course: Course, look: _Look) -> Course:
    """The course with one more window: the first stays, so that it is told from its beginning."""
    trail = (*course.trail, Seen.of(look.score, look.value))
    if len(trail) > WINDOWS_SHOWN:
        trail = (trail[0], *trail[1 - WINDOWS_SHOWN :])
    return replace(course, trail=trail)


def _told(
    name: str,
    course: Course,
    state: AlertState,
    look: _Look,
    *,
    before: AlertState | None = None,
    reason: str | None = None,
) -> Transition:
    """A transition that a window caused; what led to it is its evidence."""
    score = look.score
    key = ParticipantKey(score.tenant, score.run, score.conversation, score.participant)
    led = course.trail
    if state is AlertState.OK and course.state is not AlertState.RESOLVING:
        led = () if look.value is None else (Seen.of(look.score, look.value),)
    return dataclasses.replace(
        _transition(key, name, course, state, look.end_ns),
        before=course.state if before is None else before,
        reason=reason,
        value=look.value,
        evidence=tuple(seen.stored for seen in led),
    )


def _transition(
    key: ParticipantKey, name: str, course: Course, state: AlertState, at_ns: int
) -> Transition:
    return Transition(
        alert=alert_id(key, name, course.pending_ns),
        rule=name,
        rule_version=course.version,
        severity=course.severity,
        metric=course.metric,
        state=state,
        before=course.state,
        at_ns=at_ns,
        pending_ns=course.pending_ns,
        fired_ns=course.fired_ns,
        peak=course.peak,
        sinks=course.sinks,
    )


def alert_id(key: ParticipantKey, rule: str, pending_ns: int) -> str:
    """Of one course: the same window of the same run always begins the same alert."""
    name = f"{key.tenant}/{key.run}/alert/{key.conversation}/{key.participant}/{rule}/{pending_ns}"
    return str(uuid.uuid5(SCORE_NAMESPACE, name))
