"""Vocal effort: how raised a voice is, whatever the volume of the line. For cues, not scores."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.experts.voice_activity import Voicing
from inference.experts.voiced_spectrum import Band, band_ratio_db

LOW_BAND_HZ: Final[Band] = (300.0, 1_000.0)
HIGH_BAND_HZ: Final[Band] = (1_000.0, 3_400.0)
"""Both bands lie inside what a telephone line passes."""
NOTABLE_SD: Final = 1.5
"""A cue is worth reading from here: one neutral sentence in about fifteen on either side."""


@dataclass(frozen=True, slots=True)
class EffortReference:
    """Effort of neutral speech in the training data.

    Attributes:
        mean_db: of `vocal_effort_db`.
        sd_db: of the same, over sentences of several speakers.
    """

    mean_db: float
    sd_db: float

    @classmethod
    def of(cls, efforts_db: NDArray[np.float64]) -> Self:
        """From the efforts of neutral recordings, (recordings,), two or more."""
        return cls(float(efforts_db.mean()), float(efforts_db.std(ddof=1)))

    def cue(self, effort_db: float) -> str | None:
        """What a reader is told; None where the voice is as in neutral speech."""
        distance = (effort_db - self.mean_db) / self.sd_db
        if abs(distance) < NOTABLE_SD:
            return None
        kind = "raised" if distance > 0 else "soft"
        return f"{kind} voice ({distance:+.1f} sd of effort against neutral speech)"


def vocal_effort_db(samples: NDArray[np.float32], voicing: Voicing) -> float:
    """Power from 1 to 3.4 kHz over power from 300 Hz to 1 kHz while somebody speaks, dB.

    Source: the alpha ratio (Sundberg and Nordenberg 2006: louder speech gains more above
    1 kHz than below). Departure: both bands stay inside the telephone's.

    Args:
        samples: (samples,) float32 at 16 kHz.
        voicing: of the same samples, with at least one span.
    """
    return band_ratio_db(samples, voicing, HIGH_BAND_HZ, LOW_BAND_HZ)
