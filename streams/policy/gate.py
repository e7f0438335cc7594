"""The gate of one conversation: what control said, and what that permits at an event time."""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from inference.labels import Modality
from streams.policy.decision import Decision, Facts, Profile, decide
from streams.records import ControlEvent, ControlKind

EVERYBODY: Final = "-"
_SAID: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision on one modality of one participant, from `at_ns` on."""

    participant: str
    modality: Modality
    at_ns: int
    decision: Decision


class ConversationGate:
    """Facts by the event time from which they are true, whatever the order they come in."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._said: list[tuple[int, int, ControlEvent]] = []

    def apply(self, event: ControlEvent) -> None:
        """Take a fact; it is true from the event's own time."""
        insort(self._said, (event.at_ns, event.sequence, event), key=lambda item: item[:2])

    def permitted(self, participant: str, modality: Modality, at_ns: int) -> bool:
        """Whether this modality of this participant may be analysed at that event time."""
        return self.decision(participant, modality, at_ns).allowed

    def decision(self, participant: str, modality: Modality, at_ns: int) -> Decision:
        """The decision that holds at that event time, with its reason."""
        return decide(self._profile, modality, self.facts(participant, at_ns))

    def facts(self, participant: str, at_ns: int) -> Facts:
        """What is known at that event time.

        Somebody who speaks before they joined is taken for who they turn out to be: their
        first sound and the event that announces them come on different topics.
        """
        said = [
            event for _, _, event in self._said if event.participant in (participant, EVERYBODY)
        ]
        known = [event for event in said if event.at_ns <= at_ns]
        if not any(map(_announces, known)):
            known += [event for event in said if _announces(event)][:1]
        facts = Facts()
        for event in known:
            facts = _after(facts, event)
        return facts

    def verdicts(self) -> Iterator[Verdict]:
        """Every decision and every change of one, by time, participant and modality."""
        names = {event.participant for _, _, event in self._said} - {EVERYBODY}
        latest: dict[tuple[str, Modality], Decision] = {}
        for at_ns in sorted({at_ns for at_ns, _, _ in self._said}):
            for participant in sorted(names):
                for modality in Modality:
                    decision = self.decision(participant, modality, at_ns)
                    if latest.get((participant, modality)) != decision:
                        latest[participant, modality] = decision
                        yield Verdict(participant, modality, at_ns, decision)


def _announces(event: ControlEvent) -> bool:
    return event.kind is ControlKind.PARTICIPANT_JOINED


def _after(facts: Facts, event: ControlEvent) -> Facts:
    told = facts.told(
        notice=_SAID.get(event.attributes.get("notice", "")),
        consent=_SAID.get(event.attributes.get("consent", "")),
    )
    return replace(told, role=event.role) if _announces(event) else told
