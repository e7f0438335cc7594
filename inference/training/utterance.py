"""One recording of one voice, whatever corpus it comes from."""

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np

from inference.labels import Emotion


class Utterance(Protocol):
    """What training needs to know of a recording."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def speaker(self) -> str:
        """Who is heard: unique over all corpora that are trained on together."""
        ...

    @property
    def emotion(self) -> Emotion:
        """What it was called, in the vocabulary of the product."""
        ...

    @property
    def word(self) -> str:
        """What it was called, in the corpus's own words."""
        ...


def digest_of(utterance: Utterance) -> str:
    """SHA-256 of the file, in hex."""
    return hashlib.sha256(utterance.path.read_bytes()).hexdigest()


def chance(digest: str, seed: int, draw: int) -> np.random.Generator:
    """A recording's own randomness by its `digest_of`, whatever it is called and beside whom."""
    return np.random.default_rng([seed, int(digest[:16], 16), draw])
