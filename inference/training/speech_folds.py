"""The recipe of the speech heads, fitted several times, each without some of the speakers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.experts.linear_head import LinearHead
from inference.training.speaker_folds import speaker_folds
from inference.training.speech import EmbeddedClips, fit_copies

SPEAKERS_PER_FOLD: Final = 2
"""Five folds of EmoDB's ten speakers."""

Names = NDArray[np.str_]
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fold:
    """A head and the rows, (clips,), whose speakers it has never heard."""

    held_out: Rows
    head: LinearHead


def fit_folds(corpus: EmbeddedClips, labels: Names, names: Sequence[str]) -> tuple[Fold, ...]:
    """Fit the recipe once a fold, on clips whose label, (clips,), is one of `names`."""
    known = np.isin(labels, names)
    return tuple(
        Fold(held_out, fit_copies(corpus, labels, names, known & ~held_out))
        for held_out in speaker_folds(corpus.speakers, SPEAKERS_PER_FOLD)
    )


def predict(folds: Sequence[Fold], embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """(clips, labels) log-probabilities, each row by the head that never heard its speaker."""
    log_probs = np.empty((len(embeddings), len(folds[0].head.labels)))
    for fold in folds:
        log_probs[fold.held_out] = fold.head.log_probs(embeddings[fold.held_out])
    return log_probs
