"""Which line a voice came over: one that passes four kilohertz, or one that does not."""

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.experts.voice_activity import Voicing
from inference.experts.voiced_spectrum import Band, band_ratio_db

VOICE_BAND_HZ: Final[Band] = (300.0, 3_400.0)
BEYOND_HZ: Final[Band] = (4_750.0, 7_750.0)
"""Telephones end at 3.4 kHz and recordings at 8 kHz sampling at 4; a little above, the slopes
of resamplers let something through."""
TELEPHONE_DB: Final = -50.0
"""Below this, the band beyond holds rounding and no voice: in the middle of the gap between the
lines of 12 000 recordings (-61 dB at most) and those of wideband (-41 dB at least)."""


class Line(StrEnum):
    """What a voice came over."""

    WIDEBAND = "wideband"
    TELEPHONE = "telephone"


def line_of(beyond: float) -> Line:
    """The line by `beyond_db`."""
    return Line.TELEPHONE if beyond < TELEPHONE_DB else Line.WIDEBAND


def beyond_db(samples: NDArray[np.float32], voicing: Voicing) -> float:
    """Power from 4.75 to 7.75 kHz over power from 300 Hz to 3.4 kHz while somebody speaks, dB.

    Args:
        samples: (samples,) float32 at 16 kHz; how loud they are does not matter.
        voicing: of the same samples.
    """
    return band_ratio_db(samples, voicing, BEYOND_HZ, VOICE_BAND_HZ)
