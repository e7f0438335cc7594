"""The narrator without weights: always faithful, since it says only what it has looked up."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Final

from inference.narrator.contract import Clause, Narrative, joined
from inference.narrator.incident import FigureName, IncidentRecord, Kind
from inference.narrator.statement import Called, Counted
from inference.narrator.telling import (
    Point,
    cue_points,
    figure_points,
    main_points,
    quote_points,
    rest_points,
    strongest_points,
    sure_points,
)

VERSION: Final = "template-1"
MOST_HINTS: Final = 2
"""Cues, or a cue and a quotation."""
MOST_LABELS: Final = 3
"""Of the labels of a shift."""


class TemplateNarrator:
    """What was heard, of whom, when and for how long; then the cues, and what it rests on."""

    @property
    def version(self) -> str:
        """`template-N`; N changes with the words."""
        return VERSION

    def tell(self, record: IncidentRecord) -> Narrative:
        """Two sentences for an incident, a paragraph for a shift."""
        clauses = tuple(
            replace(point.clause(), opens=place == 0)
            for sentence in chosen(record)
            for place, point in enumerate(sentence)
        )
        return told(clauses, VERSION)


def told(clauses: tuple[Clause, ...], narrator: str, *, fell_back: bool = False) -> Narrative:
    """The narrative of these clauses."""
    return Narrative(text=joined(clauses), clauses=clauses, narrator=narrator, fell_back=fell_back)


def chosen(record: IncidentRecord) -> list[list[Point]]:
    """What is told of a record, sentence by sentence."""
    sentences = _shift(record) if record.kind is Kind.SHIFT else _incident(record)
    return [sentence for sentence in sentences if sentence]


def _incident(record: IncidentRecord) -> Iterator[list[Point]]:
    main = list(islice(main_points(record), 1))
    height = next((point for point in strongest_points(record) if not _repeats(point, main)), None)
    peak = (point for point in figure_points(record) if _counts(point, FigureName.PEAK))
    yield [*main, *([height] if height else islice(peak, 1))]
    hints = chain(cue_points(record), islice(quote_points(record), 1))
    yield [*islice(hints, MOST_HINTS), *islice(rest_points(record), 1), *sure_points(record)]


def _shift(record: IncidentRecord) -> Iterator[list[Point]]:
    figures = list(figure_points(record))
    shares = [point for point in figures if _is_share(point)]
    counts = [point for point in figures if point not in shares]
    if figures:
        yield counts
        yield shares[: MOST_LABELS + 2]
    if record.windows or not figures:
        yield [*islice(main_points(record), 1), *islice(strongest_points(record), 1)]


def _is_share(point: Point) -> bool:
    return any(
        _counts(point, name)
        for name in (
            FigureName.DISTRESSED_SHARE,
            FigureName.LABELLED_SHARE,
            FigureName.ABSTAINED_SHARE,
        )
    )


def _counts(point: Point, name: FigureName) -> bool:
    claim = point.statement.claim
    return isinstance(claim, Counted) and claim.name is name


def _repeats(point: Point, main: list[Point]) -> bool:
    """Whether the strongest moment would only say again what was said of the stretch."""
    claim = point.statement.claim
    said = main[0].statement.claim if main else None
    return isinstance(claim, Called) and isinstance(said, Called) and claim.word is said.word
