"""What the live page says of each conversation and participant. Pure.

Everything that is said in a row is decided here, so that the page only places it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inference.labels import MODALITIES, AbsenceReason, Modality, Role
from inference.score import ModalityReport, WindowScore
from inference.units import MS_NS, SECOND_NS
from streams.serving.dashboard.live.trend import Trend, grown, rise, strokes
from streams.serving.dashboard.shell import words

HOLD_NS: Final = 30 * SECOND_NS
"""After this long without an estimate the last one no longer stands: as for alerts."""
STALE_NS: Final = 15 * SECOND_NS
"""A live participant without a new score for this long is marked."""
TONES: Final = 5
NOTHING_SAID: Final = 1.0
"""At this vacuity nobody present moves the estimate: it rests on the prior alone."""


class State(StrEnum):
    """What kind of score a row shows; the page styles it, the text says it."""

    WAITING = "waiting"
    SCORED = "scored"
    UNSURE = "unsure"
    SILENT = "silent"
    ABSENT = "absent"


_NOTHING: Final = (State.ABSENT, words.NOTHING_TO_READ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one participant: the newest score, and the newest estimate of distress."""

    participant: str
    role: Role
    latest: WindowScore | None = None
    smoothed: float | None = None
    """Smoothed distress of the newest score that has one: `latest`, or one before a silence."""
    smoothed_end_ns: int = 0
    """End of that score."""
    trend: Trend = ()
    """Smoothed distress of the last minutes."""
    doubt_since_ns: int | None = None
    """Where the windows without a label began that reach to `latest`; None where it has one."""
    permitted: bool | None = None
    """Whether policy leaves anything to analyse; None where nobody said."""

    def advanced(self, score: WindowScore) -> "Standing":
        """With `score` taken in, unless a newer one is known.

        A final score replaces the provisional one of the same window, never the reverse.
        """
        if self.latest is not None and (score.start_ns, score.final) < (
            self.latest.start_ns,
            self.latest.final,
        ):
            return self
        return Standing(
            participant=self.participant,
            role=score.role,
            latest=score,
            smoothed=self.smoothed if score.distress is None else score.distress.smoothed,
            smoothed_end_ns=self.smoothed_end_ns if score.distress is None else score.end_ns,
            trend=self._trend(score),
            doubt_since_ns=self._doubt(score),
            permitted=self.permitted,
        )

    def _trend(self, score: WindowScore) -> Trend:
        if not score.final:
            return self.trend
        smoothed = None if score.distress is None else score.distress.smoothed
        return grown(self.trend, score.end_ns, smoothed)

    def _doubt(self, score: WindowScore) -> int | None:
        if score.decision.label is not None and not score.decision.abstained:
            return None
        return score.start_ns if self.doubt_since_ns is None else self.doubt_since_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """How much of a score one modality carries."""

    name: str
    present: bool
    share: int
    """Percent of the fused evidence, 0 where absent or without an opinion."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantRow:
    """One participant's line."""

    key: str
    name: str
    state: State
    distress: str
    """Smoothed distress as a number, or a dash."""
    level: int
    """The same as the length of a bar, percent."""
    tone: int
    """Colour step of the bar, 0 to `TONES` - 1; the number stands beside it."""
    held: bool
    """True where the number is from before a silence."""
    feeling: str
    detail: str
    carriers: tuple[Carrier, ...]
    age: str
    stale: bool
    remarks: tuple[str, ...]
    rise: str
    """How much higher the number is than two minutes ago, where it is worth a word."""
    strokes: tuple[str, ...]
    """The last minutes as lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRow:
    """One conversation's block of lines."""

    key: str
    detail: str
    started_ms: int
    running: str
    participants: tuple[ParticipantRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A live conversation as the API lists it."""

    id: str
    queue: str
    language: str
    started_ns: int
    ended_ns: int | None = None
    standings: Mapping[str, Standing]


def conversation_row(call: Conversation, now_ns: int) -> ConversationRow:
    """The block of one conversation; customers come first."""
    known = [part for part in map(words.known, (call.queue, call.language)) if part]
    return ConversationRow(
        key=call.id,
        detail=" · ".join(known),
        started_ms=call.started_ns // MS_NS,
        running=words.duration((now_ns - call.started_ns) / SECOND_NS),
        participants=tuple(participant_row(call.id, one, now_ns) for one in parties(call)),
    )


def parties(call: Conversation) -> list[Standing]:
    """Everybody in it, customers first."""
    return sorted(
        call.standings.values(),
        key=lambda one: (one.role is not Role.CUSTOMER, one.participant),
    )


def participant_row(conversation: str, standing: Standing, now_ns: int) -> ParticipantRow:
    """The line of one participant, for every kind of score."""
    latest = standing.latest
    name = words.full_name(standing.role, standing.participant)
    key = f"{conversation}/{standing.participant}"
    if latest is None:
        refused = standing.permitted is False
        return ParticipantRow(
            key=key,
            name=name,
            state=State.ABSENT if refused else State.WAITING,
            distress=words.NONE,
            level=0,
            tone=0,
            held=False,
            feeling=words.NOT_ANALYSED if refused else words.WAITING,
            detail=words.BY_POLICY if refused else "",
            carriers=(),
            age="",
            stale=False,
            remarks=(),
            rise="",
            strokes=(),
        )
    smoothed = smoothed_now(standing)
    held = smoothed is not None and latest.distress is None
    state, feeling, detail = _feeling(latest)
    age_ns = max(0, now_ns - latest.end_ns)
    return ParticipantRow(
        key=key,
        name=name,
        state=state,
        distress=words.NONE if smoothed is None else words.percent(smoothed),
        level=0 if smoothed is None else round(smoothed * 100),
        tone=0 if smoothed is None else min(TONES - 1, int(smoothed * TONES)),
        held=held,
        feeling=feeling,
        detail=detail,
        carriers=carriers(latest),
        age=f"{words.duration(age_ns / SECOND_NS)} ago",
        stale=age_ns > STALE_NS,
        remarks=remarks(latest, held=held),
        rise="" if smoothed is None else words.rise(rise(standing.trend) or 0.0),
        strokes=strokes(standing.trend),
    )


def carriers(score: WindowScore) -> tuple[Carrier, ...]:
    """What each modality carries of `score`."""
    return tuple(
        _carrier(modality, score.modalities[modality], silent=score.vacuity >= NOTHING_SAID)
        for modality in MODALITIES
        if modality in score.modalities
    )


def _carrier(modality: Modality, report: ModalityReport, *, silent: bool) -> Carrier:
    """One modality's share, or why it has none."""
    name = words.MODALITY[modality]
    if report.present:
        share = 0.0 if silent else report.weight or 0.0
        if share == 0:
            return Carrier(name=name, present=False, share=0, text=words.SAYS_NOTHING)
        return Carrier(name=name, present=True, share=round(share * 100), text=words.percent(share))
    reason = words.REASON[report.reason] if report.reason else "absent"
    return Carrier(name=name, present=False, share=0, text=reason)


def remarks(score: WindowScore, *, held: bool) -> tuple[str, ...]:
    """What a reader must know before relying on the line."""
    notes = []
    if held:
        notes.append("from before the silence" if _silent(score) else "last estimate")
    if not score.final:
        notes.append("provisional")
    if score.partial:
        notes.append("partial: closed early")
    if score.shed:
        notes.append(f"overload left out {', '.join(score.shed)}")
    return tuple(notes)


def smoothed_now(standing: Standing) -> float | None:
    """Smoothed distress where it still stands: for `HOLD_NS` of event time."""
    if standing.latest is None or standing.latest.end_ns - standing.smoothed_end_ns > HOLD_NS:
        return None
    return standing.smoothed


def _silent(score: WindowScore) -> bool:
    speech = score.modalities.get(Modality.SPEECH)
    return speech is not None and speech.reason is AbsenceReason.SILENCE


def _feeling(score: WindowScore) -> tuple[State, str, str]:
    """State, the word that is said, and what stands in small print beside it."""
    if not any(report.present for report in score.modalities.values()):
        reasons = {report.reason for report in score.modalities.values() if report.reason}
        if _silent(score):
            return State.SILENT, words.NO_VOICE, ""
        if reasons == {AbsenceReason.NOT_PERMITTED}:
            return State.ABSENT, words.NOT_ANALYSED, words.BY_POLICY
        return *_NOTHING, ""
    if score.vacuity >= NOTHING_SAID:  # a face in view that moves nothing is no opinion
        said = (State.SILENT, words.NO_VOICE) if _silent(score) else _NOTHING
        return *said, ""
    decision = score.decision
    if decision.abstained or decision.label is None:
        listed = [words.EMOTION[emotion] for emotion in decision.set]
        # all of the vocabulary is no information, and long
        detail = " or ".join(listed) if 1 < len(listed) <= 3 else ""  # noqa: PLR2004 - as said
        return State.UNSURE, words.NOT_SURE, detail
    others = [words.EMOTION[emotion] for emotion in decision.set if emotion is not decision.label]
    detail = f"or {' or '.join(others)}" if 0 < len(others) <= 2 else ""  # noqa: PLR2004 - the same
    return State.SCORED, words.EMOTION[decision.label], detail
