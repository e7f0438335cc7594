"""What the present experts say together, and who works it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.calibration.patterns import PatternCalibration
from inference.evidence import Evidence
from inference.labels import Modality

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fused:
    """What the present experts say together.

    Attributes:
        log_probs: (7,) natural log, sums to one in probability, in the order of `EMOTIONS`.
        distress: probability, or None where no present expert has a calibrated say in it.
        shares: how much of the weight each present modality had; sums to 1. One that says
            nothing has none, unless nobody says anything.
        conflict: Jensen-Shannon divergence of the modalities that say anything, nats.
        vacuity: 1 where nothing supports any label.
        pattern: which modalities were present.
    """

    log_probs: Floats
    distress: float | None
    shares: Mapping[Modality, float]
    conflict: float
    vacuity: float
    pattern: str


class Fuser(Protocol):
    """A way of fusing. Owned by the scorer, implemented in this package."""

    @property
    def version(self) -> str:
        """As published in every score."""
        ...

    @property
    def calibration(self) -> PatternCalibration:
        """Thresholds of the sets, by pattern of present modalities."""
        ...

    def fuse(self, evidence: Sequence[Evidence]) -> Fused:
        """What `evidence`, at least one and in any order, says together.

        Raises:
            ValueError: there is no evidence.
        """
        ...

    def fuse_many(self, windows: Sequence[Sequence[Evidence]]) -> list[Fused]:
        """Several windows, each as `fuse` gives it alone."""
        ...
