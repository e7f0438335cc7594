"""The calibrated product of whatever experts are present: `late`, `adaptive`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.calibration.patterns import IDENTITY, PatternCalibration, pattern_of
from inference.evidence import Evidence
from inference.fusion.contract import Fused
from inference.fusion.prior import DEFAULT_PRIOR, DeploymentPrior
from inference.fusion.product import conflict, grouped, product, speaks, vacuity
from inference.labels import EMOTIONS, MODALITIES, Modality

Floats = NDArray[np.float64]


class Weighting(Protocol):
    """How much a piece of evidence counts."""

    @property
    def name(self) -> str:
        """As published in every score."""
        ...

    def __call__(self, evidence: Evidence) -> float:
        """At least 0, at most `evidence.weight_limit`."""
        ...


@dataclass(frozen=True, slots=True)
class ProductFuser:
    """A calibrated product of whatever experts are present.

    Experts are calibrated apart and never trained together, so a missing one is simply not
    multiplied: the others say what they would have said alone. Experts of one modality are
    one group with one vote (see `grouped`).
    """

    weigh: Weighting
    prior: DeploymentPrior = DEFAULT_PRIOR
    calibration: PatternCalibration = IDENTITY
    version: str = "uncalibrated"
    """As published in every score."""

    def fuse(self, evidence: Sequence[Evidence]) -> Fused:
        """Multiply the experts into the deployment prior.

        Distress follows the same rule on log odds. An expert contributes nothing to a label
        that it does not know.

        Args:
            evidence: at least one, in any order.

        Raises:
            ValueError: there is no evidence.
        """
        if not evidence:
            raise ValueError("no evidence: a window in which nothing is present is not fused")
        groups = [self._group(items) for items in _by_modality(evidence)]
        modalities = [group.modality for group in groups]
        weights = np.array([group.weight for group in groups])
        support = np.stack([group.support for group in groups])  # (group, label)
        pattern = pattern_of(modalities)
        fused = product(self.prior.log_shares, support, weights)
        return Fused(
            log_probs=self.calibration.apply(pattern, fused),
            distress=self._distress(groups),
            shares=_shares(groups),
            conflict=conflict(support),
            vacuity=vacuity(support, weights),
            pattern=pattern,
        )

    def fuse_many(self, windows: Sequence[Sequence[Evidence]]) -> list[Fused]:
        """Each window by itself, in order."""
        return [self.fuse(evidence) for evidence in windows]

    def _group(self, items: Sequence[Evidence]) -> "_Group":
        """Those that say anything, as one voice; where nobody does, all of them."""
        voices = [item for item in items if _says_anything(item)]
        counted = voices or items
        odds = [item.distress_log_odds for item in counted if item.distress_log_odds is not None]
        return _Group(
            modality=items[0].modality,
            speaks=bool(voices),
            weight=max(self.weigh(item) for item in counted),
            support=grouped(np.stack([support_of(item) for item in counted])),
            distress_log_odds=sum(odds) / len(odds) if odds else None,
        )

    def _distress(self, groups: Sequence["_Group"]) -> float | None:
        voices = [group for group in groups if group.distress_log_odds is not None]
        if not voices:
            return None
        log_odds = self.prior.distress_log_odds
        log_odds += sum(group.weight * (group.distress_log_odds or 0.0) for group in voices)
        return float(1 / (1 + np.exp(-log_odds)))


def support_of(evidence: Evidence) -> Floats:
    """(7,) log of the expert's probability over its even prior; 0 for labels it never saw."""
    support = np.zeros(len(EMOTIONS))
    for label, log_prob in zip(evidence.labels, evidence.log_probs, strict=True):
        support[EMOTIONS.index(label)] = log_prob + np.log(len(evidence.labels))
    return support


def _says_anything(evidence: Evidence) -> bool:
    """Whether the expert holds some label, or distress, for likelier than its even prior."""
    return bool(speaks(support_of(evidence))) or bool(evidence.distress_log_odds)


@dataclass(frozen=True, slots=True)
class _Group:
    """All experts of one modality as one voice."""

    modality: Modality
    speaks: bool
    weight: float
    support: Floats
    distress_log_odds: float | None


def _by_modality(evidence: Sequence[Evidence]) -> list[list[Evidence]]:
    """In one order whatever the order of arrival, so that sums have the same bits."""
    ordered = sorted(
        evidence,
        key=lambda item: (
            MODALITIES.index(item.modality),
            item.expert,
            item.labels,
            item.log_probs.tolist(),
        ),
    )
    return [list(items) for _, items in groupby(ordered, key=lambda item: item.modality)]


def _shares(groups: Sequence[_Group]) -> dict[Modality, float]:
    """Weights of those that say anything over their sum; of all where nobody does."""
    heard = any(group.speaks for group in groups)
    weights = np.array([group.weight if group.speaks or not heard else 0.0 for group in groups])
    total = weights.sum()
    shares = weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
    return dict(zip((group.modality for group in groups), shares.tolist(), strict=True))
