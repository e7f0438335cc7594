"""What is worth telling of a record: true statements with their evidence, best first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from inference.labels import EMOTIONS, Emotion, Modality, Role
from inference.narrator.contract import Clause
from inference.narrator.cues import CueKind, kind_of
from inference.narrator.incident import CueFact, FigureName, IncidentRecord, Kind, WindowFact
from inference.narrator.language import write
from inference.narrator.pattern import Choose, first
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
    Sure,
    Unnamed,
    When,
)
from inference.narrator.support import STRETCH_SHARE, holds, strongest, support_of
from inference.narrator.written import clock, excerpt, number, plain_id

_BY_METRIC: Final[dict[str, tuple[Claim, ...]]] = {
    "distress": (),
    "smoothed": (),
    "conflict": (Disagree(),),
    "silence": (Silent(),),
    "change": (Moved(up=True), Moved(up=False)),
    **{label.value: (Called(label),) for label in EMOTIONS},
}
_IN_GENERAL: Final[tuple[Claim, ...]] = (
    Called(Distress.LIKELY),
    Called(Distress.RAISED),
    *(Called(label) for label in EMOTIONS if label is not Emotion.NEUTRAL),
    Disagree(),
    Called(Emotion.NEUTRAL),
    Unnamed(),
    Called(Distress.USUAL),
    Silent(),
)
FIGURES_FIRST: Final = (
    FigureName.CONVERSATIONS,
    FigureName.HOURS,
    FigureName.ALERTS,
    FigureName.WINDOWS,
    FigureName.DISTRESSED_SHARE,
    FigureName.LABELLED_SHARE,
    FigureName.ABSTAINED_SHARE,
    FigureName.PEAK,
    FigureName.DWELL_S,
)


@dataclass(frozen=True, slots=True)
class Point:
    """A statement that is true of a record, and what bears it out."""

    statement: Statement
    evidence: tuple[str, ...]

    def clause(self, choose: Choose = first, *, opens: bool = False) -> Clause:
        """In words."""
        return Clause(write(self.statement, choose), self.evidence, opens)


def main_points(record: IncidentRecord) -> Iterator[Point]:
    """What happened over a stretch: what the rule watches first, then anything else that did."""
    watched = _BY_METRIC.get(record.metric, ())
    for claim in dict.fromkeys((*watched, *_IN_GENERAL)):
        windows = stretch(claim, record)
        if windows:
            yield _of_windows(claim, windows, record)
    if not any(window.weights for window in record.windows):
        role = None if record.kind is Kind.SHIFT else record.role
        yield Point(Statement(Nothing(), role), ())


def strongest_points(record: IncidentRecord) -> Iterator[Point]:
    """What listeners would say at the height of distress, where there is any to speak of."""
    height = strongest(record)
    if height is None or not holds(Called(Distress.RAISED), height, record):
        return
    role, participant = _who(record)
    when = When(clock(height.start_ns))
    if height.label is not None:
        claim: Claim = Called(height.label, strongest=True)
        yield Point(Statement(claim, role, participant, when), (height.id,))
    if holds(Called(Distress.LIKELY), height, record):
        claim = Called(Distress.LIKELY, strongest=True)
        yield Point(Statement(claim, role, participant, when), (height.id,))


def cue_points(record: IncidentRecord) -> Iterator[Point]:
    """Cues that have words, each kind once, those at the height of distress first."""
    height = strongest(record)
    told: set[CueKind] = set()
    for cue in sorted(record.cues, key=lambda cue: not _inside(cue, height)):
        kind = kind_of(cue.modality, cue.text)
        if kind is CueKind.OTHER or kind in told:
            continue
        told.add(kind)
        when = None if cue.at_ns is None else When(clock(cue.at_ns))
        yield Point(Statement(Cued(kind), when=when), (cue.id,))


def quote_points(record: IncidentRecord) -> Iterator[Point]:
    """Words of the participant, where the record holds any."""
    role, participant = _who(record)
    for span in record.spans:
        quote = excerpt(span.text)
        if quote is not None:
            when = When(clock(span.start_ns))
            yield Point(Statement(Said(quote), role, participant, when), (span.id,))


def rest_points(record: IncidentRecord) -> Iterator[Point]:
    """What the score of one window rests on: the strongest, or the last that was scored."""
    window = resting(record)
    if window is None:
        return
    for share in (Share.ALL, Share.MOST):
        for modality in Modality:
            claim = Rests(modality, share)
            if holds(claim, window, record):
                yield Point(Statement(claim), (window.id,))


def sure_points(record: IncidentRecord) -> Iterator[Point]:
    """How much the evidence of that window decides."""
    window = resting(record)
    if window is not None:
        yield Point(Statement(Sure(support_of(window.vacuity))), (window.id,))


def figure_points(record: IncidentRecord) -> Iterator[Point]:
    """Every figure, in the order in which a shift is told; shares of labels largest first."""
    for figure in sorted(
        record.figures, key=lambda figure: (FIGURES_FIRST.index(figure.name), -figure.value)
    ):
        labelled = figure.name is FigureName.LABELLED_SHARE
        if labelled == (figure.label is not None):
            claim = Counted(figure.name, number(figure), figure.label)
            yield Point(Statement(claim), (figure.id,))


def resting(record: IncidentRecord) -> WindowFact | None:
    """The window whose evidence is spoken of."""
    present = [window for window in record.windows if window.weights]
    height = strongest(record)
    return height if height in present else present[-1] if present else None


def stretch(claim: Claim, record: IncidentRecord) -> Sequence[WindowFact]:
    """Windows of which a claim may be made as a whole; empty where it is true of none.

    From the first to the last that bears it out where at least half of those between do, else
    the longest run.
    """
    true = [holds(claim, window, record) for window in record.windows]
    if not any(true):
        return ()
    begin, end = true.index(True), len(true) - true[::-1].index(True)
    if sum(true[begin:end]) >= STRETCH_SHARE * (end - begin):
        return record.windows[begin:end]
    runs = (list(run) for holding, run in groupby(range(len(true)), true.__getitem__) if holding)
    longest = max(runs, key=len)
    return record.windows[longest[0] : longest[-1] + 1]


def _of_windows(claim: Claim, windows: Sequence[WindowFact], record: IncidentRecord) -> Point:
    role, participant = _who(record)
    begin, end = clock(windows[0].start_ns), clock(windows[-1].end_ns)
    when = When(begin, end) if begin != end else When(begin)
    evidence = tuple(dict.fromkeys((windows[0].id, windows[-1].id)))
    return Point(Statement(claim, role, participant, when), evidence)


def _who(record: IncidentRecord) -> tuple[Role, str | None]:
    """Whom clauses name; an id is spelled out only where the role says too little."""
    spelled = plain_id(record.participant) if record.role is Role.UNKNOWN else None
    return record.role, spelled


def _inside(cue: CueFact, window: WindowFact | None) -> bool:
    return (
        window is not None
        and cue.at_ns is not None
        and window.start_ns <= cue.at_ns < window.end_ns
    )
