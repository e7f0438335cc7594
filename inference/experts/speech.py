"""The speech expert: how the voice of one window sounds, whatever it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.evidence import Absent, Cue, Evidence, Features, Prosody, Quality
from inference.experts.line import beyond_db, line_of
from inference.experts.prosody import prosody_of
from inference.experts.speech_head import SpeechHead, SpeechWeightsError
from inference.experts.voice_activity import VoiceActivity, Voicing
from inference.experts.voice_encoder import VOICE_SPACE, EmbedsVoice
from inference.experts.voice_encoders import Device, open_encoder, shipped_heads
from inference.labels import AbsenceReason, Modality
from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ, WindowInput

MINIMUM_VOICED_SHARE: Final = 0.2
"""A window with less speech than this is silence: 0.6 s of 3 s, a word or two, is the
shortest that listeners (and the encoder) can tell an emotion from."""
LEVEL_FULL_DB: Final = 20.0
"""Speech this far above its noise counts as clean (level 1)."""
LEVEL_FRAME_SAMPLES: Final = 320  # 20 ms
NOISE_PERCENTILE: Final = 10.0
POWER_FLOOR: Final = 1e-10
"""-100 dB of full scale, under the step of 16-bit audio."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A window in which somebody speaks.

    Attributes:
        samples: (samples,) float32 of the whole window.
        voicing: of the same samples.
    """

    window: WindowInput
    samples: NDArray[np.float32]
    voicing: Voicing

    @property
    def spoken(self) -> NDArray[np.float32]:
        """From the first to the last spoken sample."""
        return self.samples[self.voicing.extent]


@dataclass(frozen=True, slots=True)
class SpeechExpert:
    """Silero finds the speech, the voice encoder describes it, two linear heads name it.

    Reads the window alone (no look-back). Where audio is missing inside the window there is
    silence; from the first to the last spoken sample everything passes the encoder in one
    piece, so pauses keep their length and the still edges of a window say nothing.
    The voices of all windows reach the encoder in one call; it promises that a vector never
    depends on its company.
    """

    voice_activity: VoiceActivity
    encoder: EmbedsVoice
    head: SpeechHead

    @classmethod
    def load(cls, threads: int = 1, folder: Path | None = None, device: Device = "cpu") -> Self:
        """Open detector, encoder and heads.

        Args:
            threads: of one call; results are promised equal only for the same number.
            folder: where `affectstream train speech` wrote the heads; None takes the
                shipped ones. The encoder is always the shipped one.
            device: where the encoder runs; `auto` is CUDA if it is here, and with it heads
                that were fitted on the float form of the encoder, else the CPU.

        Raises:
            SpeechWeightsError: the folder holds no usable weights, or heads that were
                fitted on another encoder or on a form of it that the device does not run.
            AffectstreamError: CUDA was asked for where there is none.
        """
        head = SpeechHead.load(folder or shipped_heads(device))
        encoder = open_encoder(head.config.backend, threads, device)
        if encoder.sha256 != head.config.encoder_sha256:
            raise SpeechWeightsError(
                f"the heads {head.version} were fitted on encoder "
                f"{head.config.encoder_sha256[:12]}…, {encoder.sha256[:12]}… was found: "
                "train the heads again on it"
            )
        return cls(VoiceActivity.load(threads), encoder, head)

    @property
    def modality(self) -> Modality:
        """Speech."""
        return Modality.SPEECH

    @property
    def version(self) -> str:
        """Name, version and digest of the heads; their config names the encoder."""
        return self.head.version

    @property
    def look_back_ns(self) -> int:
        """None: the window's own audio is all that is read."""
        return 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        """Read each window; see `inference.evidence.Expert`."""
        heard = [listen(window, self.voice_activity) for window in windows]
        voices = [one.spoken for one in heard if isinstance(one, Heard)]
        embeddings = iter(self.encoder.embed_many(voices) if voices else ())
        return [
            one if isinstance(one, Absent) else self._describe(one, next(embeddings))
            for one in heard
        ]

    def _describe(self, heard: Heard, embedding: NDArray[np.float32]) -> Evidence:
        line = line_of(beyond_db(heard.samples, heard.voicing))
        prosody = prosody_of(heard.samples, heard.voicing, heard.window.start_ns)
        return Evidence(
            modality=Modality.SPEECH,
            expert=self.version,
            labels=self.head.config.labels,
            log_probs=self.head.log_probs(embedding, line),
            distress_log_odds=self.head.distress_log_odds(embedding, line),
            quality=speech_quality(heard.samples, heard.voicing),
            cues=self._cues(prosody),
            prosody=prosody,
            features=Features.whole(VOICE_SPACE, embedding),
        )

    def _cues(self, prosody: Prosody) -> tuple[Cue, ...]:
        if prosody.effort_db is None:
            return ()
        cue = self.head.config.effort.cue(prosody.effort_db)
        if cue is None:
            return ()
        begun_ns, _ = prosody.spoken_ns[0]
        return (Cue(modality=Modality.SPEECH, cue=cue, at_ns=begun_ns, against_others=True),)


def listen(window: WindowInput, voice_activity: VoiceActivity) -> Heard | Absent:
    """Find the speech of a window, or say why there is none to read."""
    samples = window_samples(window)
    if not np.isfinite(samples).all():
        return Absent(Modality.SPEECH, AbsenceReason.UNDECODABLE)
    voicing = voice_activity.detect(samples)
    if voicing.voiced_samples < MINIMUM_VOICED_SHARE * len(samples) or not voicing.spans:
        return Absent(Modality.SPEECH, AbsenceReason.SILENCE)
    return Heard(window, samples, voicing)


def window_samples(window: WindowInput) -> NDArray[np.float32]:
    """The window's audio on one time line, (samples,) float32 at 16 kHz, gaps zero.

    Audio outside `[start_ns, end_ns)` is left out.
    """
    length = (window.end_ns - window.start_ns) * SPEECH_RATE_HZ // SECOND_NS
    line = np.zeros(length, dtype=np.float32)
    for span in window.audio:
        at = (span.start_ns - window.start_ns) * SPEECH_RATE_HZ // SECOND_NS
        first, last = max(at, 0), min(at + len(span.samples), length)
        if first < last:
            line[first:last] = span.samples[first - at : last - at]
    return line


def speech_quality(samples: NDArray[np.float32], voicing: Voicing) -> Quality:
    """How much speech there is, how clear, how recent, how sure the detector was.

    Args:
        samples: (samples,) float32 of one window.
        voicing: of the same samples, with at least one span.
    """
    return Quality(
        present_share=voicing.voiced_samples / len(samples),
        level=_level(samples, voicing),
        freshness=voicing.extent.stop / len(samples),
        confidence=voicing.confidence,
    )


def _level(samples: NDArray[np.float32], voicing: Voicing) -> float:
    """Speech power over noise power on a scale of 20 dB.

    Noise is what the quietest tenth of 20 ms frames holds: gaps between words are short, so
    a window full of speech still shows its background. Missing audio (exact zeros) is no
    frame of either.
    """
    frames = samples[: len(samples) // LEVEL_FRAME_SAMPLES * LEVEL_FRAME_SAMPLES]
    power = np.square(frames.reshape(-1, LEVEL_FRAME_SAMPLES), dtype=np.float64).mean(axis=1)
    heard = power[power > 0.0]
    speech = np.square(samples[voicing.mask], dtype=np.float64).mean()
    if heard.size == 0 or speech <= POWER_FLOOR:
        return 0.0
    noise = max(float(np.percentile(heard, NOISE_PERCENTILE)), POWER_FLOOR)
    level_db = 10.0 * np.log10(speech / noise)
    return float(np.clip(level_db / LEVEL_FULL_DB, 0.0, 1.0))
