"""`late`: an expert counts by how much of the window it could read."""

from dataclasses import dataclass
from typing import Final

from inference.evidence import Evidence

FULL_WEIGHT: Final = 0.85
"""Below 1: modalities of one moment are not independent, and a plain product is too sure."""
FULL_SHARE: Final = 0.5
"""From this present share on an expert has its full weight."""


@dataclass(frozen=True, slots=True)
class LateWeighting:
    """Full weight from half a window on, never over the expert's own limit."""

    name: str = "late"

    def __call__(self, evidence: Evidence) -> float:
        """Weight of `evidence`; an unknown present share counts as a full one."""
        return min(evidence.weight_limit, FULL_WEIGHT * heard(evidence.quality.present_share))


def heard(present_share: float | None) -> float:
    """How far a present share carries, in [0, 1]."""
    return 1.0 if present_share is None else min(1.0, present_share / FULL_SHARE)
