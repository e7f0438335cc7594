"""Makes the latent space of words from comments: no labels are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from inference.experts.word_vectors import SIZE, WordsConfig, words_of
from inference.networks.folder import save_weights

WORDS: Final = 12_000
STEPS: Final = 127
"""int8 holds this many on either side of zero."""
DATA: Final = "GoEmotions (Demszky et al. 2020) train split, CC BY 4.0; labels were not read"


@dataclass(frozen=True, slots=True)
class WordSpace:
    """What was made: see `inference.experts.word_vectors.WordVectors`."""

    config: WordsConfig
    tensors: dict[str, torch.Tensor]

    def save(self, folder: Path) -> str:
        """Write it; returns its digest."""
        return save_weights(folder, self.config, self.tensors)


def train_words(texts: Sequence[str], seed: int = 0) -> WordSpace:
    """Latent semantic analysis of `texts`: TF-IDF, then the largest singular values.

    Args:
        texts: comments.
        seed: of the randomised decomposition.
    """
    vectoriser = TfidfVectorizer(
        analyzer=words_of, sublinear_tf=True, max_features=WORDS, dtype=np.float64
    )
    rows = vectoriser.fit_transform(texts)
    size = min(SIZE, min(rows.shape) - 1)
    analysis = TruncatedSVD(size, n_iter=7, random_state=seed).fit(rows)
    places = np.zeros((rows.shape[1], SIZE))
    places[:, :size] = analysis.components_.T / np.sqrt(analysis.singular_values_)
    # each word has a scale: rare ones lie near the origin, where one scale for all rounds to zero
    # only directions count, and half precision holds numbers near 1
    places /= np.median(np.abs(places).max(axis=1)) / STEPS
    scale = np.abs(places).max(axis=1) / STEPS
    scale[scale == 0.0] = 1.0
    config = WordsConfig(
        name="words",
        version=2,
        data=DATA,
        licence="Apache-2.0",
        training={
            "seed": seed,
            "texts": len(texts),
            "explained variance": round(float(analysis.explained_variance_ratio_.sum()), 4),
            "scikit-learn": version("scikit-learn"),
        },
        words=tuple(vectoriser.get_feature_names_out().tolist()),
    )
    return WordSpace(
        config,
        {
            "places": torch.from_numpy(np.round(places / scale[:, None]).astype(np.int8)),
            "scale": torch.from_numpy(scale.astype(np.float32)),
            "rarity": torch.from_numpy(vectoriser.idf_.astype(np.float32)),
        },
    )
