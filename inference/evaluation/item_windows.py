"""Items as the windows that the service would make of them."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.labels import Role
from inference.units import SECOND_NS
from inference.window import (
    SPEECH_RATE_HZ,
    AudioSpan,
    CameraFrame,
    TextSpan,
    WindowInput,
)

LENGTH_NS: Final = 3 * SECOND_NS
HOP_NS: Final = SECOND_NS


def sound_windows(samples: NDArray[np.float32]) -> list[WindowInput]:
    """Every window of a recording, (samples,) at 16 kHz, as in `starts`."""
    duration_ns = len(samples) * SECOND_NS // SPEECH_RATE_HZ
    step, length = (span * SPEECH_RATE_HZ // SECOND_NS for span in (HOP_NS, LENGTH_NS))
    return [
        _window(start_ns, audio=(AudioSpan(start_ns, samples[at * step : at * step + length]),))
        for at, start_ns in enumerate(starts(duration_ns))
    ]


def text_window(text: str, language: str = "und") -> WindowInput:
    """All words at once, with nothing said before."""
    return _window(0, words=(TextSpan(0, LENGTH_NS, text, language),))


def picture_windows(frames: list[CameraFrame]) -> list[WindowInput]:
    """Every window of the pictures of one camera, the first at time zero, ascending."""
    newest_ns = frames[-1].captured_ns + 1 if frames else 0
    return [
        _window(
            start_ns,
            frames=tuple(f for f in frames if start_ns <= f.captured_ns < start_ns + LENGTH_NS),
        )
        for start_ns in starts(newest_ns)
    ]


def starts(duration_ns: int) -> range:
    """Starts of the windows of 3 s, one a second, from zero until one reaches `duration_ns`.

    Only the last may run past the end; anything shorter than a window is one window.
    """
    hops = max(0, math.ceil((duration_ns - LENGTH_NS) / HOP_NS))
    return range(0, hops * HOP_NS + 1, HOP_NS)


def _window(
    start_ns: int,
    *,
    audio: tuple[AudioSpan, ...] = (),
    words: tuple[TextSpan, ...] = (),
    frames: tuple[CameraFrame, ...] = (),
) -> WindowInput:
    return WindowInput(
        tenant="evaluation",
        run="evaluation",
        conversation="item",
        participant="item",
        role=Role.UNKNOWN,
        start_ns=start_ns,
        end_ns=start_ns + LENGTH_NS,
        audio=audio,
        words=words,
        frames=frames,
    )
