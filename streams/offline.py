"""Scores of records that are all at hand: what a worker does, without a broker or a database."""

from collections.abc import Iterable, Iterator

from inference.score import WindowScore
from streams.records import Record
from streams.scoring import WindowScorer, score_closings
from streams.windows.aligner import Aligner
from streams.windows.offline import closings


def scores(
    records: Iterable[Record], aligner: Aligner, scorer: WindowScorer
) -> Iterator[WindowScore]:
    """Final scores as soon as their windows close; ascending for each participant."""
    for closing in closings(records, aligner):
        (batch,) = score_closings([closing], scorer)
        aligner.stored(closing.key, batch.progress)
        yield from batch.scores
