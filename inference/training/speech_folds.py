"""The recipe of the speech heads, fitted several times, each without some of the speakers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic

import numpy as np
from numpy.typing import NDArray

from inference.experts.distress_head import DistressHead
from inference.experts.line import Line
from inference.experts.linear_head import LinearHead
from inference.training.speaker_folds import MOST_FOLDS, speaker_folds
from inference.training.speech import (
    Calibrated,
    Head,
    Rows,
    fit_distress,
    fit_emotion,
    shades_of,
)
from inference.training.speech_corpus import EmbeddedClips

SPEAKERS_PER_FOLD: Final = 2
"""Five folds of EmoDB's ten speakers."""

Names = NDArray[np.str_]
Sides = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fold(Generic[Head]):
    """A head and the rows, (clips,), whose speakers it has never heard."""

    held_out: Sides
    head: Head


def fit_folds(
    corpus: EmbeddedClips,
    labels: Names,
    names: Sequence[str],
    held_out: Iterable[Sides] | None = None,
    calibration_folds: int = MOST_FOLDS,
) -> tuple[Fold[LinearHead], ...]:
    """Fit the recipe of emotions once a fold, on clips whose label, (clips,), is in `names`.

    Args:
        corpus: what to fit on.
        labels: (clips,).
        names: order of the columns of what the heads give.
        held_out: (clips,) which clips each fold leaves out; None takes two speakers at a time.
        calibration_folds: of `fit_temperatures`.
    """
    known = np.isin(labels, names)
    return tuple(
        Fold(rows, fit_emotion(Rows.of(corpus, labels, known & ~rows), names, calibration_folds))
        for rows in _folds(corpus, held_out)
    )


def fit_distress_folds(
    corpus: EmbeddedClips,
    held_out: Iterable[Sides] | None = None,
    calibration_folds: int = MOST_FOLDS,
) -> tuple[Fold[DistressHead], ...]:
    """`fit_folds` of the recipe of distress."""
    shades = shades_of(corpus, np.ones(len(corpus.clips), dtype=np.bool_))
    known = np.isin(corpus.shades, shades)
    return tuple(
        Fold(
            rows,
            fit_distress(Rows.of(corpus, corpus.shades, known & ~rows), shades, calibration_folds),
        )
        for rows in _folds(corpus, held_out)
    )


def _folds(corpus: EmbeddedClips, held_out: Iterable[Sides] | None) -> Iterable[Sides]:
    return speaker_folds(corpus.speakers, SPEAKERS_PER_FOLD) if held_out is None else held_out


def predict(
    folds: Sequence[Fold[Head]], embeddings: NDArray[np.float32], lines: Names | None = None
) -> NDArray[np.float64]:
    """(clips, labels) log-probabilities, each row by the head that never heard its speaker.

    Rows of clips that no fold leaves out are NaN.

    Args:
        folds: of either recipe.
        embeddings: (clips, 768).
        lines: (clips,) the `Line` that each came over; None takes the shared temperatures.
    """
    log_probs = np.full((len(embeddings), len(folds[0].head.labels)), np.nan)
    for fold in folds:
        log_probs[fold.held_out] = by_line(
            fold.head,
            embeddings[fold.held_out],
            None if lines is None else lines[fold.held_out],
        )
    return log_probs


def by_line(
    head: Calibrated, embeddings: NDArray[np.float32], lines: Names | None
) -> NDArray[np.float64]:
    """(n, labels) log-probabilities of (n, 768) rows that came over (n,) `lines`."""
    log_probs = head.log_probs(embeddings)
    for line in () if lines is None else Line:
        over = lines == line
        log_probs[over] = head.log_probs(embeddings[over], line)
    return log_probs
