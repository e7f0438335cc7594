"""Recordings as the heads of the speech expert hear them: cut, degraded, embedded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import EmbedsVoice
from inference.labels import Emotion
from inference.training.audio_file import read_audio
from inference.training.degrade import (
    SHORT_CUT_S,
    Samples,
    as_two_second_opus,
    random_cut,
    random_line,
    random_noise,
    random_opus,
    telephone,
)
from inference.training.emodb import HELD_OUT_SPEAKERS, Clip
from inference.training.heard_cache import Heard, HeardCache, encoder_key, hear
from inference.training.utterance import Utterance, chance, digest_of

DRAWS: Final = 3
"""How often each recording is cut and degraded anew: a point of recall over once."""
MANY_RECORDINGS: Final = 1_000
"""From here on once is enough: other recordings teach more than other cuts."""
REVISION: Final = 1
"""Raised whenever the forms change: what a cache holds of others is then heard anew."""
NO_CACHE: Final = HeardCache()


class Copy(StrEnum):
    """A form in which each recording is heard."""

    WIDEBAND = "wideband"
    TELEPHONE = "telephone"
    NOISY = "noisy"
    SHORT = "short"
    BAD_LINE = "bad line"


@dataclass(frozen=True, slots=True)
class EmbeddedClips:
    """What the encoder makes of each recording in each form, drawn several times.

    Attributes:
        clips: in order of the rows.
        embeddings: (draws, clips, 768) float32 for each form.
        efforts_db: (draws, clips) vocal effort for each form, NaN where the detector hears
            nobody.
        lines: (draws, clips) for each form, the `Line` that it sounds like.
    """

    clips: tuple[Utterance, ...]
    embeddings: dict[Copy, NDArray[np.float32]]
    efforts_db: dict[Copy, NDArray[np.float64]]
    lines: dict[Copy, NDArray[np.str_]]

    @classmethod
    def of(cls, clips: Sequence[Utterance], heard: Sequence[Sequence[Mapping[str, Heard]]]) -> Self:
        """From what was heard of each clip, in each draw, by form."""
        return cls(
            tuple(clips),
            {
                c: np.array([[d[c].embedding for d in ds] for ds in heard]).swapaxes(0, 1)
                for c in Copy
            },
            {c: np.array([[d[c].effort_db for d in ds] for ds in heard]).T for c in Copy},
            {c: np.array([[d[c].line for d in ds] for ds in heard]).T for c in Copy},
        )

    @property
    def speakers(self) -> NDArray[np.str_]:
        """(clips,) names."""
        return np.array([clip.speaker for clip in self.clips])

    @property
    def emotions(self) -> NDArray[np.str_]:
        """(clips,) labels of the product's vocabulary."""
        return np.array([clip.emotion.value for clip in self.clips])

    @property
    def categories(self) -> NDArray[np.str_]:
        """(clips,) labels in the words of each corpus."""
        return np.array([clip.word for clip in self.clips])

    @property
    def shades(self) -> NDArray[np.str_]:
        """(clips,) labels of the product's vocabulary, boredom and calm apart from neutral."""
        return np.array(
            [
                clip.word if clip.emotion is Emotion.NEUTRAL else clip.emotion.value
                for clip in self.clips
            ]
        )

    @property
    def for_the_demo(self) -> NDArray[np.bool_]:
        """(clips,) whose speakers must stay out of weights and temperatures."""
        return np.array([is_for_the_demo(clip) for clip in self.clips])


def is_for_the_demo(clip: Utterance) -> bool:
    """Whether it is EmoDB's, of a speaker whom the demo plays."""
    return isinstance(clip, Clip) and clip.speaker in HELD_OUT_SPEAKERS


def prepare_clip(clip: Utterance, voice_activity: VoiceActivity) -> Samples:
    """Samples of `clip` to cut from: of EmoDB in the one format in which all classes exist.

    Other recordings lose the silence around what is said: a cut of it would teach nothing.
    """
    if isinstance(clip, Clip):
        return in_one_format(clip)
    samples = read_audio(clip.path)
    voicing = voice_activity.detect(samples)
    return samples[voicing.extent] if voicing.spans else samples


def in_one_format(clip: Clip) -> Samples:
    """Samples of an EmoDB recording in the one format in which all classes exist.

    Three classes of EmoDB are only to be had as Opus cut or padded to 2.00 s. Left alone, the
    format gives the class away; so the others get the same cut and the same codec first.
    """
    samples = read_audio(clip.path)
    return samples if clip.path.suffix == ".opus" else as_two_second_opus(samples)


def degraded_copies(
    samples: Samples, random: np.random.Generator, voice_activity: VoiceActivity
) -> dict[Copy, Samples]:
    """One random cut through one random codec setting, in each form.

    The short form is a piece of what is spoken in it: windows often hold a word or two, and a
    head that never met any is far too sure of them.
    """
    wideband = random_opus(random_cut(samples, random), random)
    voicing = voice_activity.detect(wideband)
    spoken = wideband[voicing.extent] if voicing.spans else wideband
    return {
        Copy.WIDEBAND: wideband,
        Copy.TELEPHONE: telephone(wideband),
        Copy.NOISY: random_noise(wideband, random),
        Copy.SHORT: random_cut(spoken, random, SHORT_CUT_S),
        Copy.BAD_LINE: random_line(wideband, random),
    }


def usual_draws(clips: Sequence[Utterance]) -> int:
    """`DRAWS`, and one where there is plenty."""
    return DRAWS if len(clips) < MANY_RECORDINGS else 1


def embed_clips(
    clips: Sequence[Utterance],
    encoder: EmbedsVoice,
    voice_activity: VoiceActivity,
    seed: int,
    on_clip: Callable[[], None] = lambda: None,
    draws: int = DRAWS,
    cache: HeardCache = NO_CACHE,
) -> EmbeddedClips:
    """Degrade and embed every clip in every form, `draws` times.

    A clip's draws depend on `seed` and its content alone, so a part of the corpus gives the
    same rows as the whole, in any order. `on_clip` is called after each.
    """
    heard: list[list[dict[str, Heard]]] = []
    for clip in clips:
        listener = _Listener(clip, digest_of(clip), encoder, voice_activity, seed)
        heard.append([cache.get(listener.key(draw), listener.hear(draw)) for draw in range(draws)])
        on_clip()
    return EmbeddedClips.of(clips, heard)


@dataclass(slots=True)
class _Listener:
    """Hears one clip; decodes it only if something of it was never heard."""

    clip: Utterance
    digest: str
    encoder: EmbedsVoice
    voice_activity: VoiceActivity
    seed: int
    samples: Samples | None = None

    def key(self, draw: int) -> tuple[str | int, ...]:
        """All that what is heard depends on."""
        return (
            "training",
            REVISION,
            *encoder_key(self.encoder),
            version("silero-vad"),
            version("av"),
            "common format" if isinstance(self.clip, Clip) else "as it is",
            self.digest,
            self.seed,
            draw,
        )

    def hear(self, draw: int) -> Callable[[], dict[str, Heard]]:
        """What hears one draw when it is called."""

        def hear_forms() -> dict[str, Heard]:
            if self.samples is None:
                self.samples = prepare_clip(self.clip, self.voice_activity)
            random = chance(self.digest, self.seed, draw)
            copies = degraded_copies(self.samples, random, self.voice_activity)
            return {
                copy.value: hear(samples, self.encoder, self.voice_activity)
                for copy, samples in copies.items()
            }

        return hear_forms
