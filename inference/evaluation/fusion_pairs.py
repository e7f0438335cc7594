"""Judge ways of fusing on real pairs: voice and face of the same takes, actors never met.

Takes of RAVDESS: the voice as our encoder reads it, and the mean action units of the face, each
with a head that never met the actor. The opinions that a network learns from come from heads
whose folds are others than those of the network, so it may have met a trace of the actors that
it is judged on: in its favour, never in that of the product.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.calibration.patterns import pattern_of
from inference.evaluation.calibrated_fit import CalibratedFit
from inference.evaluation.fusion_ravdess import DROP_RATES, MASKS, PATTERNS, drop
from inference.evaluation.row_recipes import RowRecipe
from inference.evaluation.rows import CalibratedRows, Columns, Floats, Rows, by_pattern
from inference.fusion.product import log_normalised
from inference.labels import EMOTIONS, MODALITIES
from inference.training.paired import Pairs
from inference.training.speaker_folds import speaker_folds

ACTORS_TOGETHER: Final = 6
"""Of 24: four folds."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPairs:
    """Predictions for takes whose actors nothing was fitted on.

    Attributes:
        truth: (n,) columns of `EMOTIONS`.
        actors: (n,) who is heard and seen.
        fused: by pattern, (n, 7) log-probabilities.
        dropped: by drop rate, then mask: (n, 7).
    """

    truth: Columns
    actors: NDArray[np.str_]
    fused: Mapping[str, Floats]
    dropped: tuple[tuple[Floats, ...], ...]


def judge_pairs(pairs: Pairs, recipe: RowRecipe) -> JudgedPairs:
    """Fuse every take by what was fitted on the actors of other folds."""
    rows = pair_rows(pairs)
    truth = np.array([EMOTIONS.index(label) for label in pairs.truth])
    fused = {pattern_of(one): np.empty((rows.n, len(EMOTIONS))) for one in PATTERNS}
    for held_out in speaker_folds(pairs.groups, ACTORS_TOGETHER):
        fit = _fit(recipe, rows, truth, pairs.groups, ~held_out)
        for pattern, log_probs in fit.fused(rows.of(held_out)).items():
            fused[pattern][held_out] = log_probs
    dropped = tuple(
        tuple(by_pattern(fused, drop(rows.n, rate, [number, mask])) for mask in range(MASKS))
        for number, rate in enumerate(DROP_RATES)
    )
    return JudgedPairs(truth, pairs.groups, fused, dropped)


def pair_rows(pairs: Pairs) -> CalibratedRows:
    """What the heads say of each item, and what they read; all modalities are there."""
    modalities = [one for one in MODALITIES if one in pairs.parts]
    places = {one: pairs.rows[:, MODALITIES.index(one)] for one in modalities}
    return CalibratedRows(
        {one: log_normalised(pairs.parts[one].support[rows]) for one, rows in places.items()},
        np.full(len(EMOTIONS), -np.log(len(EMOTIONS))),
        {one: pairs.parts[one].vectors[rows].astype(float) for one, rows in places.items()},
    )


def _fit(
    recipe: RowRecipe,
    rows: CalibratedRows,
    truth: Columns,
    actors: NDArray[np.str_],
    known: Rows,
) -> CalibratedFit:
    return CalibratedFit.fit(recipe, rows.of(known), truth[known], actors[known], PATTERNS)
