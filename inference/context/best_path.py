"""From windows to events: the best path of a CTC network, collapsed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLANK: Final = 0
"""The column of "no event"."""
FEWEST_WINDOWS: Final = 2
"""An event of one window is as likely a mistake of that window."""


@dataclass(frozen=True, slots=True)
class Run:
    """Windows `[first, last]` that all say the same, by their places."""

    label: int
    first: int
    last: int


def best_path(log_probs: NDArray[np.floating], fewest: int = FEWEST_WINDOWS) -> list[Run]:
    """The events of (windows, 1 + labels) log-probabilities, column 0 for no event.

    Source: Graves et al. 2006, section 3.2 (best path decoding). Departure: a run shorter than
    `fewest` windows is no event, and what it parted is one event if it is of one label.
    """
    return runs(log_probs.argmax(axis=1).tolist(), fewest)


def runs(path: Sequence[int], fewest: int = FEWEST_WINDOWS) -> list[Run]:
    """Events of a path of labels, ascending.

    Equal neighbours are one event. Short runs are dropped before neighbours are joined, so no
    result holds one; blanks part two events of one label, dropped runs do not.
    """
    places = groupby(enumerate(path), key=lambda pair: pair[1])
    found: list[Run] = []
    for label, members in places:
        windows = [place for place, _ in members]
        run = Run(label, windows[0], windows[-1])
        if label != BLANK and len(windows) < fewest:
            continue
        if found and found[-1].label == label:
            run = Run(label, found.pop().first, run.last)
        found.append(run)
    return [run for run in found if run.label != BLANK]


def collapse(path: Sequence[int]) -> list[int]:
    """CTC's many-to-one map: repeats are one, then blanks go.

    Source: Graves et al. 2006, the map B.
    """
    return [label for label, _ in groupby(path) if label != BLANK]
