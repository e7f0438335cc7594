"""`adaptive`: an expert counts by how good its input was."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from inference.evidence import Evidence, Quality
from inference.fusion.late import FULL_WEIGHT, heard
from inference.labels import Modality

MOST: Final = 1.5
FULL_LOGIT: Final = math.log(math.expm1(FULL_WEIGHT))
"""softplus of this is the full weight."""
FITTED: Final = ("level", "confidence")
"""Qualities with a slope. `present_share` acts as in `late`; `freshness` has had no data."""


class QualitySlopes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast one modality loses weight with its quality.

    Attributes:
        slopes: per quality of `FITTED`, at least 0.
        usual: what stands in for a quality that is unknown: its mean in training.
    """

    slopes: dict[str, float] = {}
    usual: dict[str, float] = {}

    def __post_init__(self) -> None:
        """Refuse slopes that would reward bad input."""
        for name, slope in self.slopes.items():
            if name not in FITTED or slope < 0:
                raise ValueError(f"slope {name}={slope}: slopes are at least 0 and one of {FITTED}")


@dataclass(frozen=True, slots=True)
class AdaptiveWeighting:
    """Late weights, scaled by w(q) = clip(softplus(a + u.q), 0, 1.5) over its value at q = 1.

    At best quality it is the late weight exactly. u is at least 0, so worse quality never
    raises a weight.
    """

    slopes: Mapping[Modality, QualitySlopes]
    name: str = "adaptive"

    def __call__(self, evidence: Evidence) -> float:
        """Weight of `evidence`."""
        slopes = self.slopes.get(evidence.modality, QualitySlopes())
        full = FULL_WEIGHT * heard(evidence.quality.present_share)
        return min(evidence.weight_limit, full * trust(evidence.quality, slopes))


def trust(quality: Quality, slopes: QualitySlopes) -> float:
    """Share of the full weight that input of this quality deserves, in [0, 1]."""
    lost = sum(
        slope * (1.0 - _known(getattr(quality, name), slopes.usual.get(name, 1.0)))
        for name, slope in slopes.slopes.items()
    )
    weight = math.log1p(math.exp(FULL_LOGIT - lost))
    return min(MOST, weight) / FULL_WEIGHT


def _known(value: float | None, usual: float) -> float:
    return usual if value is None else value
