"""From the groups of some windows to the tensors that a network reads."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference.evidence import Features, Quality
from inference.fusion.batch import FusionBatch
from inference.fusion.groups import Group
from inference.fusion.reading import QUALITIES, Reading
from inference.labels import EMOTIONS

NOTHING: Final = Features.whole("", np.zeros(0, np.float32))
"""The numbers of a reading that asks for none."""
LEAST_WEIGHT: Final = 1e-6
"""Less is none: single precision must still tell it from 0."""

Floats = NDArray[np.floating]


def found_for(reading: Reading, group: Group) -> Features | None:
    """What of `group` the network reads; None where it must join another way.

    A group is read if it says anything, has weight, and holds finite numbers of the space
    that the network was trained on. Of several such experts the first is read.
    """
    if group.modality is not reading.modality or not group.speaks or group.weight < LEAST_WEIGHT:
        return None
    if not reading.space:
        return NOTHING
    return next((one for one in group.features if _fits(one, reading)), None)


def collate(
    windows: Sequence[Sequence[Group]],
    readings: Sequence[Reading],
    log_prior: Floats,
    size: int,
) -> FusionBatch:
    """The windows, and empty ones up to `size`: one shape whoever is in company.

    Args:
        windows: at most `size`, each with its groups.
        readings: of the network, in its order.
        log_prior: (7,) of the deployment.
        size: windows of the batch.
    """
    shape = (size, len(readings))
    support = np.zeros((*shape, len(EMOTIONS)), np.float32)
    distress, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    quality = np.zeros((*shape, len(QUALITIES)), np.float32)
    present = np.zeros(shape, np.bool_)
    vectors = [np.zeros((size, one.width), np.float32) for one in readings]
    tokens = [np.zeros((size, one.tokens, one.width), np.float32) for one in readings]
    token_present = [np.zeros((size, one.tokens), np.bool_) for one in readings]
    for row, groups in enumerate(windows):
        for place, reading in enumerate(readings):
            for group in groups:
                found = found_for(reading, group)
                if found is None:
                    continue
                present[row, place] = True
                support[row, place] = group.support
                distress[row, place] = group.distress_log_odds or 0.0
                weight[row, place] = group.weight
                quality[row, place] = _known(group.quality, reading)
                vectors[place][row] = found.vector
                read = pooled(found.tokens, reading.tokens)
                tokens[place][row, : len(read)] = read
                token_present[place][row, : len(read)] = True
    return FusionBatch(
        support=torch.from_numpy(support),
        distress=torch.from_numpy(distress),
        weight=torch.from_numpy(weight),
        quality=torch.from_numpy(quality),
        present=torch.from_numpy(present),
        vectors=tuple(torch.from_numpy(one) for one in vectors),
        tokens=tuple(torch.from_numpy(one) for one in tokens),
        token_present=tuple(torch.from_numpy(one) for one in token_present),
        log_prior=torch.from_numpy(log_prior.astype(np.float32)),
    )


def pooled(tokens: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """At most `most` tokens, (n, width): means of neighbours where there are more."""
    if len(tokens) <= most:
        return tokens
    return np.stack([part.mean(axis=0) for part in np.array_split(tokens, most)])


def _fits(features: Features, reading: Reading) -> bool:
    width = (reading.width,)
    return (
        features.space == reading.space
        and features.vector.shape == features.tokens.shape[1:] == width
        and len(features.tokens) > 0
        and bool(np.isfinite(features.vector).all() and np.isfinite(features.tokens).all())
    )


def _known(quality: Quality, reading: Reading) -> list[float]:
    """(quality,) with the usual one where it is unknown."""
    values = [getattr(quality, name) for name in QUALITIES]
    return [
        usual if value is None else value
        for value, usual in zip(values, reading.usual, strict=True)
    ]  # fmt: skip
