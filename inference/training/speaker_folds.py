"""Splits by speaker: nobody is in training and test at once."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_FOLDS: Final = 10


def speaker_folds(speakers: NDArray[np.str_], per_fold: int) -> Iterator[NDArray[np.bool_]]:
    """For each fold, which rows are its test part; every row is tested once.

    Speakers are taken in order of name, `per_fold` at a time. In EmoDB neighbours are mostly
    a woman and a man, so folds of two are balanced without drawing lots.

    Args:
        speakers: (rows,) name of each row's speaker.
        per_fold: speakers that are held out together.

    Yields:
        (rows,) True where the row's speaker is held out.
    """
    names = np.unique(speakers)
    for first in range(0, len(names), per_fold):
        yield np.isin(speakers, names[first : first + per_fold])


def label_folds(
    speakers: NDArray[np.str_], labels: NDArray[np.str_], most: int = MOST_FOLDS
) -> Iterator[NDArray[np.bool_]]:
    """As `speaker_folds`, at most `most` of them, with the voices of rare labels spread out.

    Speakers of the same rarest label are dealt one to a fold, so that a label which two show
    is in most splits on both sides. Up to `most` speakers have a fold each, in order of name.

    Args:
        speakers: (rows,) name of each row's speaker.
        labels: (rows,) what each row is called.
        most: folds.

    Yields:
        (rows,) True where the row's speaker is held out.
    """
    names = np.unique(speakers)
    if len(names) <= most:
        yield from speaker_folds(speakers, per_fold=1)
        return
    shown = {name: set(labels[speakers == name].tolist()) for name in names.tolist()}
    voices = Counter(label for those in shown.values() for label in those)
    dealt = sorted(shown, key=lambda name: (min((voices[x], x) for x in shown[name]), name))
    for first in range(most):
        yield np.isin(speakers, dealt[first::most])
