"""Splits by speaker: nobody is in training and test at once."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


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
