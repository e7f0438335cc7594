"""One window of one participant, as the experts see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.labels import AbsenceReason, Modality, Role
from inference.units import SECOND_NS

SPEECH_RATE_HZ: Final = 16_000
"""Every audio span is resampled to this rate before it reaches a window."""


@dataclass(frozen=True, slots=True)
class AudioSpan:
    """Mono audio without a gap.

    Attributes:
        start_ns: event time of the first sample.
        samples: (samples,) float32 in [-1, 1] at `SPEECH_RATE_HZ`.
    """

    start_ns: int
    samples: NDArray[np.float32]

    @property
    def end_ns(self) -> int:
        """Event time just after the last sample."""
        return self.start_ns + len(self.samples) * SECOND_NS // SPEECH_RATE_HZ


@dataclass(frozen=True, slots=True)
class TextSpan:
    """Final words of the participant, said in `[start_ns, end_ns)`."""

    start_ns: int
    end_ns: int
    text: str
    language: str = "und"
    """BCP 47; `und` when the recogniser did not say."""
    confidence: float | None = None
    """The recogniser's own confidence in [0, 1]."""


@dataclass(frozen=True, slots=True)
class CameraFrame:
    """One JPEG picture of the participant's camera."""

    captured_ns: int
    jpeg: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowInput:
    """Everything the experts may look at for one window `[start_ns, end_ns)`.

    Spans are sorted by time, free of overlap, and lie inside the window plus the
    look-back of their modality; nothing in here is later than `end_ns`.
    """

    tenant: str
    run: str
    conversation: str
    participant: str
    role: Role
    start_ns: int
    end_ns: int
    audio: tuple[AudioSpan, ...] = ()
    words: tuple[TextSpan, ...] = ()
    frames: tuple[CameraFrame, ...] = ()
    absent: Mapping[Modality, AbsenceReason] = field(default_factory=dict)
    """Modalities that must not be read here, with the reason the streams gave."""
    final: bool = True
    partial: bool = False
    """Closed early by a limit: some of its data was not waited for."""
    shed: tuple[str, ...] = ()
    """What overload took away, in the order of the shedding rule."""
