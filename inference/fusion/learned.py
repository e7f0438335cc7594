"""A trained network as a fuser, with the product for whatever it was not trained on."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference.calibration.patterns import PatternCalibration, pattern_of
from inference.evidence import Evidence
from inference.fusion.collate import Read, collate, what_is_read
from inference.fusion.contract import Fused
from inference.fusion.groups import Group, shares_of
from inference.fusion.network import FusionNetwork
from inference.fusion.product import conflict, product, vacuity
from inference.fusion.product_fuser import ProductFuser, logistic
from inference.labels import Modality

BATCH: Final = 16
"""Most windows of a batch: larger ones are no cheaper a window, and hold more memory."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LearnedFuser:
    """log p = log prior + network(what it reads) + sum of w_g s_g over the rest, calibrated.

    The rest are modalities that the network was not trained on, or whose evidence holds numbers
    of another space, or none: they join by the product rule. Where the network reads nothing, or
    its numbers overflow, the product speaks alone, with its own calibration. A modality's share
    is the network's, times the weight of what it reads over all weight. Vacuity and conflict are
    always the product's: they are formulas, not findings.

    A window's score must be the same alone, in company and on another machine, and kernels add up
    in an order that depends on all three. In double precision that moves an answer by some 1e-14,
    which no score shows; in single precision it moved the fourth decimal now and then.

    Attributes:
        network: in evaluation mode and double precision.
        core: the product.
        calibration: of the network's answers.
        version: as published in every score.
    """

    network: FusionNetwork
    core: ProductFuser
    calibration: PatternCalibration
    version: str

    def fuse(self, evidence: Sequence[Evidence]) -> Fused:
        """What `evidence` says together.

        Raises:
            ValueError: there is no evidence.
        """
        return self.fuse_many([evidence])[0]

    def fuse_many(self, windows: Sequence[Sequence[Evidence]]) -> list[Fused]:
        """Several windows, each as `fuse` gives it alone.

        Raises:
            ValueError: a window has no evidence.
        """
        voices = [self.core.groups(evidence) for evidence in windows]
        read = [what_is_read(groups, self.network.readings) for groups in voices]
        fused = {
            index: self.core.combine(groups)
            for index, groups in enumerate(voices)
            if not read[index]
        }
        asked = [index for index, found in enumerate(read) if found]
        for first in range(0, len(asked), BATCH):
            indices = asked[first : first + BATCH]
            chunk = [(voices[index], read[index]) for index in indices]
            fused.update(zip(indices, self._ask(chunk), strict=True))
        return [fused[index] for index in range(len(windows))]

    def _ask(
        self, windows: Sequence[tuple[Sequence[Group], Mapping[Modality, Read]]]
    ) -> list[Fused]:
        """At most `BATCH` windows of which the network reads anything."""
        prior = self.core.prior.log_shares
        batch = collate([read for _, read in windows], self.network.readings, prior)
        with torch.inference_mode():
            said = self.network.say(batch)  # it holds zeros wherever nothing is present
        added = said.added.numpy()  # (batch, label)
        distress = said.added_distress.numpy()  # (batch,)
        shares = None if said.shares is None else said.shares.numpy()
        sound = np.isfinite(added).all(axis=1) & np.isfinite(distress)
        return [
            self._join(
                groups,
                read.keys(),
                _Answer(added[row], float(distress[row]), None if shares is None else shares[row]),
            )
            if sound[row]
            else self.core.combine(groups)
            for row, (groups, read) in enumerate(windows)
        ]

    def _join(
        self, groups: Sequence[Group], read: AbstractSet[Modality], answer: "_Answer"
    ) -> Fused:
        """What the network says, and the product of what it leaves to it."""
        weights = np.array([group.weight for group in groups])
        support = np.stack([group.support for group in groups])  # (group, label)
        left = np.array([self.network.adds_to_core or one.modality not in read for one in groups])
        pattern = pattern_of([group.modality for group in groups])
        log_probs = product(self.core.prior.log_shares + answer.added, support, weights * left)
        log_odds = self._distress(groups, read, answer.distress)
        return Fused(
            log_probs=self.calibration.apply(pattern, log_probs),
            distress=None if log_odds is None else logistic(log_odds),
            shares=self._shares(groups, read, answer.shares),
            conflict=conflict(support),
            vacuity=vacuity(support, weights),
            pattern=pattern,
        )

    def _distress(
        self, groups: Sequence[Group], read: AbstractSet[Modality], added: float
    ) -> float | None:
        """Log odds, or None where they are the product's and nobody has a say in them."""
        if self.network.distress_of_core:
            log_odds = self.core.distress_log_odds(groups)
            return None if log_odds is None else log_odds + added
        rest = self.core.distress_log_odds([one for one in groups if one.modality not in read])
        return (self.core.prior.distress_log_odds if rest is None else rest) + added

    def _shares(
        self, groups: Sequence[Group], read: AbstractSet[Modality], own: Floats | None
    ) -> dict[Modality, float]:
        shares = shares_of(groups)
        if own is None:
            return shares
        whole = sum(shares[modality] for modality in read)
        for reading, share in zip(self.network.readings, own / own.sum(), strict=True):
            if reading.modality in read:
                shares[reading.modality] = whole * float(share)
        return shares


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """A row of `Said`."""

    added: Floats
    distress: float
    shares: Floats | None
