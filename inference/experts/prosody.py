"""The prosody of one window: pitch, melody, effort and pace of its own speech."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evidence import Prosody
from inference.experts.pace import pace_per_s
from inference.experts.pitch import pitch_semitones
from inference.experts.speech_effort import vocal_effort_db
from inference.experts.voice_activity import Voicing
from inference.score import DECIMALS
from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ

LEAST_VOICED_FRAMES: Final = 10
"""A third of a second with a pitch: below it a median is one vowel."""
HALF_OCTAVE_SEMITONES: Final = 6.0


def prosody_of(samples: NDArray[np.float32], voicing: Voicing, start_ns: int) -> Prosody:
    """Measure the speech of one window; about 2 ms.

    Level is left out: a line with gain control sets it, not the voice. Everything is
    rounded as scores are, since a participant's state is built on it.

    Args:
        samples: (samples,) float32 at 16 kHz.
        voicing: of the same samples, with at least one span.
        start_ns: event time of the first sample.
    """
    pitch = pitch_semitones(samples, voicing)
    median = float(np.median(pitch)) if len(pitch) >= LEAST_VOICED_FRAMES else None
    return Prosody(
        pitch_semitones=_rounded(median),
        melody_semitones=_rounded(None if median is None else _melody(pitch, median)),
        effort_db=_rounded(vocal_effort_db(samples, voicing)),
        pace_per_s=_rounded(pace_per_s(samples, voicing)),
        spoken_ns=tuple(
            (_at_ns(start_ns, span.start), _at_ns(start_ns, span.end)) for span in voicing.spans
        ),
    )


def _melody(pitch: NDArray[np.float64], median: float) -> float | None:
    """Standard deviation of the frames within half an octave of the median.

    A frame taken for an octave too low or high would count as a leap otherwise: on a telephone
    line the spread of all frames varies three times as much from window to window. None where
    half of the frames lie an octave above the other half, and none of them near the middle.
    """
    near = pitch[np.abs(pitch - median) < HALF_OCTAVE_SEMITONES]
    return float(near.std()) if len(near) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)


def _at_ns(start_ns: int, sample: int) -> int:
    return start_ns + sample * SECOND_NS // SPEECH_RATE_HZ
