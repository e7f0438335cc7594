"""Experts of one modality as one voice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from inference.evidence import Evidence, Features, Quality
from inference.fusion.product import grouped, speaks
from inference.labels import EMOTIONS, MODALITIES, Modality

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """All experts of one modality as one voice: those that say anything, or all if nobody does.

    Attributes:
        speaks: whether any of them says anything.
        weight: the largest of theirs.
        support: (label,) in the order of `EMOTIONS`, see `product.grouped`.
        distress_log_odds: mean of those that have a say in it; None if nobody has.
        quality: the best that is known, part by part.
        features: what they read as numbers, in the one order of experts.
    """

    modality: Modality
    speaks: bool
    weight: float
    support: Floats
    distress_log_odds: float | None
    quality: Quality
    features: tuple[Features, ...]


def groups_of(evidence: Sequence[Evidence], weigh: Callable[[Evidence], float]) -> list[Group]:
    """A group for each modality, in one order whatever the order of arrival.

    So sums have the same bits. An expert that says nothing, or is there twice, changes nothing.
    """
    ordered = sorted(evidence, key=_place)
    return [
        _group(list(items), weigh) for _, items in groupby(ordered, key=lambda item: item.modality)
    ]


def shares_of(groups: Sequence[Group]) -> dict[Modality, float]:
    """Weights of those that say anything over their sum; of all where nobody does."""
    heard = any(group.speaks for group in groups)
    weights = np.array([group.weight if group.speaks or not heard else 0.0 for group in groups])
    total = weights.sum()
    shares = weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
    return dict(zip((group.modality for group in groups), shares.tolist(), strict=True))


def support_of(evidence: Evidence) -> Floats:
    """(7,) log of the expert's probability over its even prior; 0 for labels it never saw."""
    support = np.zeros(len(EMOTIONS))
    for label, log_prob in zip(evidence.labels, evidence.log_probs, strict=True):
        support[EMOTIONS.index(label)] = log_prob + np.log(len(evidence.labels))
    return support


def _group(items: Sequence[Evidence], weigh: Callable[[Evidence], float]) -> Group:
    voices = [item for item in items if _says_anything(item)]
    counted = voices or items
    odds = [item.distress_log_odds for item in counted if item.distress_log_odds is not None]
    return Group(
        modality=items[0].modality,
        speaks=bool(voices),
        weight=max(weigh(item) for item in counted),
        support=grouped(np.stack([support_of(item) for item in counted])),
        distress_log_odds=sum(odds) / len(odds) if odds else None,
        quality=_best([item.quality for item in counted]),
        features=tuple(item.features for item in counted if item.features is not None),
    )


def _says_anything(evidence: Evidence) -> bool:
    """Whether the expert holds some label, or distress, for likelier than its even prior."""
    return bool(speaks(support_of(evidence))) or bool(evidence.distress_log_odds)


def _place(item: Evidence) -> tuple[object, ...]:
    """Where an expert stands among others; two that stand in one place say the same."""
    return (
        MODALITIES.index(item.modality),
        item.expert,
        item.labels,
        item.log_probs.tolist(),
        b"" if item.features is None else item.features.tokens.tobytes(),
    )


def _best(qualities: Sequence[Quality]) -> Quality:
    found: Mapping[str, list[float]] = {
        part.name: [
            value for one in qualities if (value := getattr(one, part.name)) is not None
        ]
        for part in fields(Quality)
    }  # fmt: skip
    return Quality(**{name: max(values) for name, values in found.items() if values})
