"""What is assumed before anything is heard or seen: settings of a deployment, not findings."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.labels import EMOTIONS, Emotion

NEUTRAL_SHARE: Final = 0.6
"""Most seconds of most calls are neutral; the other labels share the rest evenly."""
DISTRESS_BASE_RATE: Final = 0.1


@dataclass(frozen=True, slots=True)
class DeploymentPrior:
    """How often each thing is met on these calls.

    Attributes:
        neutral_share: of all windows, above 0 and below 1; the other labels share the rest.
        distress_base_rate: share of windows in distress, above 0 and below 1.
    """

    neutral_share: float = NEUTRAL_SHARE
    distress_base_rate: float = DISTRESS_BASE_RATE

    @property
    def log_shares(self) -> NDArray[np.float64]:
        """(7,) natural log of each label's share, in the order of `EMOTIONS`."""
        rest = (1 - self.neutral_share) / (len(EMOTIONS) - 1)
        shares = [self.neutral_share if label is Emotion.NEUTRAL else rest for label in EMOTIONS]
        logs: NDArray[np.float64] = np.log(np.array(shares))
        return logs

    @property
    def distress_log_odds(self) -> float:
        """Natural log odds of the base rate."""
        return float(np.log(self.distress_base_rate / (1 - self.distress_base_rate)))


DEFAULT_PRIOR: Final = DeploymentPrior()
EVEN_PRIOR: Final = DeploymentPrior(neutral_share=1 / len(EMOTIONS), distress_base_rate=0.5)
"""What experts are calibrated against; for judging on balanced data, never for a service."""
