"""Whether a record bears a statement out, through the evidence that its clause cites.

The words of degree are ours, on the scales of the score: they are named here and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from inference.labels import Emotion, Modality
from inference.narrator.cues import CueKind, kind_of
from inference.narrator.incident import (
    CueFact,
    Figure,
    IncidentRecord,
    SpanFact,
    WindowFact,
)
from inference.narrator.statement import (
    Called,
    Claim,
    Counted,
    Cued,
    Disagree,
    Distress,
    Moved,
    Nothing,
    Rests,
    Said,
    Share,
    Silent,
    Statement,
    Support,
    Sure,
    Unnamed,
    When,
)
from inference.narrator.written import clock, excerpt, number

LIKELY_FROM: Final = 0.5
RAISED_TIMES: Final = 2.0
"""Over the base rate; the onset of evaluations."""
DISAGREE_FROM_NATS: Final = 0.25
MOVED_FROM_SD: Final = 1.0
MOST_FROM: Final = 0.5
FIRM_UNTIL: Final = 0.4
FAIR_UNTIL: Final = 0.7
STRETCH_SHARE: Final = 0.5
"""Of the windows of a stretch, that must bear out what is said of the stretch."""


@dataclass(frozen=True, slots=True)
class Cited:
    """The evidence of one clause, by kind."""

    windows: tuple[WindowFact, ...]
    cues: tuple[CueFact, ...]
    spans: tuple[SpanFact, ...]
    figures: tuple[Figure, ...]

    @classmethod
    def of(cls, record: IncidentRecord, ids: Sequence[str]) -> "Cited | None":
        """None where an id is not in the record."""
        known = record.by_id()
        if any(one not in known for one in ids):
            return None
        facts = [known[one] for one in dict.fromkeys(ids)]
        return cls(
            tuple(fact for fact in facts if isinstance(fact, WindowFact)),
            tuple(fact for fact in facts if isinstance(fact, CueFact)),
            tuple(fact for fact in facts if isinstance(fact, SpanFact)),
            tuple(fact for fact in facts if isinstance(fact, Figure)),
        )


def supported(statement: Statement, evidence: Sequence[str], record: IncidentRecord) -> bool:
    """Whether `record` says what `statement` says, by the items named in `evidence`."""
    cited = Cited.of(record, evidence)
    if cited is None:
        return False
    return (
        _about(statement, record)
        and _borne_out(statement.claim, cited, record)
        and (statement.when is None or _timed(statement.claim, statement.when, cited, record))
    )


def holds(claim: Claim, window: WindowFact, record: IncidentRecord) -> bool:  # noqa: PLR0911 - a case a claim
    """Whether a claim about windows is true of one."""
    match claim:
        case Called(word=Emotion() as label):
            return window.label is label
        case Called(word=Distress() as level):
            return window.distress is not None and _level(window.distress, level, record.base_rate)
        case Unnamed():
            return window.abstained and bool(window.weights)
        case Disagree():
            return window.conflict >= DISAGREE_FROM_NATS and len(window.weights) > 1
        case Silent():
            return not {Modality.SPEECH, Modality.TEXT} & set(window.weights)
        case Moved(up=up):
            return window.change is not None and (window.change if up else -window.change) >= (
                MOVED_FROM_SD
            )
        case Rests(modality=modality, share=Share.ALL):
            return set(window.weights) == {modality}
        case Rests(modality=modality):
            return len(window.weights) > 1 and window.weights.get(modality, 0.0) >= MOST_FROM
        case Sure(support=support):
            return bool(window.weights) and support_of(window.vacuity) is support
        case _:
            return False


def support_of(vacuity: float) -> Support:
    """The word for a vacuity."""
    if vacuity <= FIRM_UNTIL:
        return Support.FIRM
    return Support.FAIR if vacuity <= FAIR_UNTIL else Support.THIN


def strongest(record: IncidentRecord) -> WindowFact | None:
    """The window with the most distress, the first of equals."""
    with_distress = [one for one in record.windows if one.distress is not None]
    return max(with_distress, key=lambda one: one.distress or 0.0, default=None)


def _level(distress: float, level: Distress, base_rate: float) -> bool:
    match level:
        case Distress.LIKELY:
            return distress >= LIKELY_FROM
        case Distress.RAISED:
            return distress >= RAISED_TIMES * base_rate
        case Distress.USUAL:
            return distress < RAISED_TIMES * base_rate


def _about(statement: Statement, record: IncidentRecord) -> bool:
    return statement.role in {None, record.role} and statement.participant in {
        None,
        record.participant,
    }


def _borne_out(claim: Claim, cited: Cited, record: IncidentRecord) -> bool:
    match claim:
        case Nothing():
            return not any(window.weights for window in record.windows)
        case Cued(kind=kind):
            return kind is not CueKind.OTHER and any(
                kind_of(cue.modality, cue.text) is kind for cue in cited.cues
            )
        case Said(quote=quote):
            return any(quote == excerpt(span.text) for span in cited.spans)
        case Counted(name=name, value=value, label=label):
            return any(
                figure.name is name and figure.label is label and number(figure) == value
                for figure in cited.figures
            )
        case Called(strongest=True) if strongest(record) not in cited.windows:
            return False
        case _:
            return bool(cited.windows) and all(
                holds(claim, window, record) for window in cited.windows
            )


def _timed(claim: Claim, when: When, cited: Cited, record: IncidentRecord) -> bool:
    if when.end is None:
        return when.begin in _moments(claim, cited)
    if not cited.windows:
        return False
    begin_ns = min(window.start_ns for window in cited.windows)
    end_ns = max(window.end_ns for window in cited.windows)
    if (when.begin, when.end) != (clock(begin_ns), clock(end_ns)):
        return False
    inside = [
        window
        for window in record.windows
        if begin_ns <= window.start_ns and window.end_ns <= end_ns
    ]
    true = sum(holds(claim, window, record) for window in inside)
    return true >= STRETCH_SHARE * len(inside)


def _moments(claim: Claim, cited: Cited) -> set[str]:
    """Clock times at which the cited items that bear the claim out begin."""
    match claim:
        case Cued(kind=kind):
            return {
                clock(cue.at_ns)
                for cue in cited.cues
                if cue.at_ns is not None and kind_of(cue.modality, cue.text) is kind
            }
        case Said(quote=quote):
            return {clock(span.start_ns) for span in cited.spans if quote == excerpt(span.text)}
        case Counted() | Nothing():
            return set()
        case _:
            return {clock(window.start_ns) for window in cited.windows}
