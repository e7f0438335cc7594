"""The gate of one conversation: what control said, and what that permits at an event time."""

from bisect import bisect_right, insort
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from inference.labels import MODALITIES, Modality
from storage.values import EVERYBODY, ConsentChange, Ruling
from streams.policy.decision import Decision, Facts, Profile, decide
from streams.records import ControlEvent, ControlKind, storable

BEGINNING_NS: Final = -1
"""Before every event time."""
_SAID: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision on one modality of one participant, from `at_ns` on."""

    participant: str
    modality: Modality
    at_ns: int
    decision: Decision
    facts: Facts
    """What it was decided on."""


@dataclass(frozen=True, slots=True)
class _Timeline:
    """What is known of one participant from each time on, ascending."""

    times: Sequence[int]
    facts: Sequence[Facts]

    def at(self, at_ns: int) -> Facts:
        return self.facts[bisect_right(self.times, at_ns) - 1]


class ConversationGate:
    """Facts by the event time from which they are true, whatever the order they come in.

    Two facts of the same time hold in the order of their sequence.
    """

    def __init__(self, profile: Profile, name: str = "") -> None:
        """Begin without facts; `name` is the profile's, for the record."""
        self._profile = profile
        self._name = name
        self._said: list[ControlEvent] = []
        self._timelines: dict[str, _Timeline] = {}
        self._decided: dict[tuple[Modality, Facts], Decision] = {}

    def apply(self, event: ControlEvent) -> None:
        """Take a fact; it is true from the event's own time."""
        insort(self._said, event, key=lambda said: (said.at_ns, said.sequence))
        self._timelines.clear()

    def permitted(self, participant: str, modality: Modality, at_ns: int) -> bool:
        """Whether this modality of this participant may be analysed at that event time.

        Consent withdrawn at t forbids t itself, hence every window that ends after it.
        """
        return self.decision(participant, modality, at_ns).allowed

    def permitted_throughout(
        self, participant: str, modality: Modality, start_ns: int, end_ns: int
    ) -> bool:
        """Whether it may be analysed at `start_ns` and up to `end_ns`, whatever changes between."""
        return self.forbidden_within(participant, modality, start_ns, end_ns) is None

    def forbidden_within(
        self, participant: str, modality: Modality, start_ns: int, end_ns: int
    ) -> Decision | None:
        """The first decision against it in that time; None if it is permitted throughout."""
        times = self._timeline(participant).times
        changes = times[bisect_right(times, start_ns) : bisect_right(times, end_ns - 1)]
        decisions = (self.decision(participant, modality, at_ns) for at_ns in (start_ns, *changes))
        return next((one for one in decisions if not one.allowed), None)

    def decision(self, participant: str, modality: Modality, at_ns: int) -> Decision:
        """The decision that holds at that event time, with its reason."""
        facts = self._timeline(participant).at(at_ns)
        decision = self._decided.get((modality, facts))
        if decision is None:
            decision = decide(self._profile, modality, facts)
            self._decided[modality, facts] = decision
        return decision

    def withdrawn_at(self, participant: str) -> int | None:
        """Since when consent is refused or withdrawn, as far as is known; None if it is not."""
        timeline = self._timeline(participant)
        since_ns = None
        for at_ns, facts in zip(reversed(timeline.times), reversed(timeline.facts), strict=True):
            if facts.consent is not False:
                break
            since_ns = at_ns
        return since_ns

    def decisions(self, others: Collection[str] = (), since_ns: int = 0) -> Iterator[Verdict]:
        """Every decision and every change of one, by time, participant and modality.

        Args:
            others: participants of whom no event speaks; they were decided on, too.
            since_ns: when the conversation began, where no event says so.
        """
        names = ({event.participant for event in self._said} | {*others}) - {EVERYBODY}
        latest: dict[tuple[str, Modality], Decision] = {}
        for at_ns in sorted({event.at_ns for event in self._said}) or [since_ns]:
            for participant in sorted(names):
                facts = self._timeline(participant).at(at_ns)
                for modality in MODALITIES:
                    decision = self.decision(participant, modality, at_ns)
                    if latest.get((participant, modality)) != decision:
                        latest[participant, modality] = decision
                        yield Verdict(participant, modality, at_ns, decision, facts)

    def rulings(self, others: Collection[str], since_ns: int) -> tuple[Ruling, ...]:
        """`decisions` as they are stored."""
        return tuple(
            Ruling(
                participant=verdict.participant,
                modality=verdict.modality,
                at_ns=verdict.at_ns,
                allowed=verdict.decision.allowed,
                reason=verdict.decision.reason,
                profile=self._name,
                facts=_told(verdict.facts),
                basis=verdict.decision.basis,
            )
            for verdict in self.decisions(others, since_ns)
        )

    def consents(self) -> tuple[ConsentChange, ...]:
        """What was said of consent and notice, by time; at one time the later word holds."""
        said: dict[tuple[int, str], ConsentChange] = {}
        for event in self._said:
            consent, notice = (
                word if word in _SAID else None
                for word in (event.attributes.get(name) for name in ("consent", "notice"))
            )
            if consent is not None or notice is not None:
                key = (event.at_ns, event.participant)
                before = said.get(key)
                said[key] = ConsentChange(
                    participant=event.participant,
                    at_ns=event.at_ns,
                    consent=consent or (before.consent if before else None),
                    notice=notice or (before.notice if before else None),
                )
        return tuple(said[key] for key in sorted(said))

    def _timeline(self, participant: str) -> _Timeline:
        """Somebody who speaks before they joined is taken for who they turn out to be.

        Their first sound and the event that announces them come on different topics.
        """
        timeline = self._timelines.get(participant)
        if timeline is None:
            said = [event for event in self._said if event.participant in (participant, EVERYBODY)]
            announced = next(filter(_announces, said), None)
            facts = Facts() if announced is None else _after(Facts(), announced)
            times, known = [BEGINNING_NS], [facts]
            for event in said:
                facts = _after(facts, event)
                times.append(event.at_ns)
                known.append(facts)
            timeline = self._timelines[participant] = _Timeline(times, known)
        return timeline


def _told(facts: Facts) -> dict[str, str | None]:
    words = {True: "yes", False: "no", None: None}
    return {
        "role": facts.role.value,
        "region": storable(facts.region),
        "purpose": storable(facts.purpose),
        "notice": words[facts.notice],
        "consent": words[facts.consent],
    }


def _announces(event: ControlEvent) -> bool:
    return event.participant != EVERYBODY and event.kind in (
        ControlKind.STARTED,
        ControlKind.PARTICIPANT_JOINED,
    )


def _after(facts: Facts, event: ControlEvent) -> Facts:
    """What is known once `event` is true."""
    told = facts.told(
        notice=_SAID.get(event.attributes.get("notice", "")),
        consent=_SAID.get(event.attributes.get("consent", "")),
    )
    if event.kind is ControlKind.STARTED:
        told = replace(
            told,
            purpose=event.attributes.get("purpose", told.purpose),
            region=event.attributes.get("region", told.region),
        )
    return replace(told, role=event.role) if _announces(event) else told
