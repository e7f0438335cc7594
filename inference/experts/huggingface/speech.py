"""Voices read by a checkpoint, or by an encoder under a head of our own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from inference.evidence import Absent, Evidence
from inference.experts.huggingface.classifier import Classifier
from inference.experts.huggingface.network import open_preprocessor
from inference.experts.huggingface.opinion import Reader
from inference.experts.huggingface.source import CheckpointError, Source
from inference.experts.prosody import prosody_of
from inference.experts.speech import listen, speech_quality
from inference.experts.voice_activity import VoiceActivity
from inference.labels import Modality
from inference.window import SPEECH_RATE_HZ, WindowInput

Samples = NDArray[np.float32]
"""(samples,) at 16 kHz."""


@dataclass(frozen=True, slots=True)
class CheckpointSpeechExpert:
    """Silero finds the speech; what lies between its first and last sample is read.

    The same extent as `inference.experts.speech.SpeechExpert` reads: the window alone,
    pauses included, the still edges left out.
    """

    voice_activity: VoiceActivity
    reader: Reader[Samples]

    @property
    def modality(self) -> Modality:
        """Speech."""
        return Modality.SPEECH

    @property
    def version(self) -> str:
        """Name and digest of the weights."""
        return self.reader.version

    @property
    def look_back_ns(self) -> int:
        """None: the window's own audio is all that is read."""
        return 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        """Read each window by itself; see `inference.evidence.Expert`."""
        return [self._assess(window) for window in windows]

    def _assess(self, window: WindowInput) -> Evidence | Absent:
        heard = listen(window, self.voice_activity)
        if isinstance(heard, Absent):
            return heard
        opinion = self.reader.read(heard.spoken)
        return Evidence(
            modality=Modality.SPEECH,
            expert=self.version,
            labels=self.reader.labels,
            log_probs=opinion.log_probs,
            distress_log_odds=opinion.distress_log_odds,
            quality=speech_quality(heard.samples, heard.voicing),
            weight_limit=self.reader.weight_limit,
            prosody=prosody_of(heard.samples, heard.voicing, window.start_ns),
        )


def open_speech_classifier(source: Source, threads: int) -> CheckpointSpeechExpert:
    """An audio classification checkpoint as an expert. Raises CheckpointError."""
    reader: Classifier[Samples] = Classifier.open(
        AutoModelForAudioClassification, source, audio_preparer(source), threads
    )
    return CheckpointSpeechExpert(VoiceActivity.load(threads), reader)


def audio_preparer(source: Source, **options: bool) -> Callable[[Samples], dict[str, Any]]:
    """From samples to the tensors of the network of `source`.

    Args:
        source: where the preprocessor lies.
        options: of each call of it.

    Raises:
        CheckpointError: it cannot be opened, or reads another sample rate.
    """
    extractor = open_preprocessor(AutoFeatureExtractor, source)
    rate_hz = getattr(extractor, "sampling_rate", None)
    if rate_hz != SPEECH_RATE_HZ:
        raise CheckpointError(
            f"{source.name}: reads audio of {rate_hz} samples a second; a window holds "
            f"{SPEECH_RATE_HZ}"
        )

    def prepare(samples: Samples) -> dict[str, Any]:
        made = extractor(samples, sampling_rate=SPEECH_RATE_HZ, return_tensors="pt", **options)
        return dict(made)

    return prepare
