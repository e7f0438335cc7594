"""Words as points: a small latent semantic space, for methods that compare what was said."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.experts.text_features import as_recognised
from inference.networks.folder import Config, Weights, load_weights

WEIGHTS: Final = Path(__file__).parents[1] / "weights" / "word_vectors"
SIZE: Final = 128
SPACE: Final = f"words-{SIZE}"
WORD: Final = re.compile(r"\w[\w']*")
ADVICE: Final = "affectstream train words"


class WordsConfig(Config, frozen=True, kw_only=True):
    """What the numbers mean.

    Attributes:
        words: in the order of the rows.
    """

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WordVectors:
    """The mean of the words' places, rare words counting more.

    Source: Deerwester et al. 1990 (latent semantic analysis). Departures: dimensions are
    divided by the root of their singular value, so that the commonest topics do not drown the
    others, and the result has length one.

    Attributes:
        places: (words, 128) int8, each row times its `scale`, (words,).
        rarity: (words,) inverse document frequency.
    """

    words: dict[str, int]
    places: NDArray[np.int8]
    scale: NDArray[np.float32]
    rarity: NDArray[np.float32]
    version: str

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read `folder`, by default the shipped one. Raises WeightsError."""
        weights: Weights[WordsConfig] = load_weights(folder or WEIGHTS, WordsConfig, ADVICE)
        return cls(
            words={word: row for row, word in enumerate(weights.config.words)},
            places=weights.tensors["places"].numpy(),
            scale=weights.tensors["scale"].numpy(),
            rarity=weights.tensors["rarity"].numpy(),
            version=weights.version,
        )

    def vector(self, text: str) -> NDArray[np.float32]:
        """(128,) float32 of length one; zero where no word is known."""
        counts = Counter(self.words[word] for word in words_of(text) if word in self.words)
        if not counts:
            return np.zeros(SIZE, dtype=np.float32)
        rows = np.array(sorted(counts))
        often = np.array([1 + np.log(counts[row]) for row in rows.tolist()], dtype=np.float32)
        much = often * self.rarity[rows] * self.scale[rows]
        total = much @ self.places[rows].astype(np.float32)
        length = float(np.linalg.norm(total))
        placed: NDArray[np.float32] = total / length if length > 0 else total
        return placed.astype(np.float32)


def words_of(text: str) -> list[str]:
    """In lower case, without punctuation: as recognisers write them."""
    return WORD.findall(as_recognised(text))
