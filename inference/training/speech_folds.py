"""The recipe of the speech heads, fitted several times, each without some of the speakers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.experts.line import Line
from inference.experts.linear_head import LinearHead
from inference.training.speaker_folds import MOST_FOLDS, speaker_folds
from inference.training.speech import fit_copies
from inference.training.speech_corpus import EmbeddedClips

SPEAKERS_PER_FOLD: Final = 2
"""Five folds of EmoDB's ten speakers."""

Names = NDArray[np.str_]
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fold:
    """A head and the rows, (clips,), whose speakers it has never heard."""

    held_out: Rows
    head: LinearHead


def fit_folds(
    corpus: EmbeddedClips,
    labels: Names,
    names: Sequence[str],
    held_out: Iterable[Rows] | None = None,
    calibration_folds: int = MOST_FOLDS,
) -> tuple[Fold, ...]:
    """Fit the recipe once a fold, on clips whose label, (clips,), is one of `names`.

    Args:
        corpus: what to fit on.
        labels: (clips,).
        names: order of the columns of what the heads give.
        held_out: (clips,) which clips each fold leaves out; None takes two speakers at a time.
        calibration_folds: of `fit_copies`.
    """
    known = np.isin(labels, names)
    folds = speaker_folds(corpus.speakers, SPEAKERS_PER_FOLD) if held_out is None else held_out
    return tuple(
        Fold(rows, fit_copies(corpus, labels, names, known & ~rows, calibration_folds))
        for rows in folds
    )


def predict(
    folds: Sequence[Fold], embeddings: NDArray[np.float32], lines: Names | None = None
) -> NDArray[np.float64]:
    """(clips, labels) log-probabilities, each row by the head that never heard its speaker.

    Rows of clips that no fold leaves out are NaN.

    Args:
        folds: from `fit_folds`.
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
    head: LinearHead, embeddings: NDArray[np.float32], lines: Names | None
) -> NDArray[np.float64]:
    """(n, labels) log-probabilities of (n, 768) rows that came over (n,) `lines`."""
    log_probs = head.log_probs(embeddings)
    for line in () if lines is None else Line:
        over = lines == line
        log_probs[over] = head.log_probs(embeddings[over], line)
    return log_probs
