"""`adaptive`: an expert counts by how good its input was."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from inference.evidence import Evidence, Quality
from inference.fusion.late import FULL_WEIGHT, LateWeighting
from inference.labels import Modality

LATE: Final = LateWeighting()
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
    """Late weights, lowered where the input is worse than usual.

    The factor is softplus(a + u.q) over its value at the usual quality, 1 at most: late weights
    were chosen with usual input, and better input has not been seen to deserve more. u is at
    least 0, so worse quality never raises a weight. It takes from the expert's own limit, too:
    a rule that may count .3 counts less on a blurred face.
    """

    slopes: Mapping[Modality, QualitySlopes]
    name: str = "adaptive"

    def __call__(self, evidence: Evidence) -> float:
        """Weight of `evidence`."""
        slopes = self.slopes.get(evidence.modality, QualitySlopes())
        return LATE(evidence) * trust(evidence.quality, slopes)


def trust(quality: Quality, slopes: QualitySlopes) -> float:
    """Share of the late weight that input of this quality deserves, in [0, 1]."""
    usual = Quality(**{name: slopes.usual.get(name) for name in FITTED})
    return min(1.0, _weight(quality, slopes) / _weight(usual, slopes))


def _weight(quality: Quality, slopes: QualitySlopes) -> float:
    lost = sum(
        slope * (1.0 - _known(getattr(quality, name), slopes.usual.get(name, 1.0)))
        for name, slope in slopes.slopes.items()
    )
    return math.log1p(math.exp(FULL_LOGIT - lost))


def _known(value: float | None, usual: float) -> float:
    return usual if value is None else value
