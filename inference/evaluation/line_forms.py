"""A recording as telephones would carry it: the forms in which evaluations hear it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import EmbedsVoice
from inference.training.degrade import (
    LINE_SNR_DB,
    Samples,
    a_law,
    lose_packets,
    random_noise,
    telephone,
)
from inference.training.heard_cache import Heard, HeardCache, encoder_key, hear
from inference.training.speech_corpus import NO_CACHE
from inference.training.utterance import Utterance, chance, digest_of

LOST_SHARE: Final = 0.05
REVISION: Final = 1
"""Raised whenever the forms change: what a cache holds of others is then heard anew."""

_ONLY: Final = "heard"


class Form(StrEnum):
    """What a recording goes through."""

    CLEAN = "clean"
    MU_LAW = "mu-law"
    A_LAW = "A-law"
    NOISE = "mu-law, noise at 0-20 dB"
    LOSS = "mu-law, 5 % of packets lost"


def carried(samples: Samples, form: Form, random: np.random.Generator) -> Samples:
    """`samples`, (samples,) float32 at 16 kHz, after `form`."""
    match form:
        case Form.CLEAN:
            return samples
        case Form.MU_LAW:
            return telephone(samples)
        case Form.A_LAW:
            return telephone(samples, a_law)
        case Form.NOISE:
            return telephone(random_noise(samples, random, LINE_SNR_DB))
        case Form.LOSS:
            return telephone(samples, carry=lambda line: lose_packets(line, random, LOST_SHARE))


Read = Callable[[Utterance, np.random.Generator], Samples]
"""Samples of a recording, by its own randomness."""


@dataclass(frozen=True, slots=True)
class Ears:
    """What every recording is heard with, and what is told of each that was."""

    encoder: EmbedsVoice
    voice_activity: VoiceActivity
    on_clip: Callable[[], None] = lambda: None
    cache: HeardCache = NO_CACHE

    def hear(self, samples: Samples) -> Heard:
        """What the expert would hear in (samples,)."""
        return hear(samples, self.encoder, self.voice_activity)

    def hear_forms(
        self,
        clips: Sequence[Utterance],
        read: Read,
        forms: Sequence[Form],
        seed: int,
        how: str,
    ) -> dict[Form, "HeardRows"]:
        """Every clip in every form.

        Args:
            clips: whom to hear.
            read: makes the samples of a clip.
            forms: what each goes through.
            seed: of the randomness.
            how: names `read`, for the cache.
        """
        heard: dict[Form, list[Heard]] = {form: [] for form in forms}
        for clip in clips:
            digest = digest_of(clip)
            for form in forms:
                key = (
                    "evaluation",
                    REVISION,
                    *encoder_key(self.encoder),
                    version("silero-vad"),
                    version("av"),
                    how,
                    digest,
                    seed,
                    form.value,
                )
                kept = self.cache.get(key, partial(self._hear_form, clip, read, form, seed))
                heard[form].append(kept[_ONLY])
            self.on_clip()
        return {form: HeardRows.heard_as(rows) for form, rows in heard.items()}

    def _hear_form(
        self,
        clip: Utterance,
        read: Read,
        form: Form,
        seed: int,
    ) -> dict[str, Heard]:
        """The random numbers of reading are the same in every form, those of a form its own."""
        digest = digest_of(clip)
        samples = read(clip, chance(digest, seed, 0))
        return {_ONLY: self.hear(carried(samples, form, chance(digest, seed, 1)))}


@dataclass(frozen=True, slots=True)
class HeardRows:
    """Recordings of one form.

    Attributes:
        embeddings: (n, 768) float32.
        lines: (n,) the `Line` that each sounds like.
    """

    embeddings: NDArray[np.float32]
    lines: NDArray[np.str_]

    @classmethod
    def heard_as(cls, heard: Sequence[Heard]) -> "HeardRows":
        """From what was heard of each."""
        return cls(
            np.stack([one.embedding for one in heard]), np.array([one.line for one in heard])
        )

    def of(self, kept: NDArray[np.bool_]) -> "HeardRows":
        """The recordings of which `kept`, (n,), is true."""
        return HeardRows(self.embeddings[kept], self.lines[kept])

    def after(self, others: "HeardRows") -> "HeardRows":
        """`others`, then these."""
        return HeardRows(
            np.concatenate((others.embeddings, self.embeddings)),
            np.concatenate((others.lines, self.lines)),
        )
