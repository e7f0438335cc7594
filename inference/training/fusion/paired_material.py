"""From parts and pairs to what a fuser is trained on."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference.fusion.batch import FusionBatch
from inference.fusion.reading import Reading
from inference.labels import EMOTIONS, MODALITIES, Modality
from inference.training.fusion.material import FusionMaterial, one_hot, sides
from inference.training.paired import Pairs, Part

EVEN: Final = torch.full((len(EMOTIONS),), 1 / len(EMOTIONS)).log()


def modalities_of(pairs: Pairs) -> tuple[Modality, ...]:
    """Those that items have, in the one order."""
    return tuple(modality for modality in MODALITIES if modality in pairs.parts)


def readings_of(pairs: Pairs) -> tuple[Reading, ...]:
    """One vector of each modality."""
    return tuple(
        Reading(modality=one, space=pairs.parts[one].space, width=pairs.parts[one].vectors.shape[1])
        for one in modalities_of(pairs)
    )


def material_of(pairs: Pairs, random: np.random.Generator) -> FusionMaterial:
    """Items under an even prior; each has one of its other forms as its view.

    Items whose modalities are all there. Quality is at its best: the forms of a part have their
    own vectors, but one opinion.

    Args:
        pairs: see there.
        random: draws the views.
    """
    modalities = modalities_of(pairs)
    parts = [pairs.parts[one] for one in modalities]
    rows = [pairs.rows[:, MODALITIES.index(one)] for one in modalities]
    vectors = [part.vectors[chosen] for part, chosen in zip(parts, rows, strict=True)]
    views = [_view(part, chosen, random) for part, chosen in zip(parts, rows, strict=True)]
    viewed = [bool(part.views) for part in parts]
    truth = np.array([EMOTIONS.index(label) for label in pairs.truth])
    return FusionMaterial(
        modalities=modalities,
        batch=_batch(parts, rows, vectors, [True] * len(parts)),
        targets=one_hot(truth, len(EMOTIONS)),
        distress=sides(pairs.truth.tolist()),
        speakers=pairs.groups,
        views=_batch(parts, rows, views, viewed) if any(viewed) else None,
    )


def _view(part: Part, rows: NDArray[np.intp], random: np.random.Generator) -> NDArray[np.float32]:
    """(n, size) of each item one of its other forms; itself where it has none."""
    forms = list(part.views.values()) or [part.vectors]
    chosen = random.integers(len(forms), size=len(rows))
    return np.stack(forms)[chosen, rows]


def _batch(
    parts: Sequence[Part],
    rows: Sequence[NDArray[np.intp]],
    vectors: Sequence[NDArray[np.float32]],
    there: Sequence[bool],
) -> FusionBatch:
    pairs = list(zip(parts, rows, strict=True))
    present = np.tile(np.array(there), (len(rows[0]), 1))
    return FusionBatch.of_vectors(
        torch.from_numpy(np.stack([part.support[chosen] for part, chosen in pairs], 1)).float(),
        torch.from_numpy(present),
        [torch.from_numpy(one) for one in vectors],
        log_prior=EVEN,
        distress=torch.from_numpy(
            np.stack([part.distress[chosen] for part, chosen in pairs], 1)
        ).float(),
    )
