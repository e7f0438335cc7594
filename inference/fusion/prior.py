"""What is assumed before anything is heard or seen: settings of a deployment, not findings."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.labels import EMOTIONS, Emotion

NEUTRAL_SHARE: Final = 0.6
"""Most seconds of most calls are neutral; the other labels share the rest evenly."""
DISTRESS_BASE_RATE: Final = 0.1


def log_prior() -> NDArray[np.float64]:
    """(7,) natural log of the deployment prior, in the order of `EMOTIONS`."""
    rest = (1 - NEUTRAL_SHARE) / (len(EMOTIONS) - 1)
    shares = [NEUTRAL_SHARE if label is Emotion.NEUTRAL else rest for label in EMOTIONS]
    logs: NDArray[np.float64] = np.log(np.array(shares))
    return logs
