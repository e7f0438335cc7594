"""Faces beside voices: action units of takes, in the words of captions, and worse seen.

The pictures are not here, so the views of a face are views of its units: noise stands in for blur,
packing and bad light, and a mask hides the units of mouth and nose.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.training.action_units import NoActionUnitsError
from inference.training.alignment.takes import Seen
from inference.training.utterance import Utterance

ACTIONS: Final = {
    "AU01": "inner eyebrows",
    "AU02": "forehead lifted",
    "AU04": "brows together",
    "AU05": "eyes wide",
    "AU06": "cheeks pushed",
    "AU07": "eyes half shut",
    "AU09": "nose screwed",
    "AU10": "lip bares teeth",
    "AU12": "smile",
    "AU14": "corners pulled",
    "AU15": "lip corners down",
    "AU17": "chin raised",
    "AU20": "lips stretch",
    "AU23": "lips tight",
    "AU25": "mouth open",
    "AU26": "jaw drops",
    "AU45": "eyelid closed",
}
"""What a caption calls each unit whose intensity the table has, in the order of its columns.

In words that have a place in the shipped word vectors: "brow lowered" would say nothing."""
UPPER: Final = ("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU45")
"""What a mask over mouth and nose leaves to be seen."""
SHOWN_FROM: Final = 2 / 3
"""A unit is named where it moves more than in two takes of three."""
JITTER: Final = 0.15
"""Standard deviation of what stands in for blur and bad light, over that of the unit: a choice,
since the pictures are not here."""


def seen_beside(
    clips: Sequence[Utterance],
    units: Mapping[str, NDArray[np.float32]],
    edges: NDArray[np.float64] | None = None,
    seed: int = 0,
) -> Seen:
    """The face of each clip: as it was, as through a bad camera, and half of it masked.

    Args:
        clips: recordings of voices.
        units: from `inference.training.action_units.read_action_units`.
        edges: (17,) from where on a unit is named; None takes the takes' own.
        seed: of the bad camera.

    Raises:
        NoActionUnitsError: a clip has no face.
    """
    takes = [clip.path.stem[3:] for clip in clips]  # the first field says voice or video
    lacking = [take for take in takes if take not in units]
    if lacking:
        raise NoActionUnitsError(
            f"{len(lacking)} of {len(clips)} recordings have no action units, {lacking[0]} first"
        )
    rows = np.array([units[take] for take in takes])
    intensities = rows[:, : len(ACTIONS)]
    edges = unit_edges(rows) if edges is None else edges
    shown = (intensities > edges) & (intensities > 0)
    chance = np.random.default_rng(seed)
    blurred = rows + JITTER * rows.std(axis=0) * chance.standard_normal(rows.shape)
    masked = rows.copy()
    masked[:, [name not in UPPER for name in (*ACTIONS, *_PRESENCES)]] = np.nan
    views = np.array([blurred, masked], dtype=np.float32)
    return Seen(rows, shown, tuple(ACTIONS.values()), views)


def unit_edges(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """(17,) intensities that two takes of three, of (takes, 35), stay below."""
    edges: NDArray[np.float64] = np.quantile(rows[:, : len(ACTIONS)], SHOWN_FROM, axis=0)
    return edges


_PRESENCES: Final = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12", "AU14", "AU15",
    "AU17", "AU20", "AU23", "AU25", "AU26", "AU28", "AU45",
)  # fmt: skip
"""Columns of whether a unit is there at all, behind those of intensity."""
