"""From the groups of some windows to the tensors that a network reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference.evidence import Features, Quality
from inference.fusion.batch import FusionBatch
from inference.fusion.groups import Group
from inference.fusion.reading import QUALITIES, Reading
from inference.labels import EMOTIONS, Modality

NOTHING: Final = Features.whole("", np.zeros(0, np.float32))
"""The numbers of a reading that asks for none."""
LEAST_WEIGHT: Final = 1e-6
"""Less is none: networks are trained in single precision, which must still tell it from 0."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A group that a network reads, and the numbers of the space that it was trained on."""

    group: Group
    features: Features


def what_is_read(groups: Sequence[Group], readings: Sequence[Reading]) -> dict[Modality, Read]:
    """By modality, what a network reads of a window; the rest must join another way.

    A group is read if it says anything, has weight, and holds finite numbers of the space of its
    reading. Of several such experts the first is read.
    """
    by_modality = {reading.modality: reading for reading in readings}
    found: dict[Modality, Read] = {}
    for group in groups:
        reading = by_modality.get(group.modality)
        if reading is None or not group.speaks or group.weight < LEAST_WEIGHT:
            continue
        features = next((one for one in group.features if _fits(one, reading)), None)
        features = features if reading.space else NOTHING
        if features is not None:
            found[group.modality] = Read(group, features)
    return found


def collate(
    windows: Sequence[Mapping[Modality, Read]],
    readings: Sequence[Reading],
    log_prior: Floats,
) -> FusionBatch:
    """The windows in double precision.

    Args:
        windows: each with `what_is_read` of it.
        readings: of the network, in its order.
        log_prior: (7,) of the deployment.
    """
    size = len(windows)
    shape = (size, len(readings))
    support = np.zeros((*shape, len(EMOTIONS)))
    distress, weight = np.zeros(shape), np.zeros(shape)
    quality = np.zeros((*shape, len(QUALITIES)))
    present = np.zeros(shape, np.bool_)
    vectors = [np.zeros((size, one.width)) for one in readings]
    tokens = [np.zeros((size, one.tokens, one.width)) for one in readings]
    token_present = [np.zeros((size, one.tokens), np.bool_) for one in readings]
    for row, window in enumerate(windows):
        for place, reading in enumerate(readings):
            if (found := window.get(reading.modality)) is None:
                continue
            group, features = found.group, found.features
            present[row, place] = True
            support[row, place] = group.support
            distress[row, place] = group.distress_log_odds or 0.0
            weight[row, place] = group.weight
            quality[row, place] = _known(group.quality, reading)
            vectors[place][row] = features.vector
            read = pooled(features.tokens, reading.tokens)
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
        log_prior=torch.from_numpy(log_prior),
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
