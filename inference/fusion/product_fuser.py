"""The calibrated product of whatever experts are present: `late`, `adaptive`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from inference.calibration.patterns import IDENTITY, PatternCalibration, pattern_of
from inference.evidence import Evidence
from inference.fusion.contract import Fused
from inference.fusion.groups import Group, groups_of, shares_of
from inference.fusion.prior import DEFAULT_PRIOR, DeploymentPrior
from inference.fusion.product import conflict, product, vacuity


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
        return self.combine(self.groups(evidence))

    def fuse_many(self, windows: Sequence[Sequence[Evidence]]) -> list[Fused]:
        """Each window by itself, in order."""
        return [self.fuse(evidence) for evidence in windows]

    def groups(self, evidence: Sequence[Evidence]) -> list[Group]:
        """The voices of a window, with the weights of this fuser.

        Raises:
            ValueError: there is no evidence.
        """
        if not evidence:
            raise ValueError("no evidence: a window in which nothing is present is not fused")
        return groups_of(evidence, self.weigh)

    def combine(self, groups: Sequence[Group]) -> Fused:
        """What the voices of a window say together."""
        weights = np.array([group.weight for group in groups])
        support = np.stack([group.support for group in groups])  # (group, label)
        pattern = pattern_of([group.modality for group in groups])
        fused = product(self.prior.log_shares, support, weights)
        log_odds = self.distress_log_odds(groups)
        return Fused(
            log_probs=self.calibration.apply(pattern, fused),
            distress=None if log_odds is None else logistic(log_odds),
            shares=shares_of(groups),
            conflict=conflict(support),
            vacuity=vacuity(support, weights),
            pattern=pattern,
        )

    def distress_log_odds(self, groups: Sequence[Group]) -> float | None:
        """Prior log odds and what each group adds; None where none has a say in it."""
        voices = [group for group in groups if group.distress_log_odds is not None]
        if not voices:
            return None
        said = sum(group.weight * (group.distress_log_odds or 0.0) for group in voices)
        return self.prior.distress_log_odds + said


def logistic(log_odds: float) -> float:
    """Probability of natural log odds."""
    return float(1 / (1 + np.exp(-log_odds)))
