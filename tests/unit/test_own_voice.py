"""The own voice on real voices: what change tells about sentences of the same speaker."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from inference.evaluation.metrics import roc_auc
from inference.experts.own_voice import Comparison, compare, taught
from inference.experts.prosody import prosody_of
from inference.experts.voice_activity import VoiceActivity, Voicing
from inference.labels import HIGH_AROUSAL, LOW_AROUSAL, Emotion
from inference.score import UsualVoice
from inference.training.audio_file import read_audio
from inference.training.degrade import telephone
from inference.training.emodb import find_clips
from inference.training.ravdess_speech import find_acted_clips
from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ

WINDOW_S = 3
WINDOW_SAMPLES = WINDOW_S * SPEECH_RATE_HZ
LEAST_SHARE = 0.2
ACTORS = 8
"""Of RAVDESS's 24: the others take two minutes and tell the same."""

Corpus = Mapping[str, Sequence["Sentence"]]
"""By speaker."""


@dataclass(frozen=True)
class Sentence:
    """One acted sentence."""

    path: Path
    emotion: Emotion


@dataclass(frozen=True)
class Told:
    """What one sentence is told to be against its speaker's calm ones."""

    emotion: Emotion
    found: Comparison


def emodb(data: Path) -> Corpus:
    speakers: dict[str, list[Sentence]] = {}
    for clip in find_clips(data / "speech"):
        speakers.setdefault(clip.speaker, []).append(Sentence(clip.path, clip.emotion))
    return speakers


def ravdess(data: Path) -> Corpus:
    speakers: dict[str, list[Sentence]] = {}
    for clip in find_acted_clips(data / "speech" / "ravdess"):
        if int(clip.actor) <= ACTORS:
            speakers.setdefault(clip.actor, []).append(Sentence(clip.path, clip.emotion))
    return speakers


def heard(
    sentence: Sentence, hears: VoiceActivity, *, over_telephone: bool
) -> tuple[np.ndarray, Voicing] | None:
    """The three seconds from just before the first word; None where there is hardly any."""
    samples = read_audio(sentence.path)
    samples = telephone(samples) if over_telephone else samples
    begin = max(0, hears.detect(samples).extent.start - SPEECH_RATE_HZ // 10)
    piece = samples[begin : begin + WINDOW_SAMPLES]
    piece = np.pad(piece, (0, WINDOW_SAMPLES - len(piece)))
    voicing = hears.detect(piece)
    return (piece, voicing) if voicing.voiced_samples > LEAST_SHARE * WINDOW_SAMPLES else None


def told_of(
    sentences: Sequence[Sentence], hears: VoiceActivity, *, over_telephone: bool
) -> Iterator[Told]:
    """Every second calm sentence of one speaker teaches, the rest is compared."""
    usual = UsualVoice()
    teaching = [one for one in sentences if one.emotion is Emotion.NEUTRAL][::2]
    for number, sentence in enumerate(teaching):
        if window := heard(sentence, hears, over_telephone=over_telephone):
            start_ns = number * WINDOW_S * SECOND_NS
            found = prosody_of(*window, start_ns)
            usual = taught(usual, found, start_ns + WINDOW_S * SECOND_NS, distressed=False)
    for sentence in sentences:
        window = heard(sentence, hears, over_telephone=over_telephone)
        if window and sentence not in teaching:
            compared = compare(usual, prosody_of(*window, 0))
            if compared is not None:  # some speakers have less than ten calm seconds
                yield Told(sentence.emotion, compared)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("corpus", "line", "at_least"),
    [
        pytest.param(emodb, "wideband", 0.96, id="emodb"),
        pytest.param(emodb, "telephone", 0.94, id="emodb-telephone"),
        pytest.param(ravdess, "wideband", 0.83, id="ravdess"),
    ],
)
def test_change_tells_aroused_sentences_from_calm_ones_of_the_same_voice(
    shared_data: Path, corpus: Callable[[Path], Corpus], line: str, at_least: float
) -> None:
    hears = VoiceActivity.load()
    told = [
        one
        for sentences in corpus(shared_data).values()
        for one in told_of(sentences, hears, over_telephone=line == "telephone")
    ]
    judged = [one for one in told if one.emotion in HIGH_AROUSAL | LOW_AROUSAL]
    change = np.array([one.found.change for one in judged], dtype=np.float64)
    aroused = np.array([one.emotion in HIGH_AROUSAL for one in judged])
    assert roc_auc(aroused, change) > at_least
    cued = {
        emotion: np.mean([bool(one.found.cues) for one in told if one.emotion is emotion])
        for emotion in (Emotion.NEUTRAL, Emotion.ANGER)
    }
    assert cued[Emotion.NEUTRAL] < 0.3
    assert cued[Emotion.ANGER] > 0.7
