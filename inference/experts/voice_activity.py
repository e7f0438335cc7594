"""Voice activity: where in a window somebody speaks."""

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.experts.onnx_graph import open_graph

FRAME_SAMPLES: Final = 512  # 32 ms at 16 kHz
CONTEXT_SAMPLES: Final = 64
STATE_SIZE: Final = 128
ONSET: Final = 0.5
"""Speech begins at a frame of at least this probability …"""
OFFSET: Final = 0.35
"""… and goes on until one falls below this (silero's own pair of thresholds)."""
LENGTHS_OF_NOTHING: Final = 64
"""Windows have one length, or a few."""
MINIMUM_FRAMES: Final = 3
"""Shorter runs (under 96 ms, less than a syllable) are clicks."""


class VoiceActivityUnavailableError(AffectstreamError):
    """The package that carries the detector is not installed, or not as expected."""


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """Samples `[start, end)` in which somebody speaks."""

    start: int
    end: int


@dataclass(frozen=True)
class Voicing:
    """Where somebody speaks in one piece of audio.

    Attributes:
        probabilities: (frames,) float32, of speech in each frame of 512 samples; the last
            frame may hang over the end.
        samples: length of the audio.
    """

    probabilities: NDArray[np.float32]
    samples: int

    @cached_property
    def spans(self) -> tuple[SpeechSpan, ...]:
        """Speech in order of time, without overlap, inside the audio."""
        spans: list[SpeechSpan] = []
        begun: int | None = None
        for frame, probability in enumerate([*self.probabilities, 0.0]):
            if begun is None and probability >= ONSET:
                begun = frame
            elif begun is not None and probability < OFFSET:
                if frame - begun >= MINIMUM_FRAMES:
                    end = min(frame * FRAME_SAMPLES, self.samples)
                    spans.append(SpeechSpan(begun * FRAME_SAMPLES, end))
                begun = None
        return tuple(spans)

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(samples,) True where somebody speaks."""
        mask = np.zeros(self.samples, dtype=np.bool_)
        for span in self.spans:
            mask[span.start : span.end] = True
        return mask

    @property
    def voiced_samples(self) -> int:
        """Samples in which somebody speaks."""
        return sum(span.end - span.start for span in self.spans)

    @property
    def extent(self) -> slice:
        """From the first spoken sample to the last; empty without speech."""
        return slice(self.spans[0].start, self.spans[-1].end) if self.spans else slice(0, 0)

    @property
    def confidence(self) -> float | None:
        """Mean probability of the frames called speech; None without speech."""
        if not self.spans:
            return None
        called = self.mask[::FRAME_SAMPLES]
        return float(self.probabilities[called].mean())


class VoiceActivity:
    """Silero's detector, run over a whole piece of audio in one call.

    It is recurrent: its state starts from zero with every piece, so a window's answer
    depends on nothing but the window.
    """

    def __init__(self, model: Path, threads: int = 1) -> None:
        self._session = open_graph(model.read_bytes(), threads=threads)
        self._of_nothing: dict[int, Voicing] = {}

    @classmethod
    def load(cls, threads: int = 1) -> "VoiceActivity":
        """Open the graph that the silero-vad package carries.

        The package is found, not imported: its import changes torch's thread count for
        the whole process. Raises VoiceActivityUnavailableError.
        """
        spec = find_spec("silero_vad")
        folders = spec.submodule_search_locations if spec is not None else None
        if not folders:
            raise VoiceActivityUnavailableError("silero-vad is not installed: pip install it")
        model = Path(folders[0]) / "data" / "silero_vad_16k_sequence.onnx"
        if not model.is_file():
            raise VoiceActivityUnavailableError(
                f"{model} is missing: this version of silero-vad has no sequence graph, "
                "6.2.3 is known to have it"
            )
        return cls(model, threads)

    def detect(self, samples: NDArray[np.float32]) -> Voicing:
        """Find speech in `samples`, (samples,) float32 in [-1, 1] at 16 kHz.

        Muted and missing audio is all zeros, often and for long: each length is run once.
        """
        length = len(samples)
        if length == 0:
            return Voicing(np.zeros(0, dtype=np.float32), 0)
        if samples.any():
            return self._run(samples)
        if length not in self._of_nothing:
            if len(self._of_nothing) == LENGTHS_OF_NOTHING:
                self._of_nothing.clear()
            self._of_nothing[length] = self._run(samples)
        return self._of_nothing[length]

    def _run(self, samples: NDArray[np.float32]) -> Voicing:
        frames = -(-len(samples) // FRAME_SAMPLES)
        padded = np.zeros((frames, FRAME_SAMPLES), dtype=np.float32)
        padded.reshape(-1)[: len(samples)] = samples
        context = np.zeros((frames, CONTEXT_SAMPLES), dtype=np.float32)
        context[1:] = padded[:-1, -CONTEXT_SAMPLES:]
        state = np.zeros((1, 1, STATE_SIZE), dtype=np.float32)
        (probabilities,) = self._session.run(
            ["speech_probs"],
            {"input": np.concatenate((context, padded), axis=1), "h": state, "c": state},
        )
        return Voicing(probabilities.reshape(-1), len(samples))
