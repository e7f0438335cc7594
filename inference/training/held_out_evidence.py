"""Evidence on recordings and lines that the heads behind it were not trained on."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from inference.evidence import Evidence
from inference.experts.speech import SpeechExpert
from inference.experts.text import TextExpert
from inference.experts.text_features import as_recognised
from inference.labels import Emotion, Role
from inference.training.calibration import Labelled
from inference.training.degrade import Samples, random_noise
from inference.training.own_speech import OwnRecording
from inference.training.speaker_folds import label_folds
from inference.training.speech import check_voices
from inference.training.speech_corpus import Copy, EmbeddedClips, degraded_copies, prepare_clip
from inference.training.speech_folds import fit_distress_folds, fit_folds
from inference.training.utterance import Utterance, chance, digest_of
from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ, AudioSpan, TextSpan, WindowInput

WINDOW_NS: Final = 3 * SECOND_NS
BAD_LINE_DB: Final = (-5.0, 20.0)
"""Noise that no head was trained on."""
MOST_LOST: Final = 0.6
"""Share of words that the worst recogniser loses."""
DRAW: Final = 1_000
"""Of each clip's cuts and codecs: none that the heads were trained on."""
CLEAN_CONFIDENCE: Final = 0.95
OWN_FOLDS: Final = 5
"""Where there are recordings of one's own, however many speakers they have."""


def check_clips(clips: Iterable[Utterance], expert: SpeechExpert) -> None:
    """Refuse what the expert's heads cannot be fitted on again, before anything is heard.

    Raises:
        TooFewVoicesError: fewer than two speakers show a label of the heads.
    """
    shown = [(clip.emotion.value, clip.speaker) for clip in clips]
    labels, speakers = np.array(shown, dtype=np.str_).reshape(-1, 2).T
    check_voices(labels, speakers, expert.head.config.labels)


def speech_evidence(
    corpus: EmbeddedClips,
    expert: SpeechExpert,
    seed: int,
    on_clip: Callable[[], None] = lambda: None,
) -> list[Labelled]:
    """Every form of every clip, and one in loud noise, as windows of 3 s.

    Each is judged by heads that were fitted without its speaker.

    Args:
        corpus: clips that may be used for calibration, embedded.
        expert: whose ears and labels to use; its heads are not asked.
        seed: of cuts, codecs and noise.
        on_clip: called after each clip.
    """
    own = any(isinstance(clip, OwnRecording) for clip in corpus.clips)
    folds = list(label_folds(corpus.speakers, corpus.emotions, OWN_FOLDS)) if own else None
    emotion = fit_folds(corpus, corpus.emotions, expert.head.config.labels, folds)
    distress = fit_distress_folds(corpus, folds)
    found: list[Labelled] = []
    for row, clip in enumerate(corpus.clips):
        strangers = next(fold for fold in range(len(emotion)) if emotion[fold].held_out[row])
        head = replace(
            expert.head, emotion=emotion[strangers].head, distress=distress[strangers].head
        )
        listener = replace(expert, head=head)
        random = chance(digest_of(clip), seed, draw=DRAW)
        prepared = prepare_clip(clip, expert.voice_activity)
        copies = degraded_copies(prepared, random, expert.voice_activity)
        forms = [*copies.values(), random_noise(copies[Copy.WIDEBAND], random, BAD_LINE_DB)]
        answers = listener.assess([_window(audio=samples) for samples in forms])
        found += [Labelled(one, clip.emotion) for one in answers if isinstance(one, Evidence)]
        on_clip()
    return found


def text_evidence(
    lines: Iterable[tuple[str, Emotion]], expert: TextExpert, seed: int
) -> list[Labelled]:
    """Lines that no head was trained on: as written, and misheard.

    What a recogniser loses of a line it knows: its confidence is the share it kept.
    """
    random = np.random.default_rng(seed)
    found: list[Labelled] = []
    for text, truth in lines:
        lost = float(random.uniform(0, MOST_LOST))
        said = as_recognised(text)
        kept = " ".join(word for word in said.split() if random.random() >= lost)
        answers = expert.assess(
            [
                _window(text=said, confidence=CLEAN_CONFIDENCE),
                _window(text=kept, confidence=1 - lost),
            ]
        )
        found += [Labelled(one, truth) for one in answers if isinstance(one, Evidence)]
    return found


def _window(
    audio: Samples | None = None, text: str = "", confidence: float | None = None
) -> WindowInput:
    """Three seconds of somebody, beginning at zero."""
    line = () if audio is None else (AudioSpan(0, audio[: 3 * SPEECH_RATE_HZ]),)
    words = (TextSpan(0, WINDOW_NS, text, "en", confidence),) if text else ()
    return WindowInput(
        tenant="training",
        run="training",
        conversation="c",
        participant="p",
        role=Role.UNKNOWN,
        start_ns=0,
        end_ns=WINDOW_NS,
        audio=line,
        words=words,
    )
