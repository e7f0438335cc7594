"""Sentence vectors of all-MiniLM-L6-v2: optional weights outside the distribution."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from inference import third_party
from inference.errors import AffectstreamError
from inference.experts.text_features import clean
from inference.third_party import SENTENCE_ENCODER

DIMENSIONS: Final = 384
MOST_PIECES: Final = 256
"""Pieces of words that the encoder was trained to read; of a longer text the newest are read."""
BATCH: Final = 64

Floats = NDArray[np.float32]
OnBatch = Callable[[int, int], None]


class SentenceEncoderError(AffectstreamError):
    """The files are the pinned ones, and still no encoder came of them."""


class SentenceEncoder:
    """A text as one vector of length one.

    Source: Reimers and Gurevych, Sentence-BERT, EMNLP 2019: the mean of the last layer over
    the pieces of the text, normalised, as the published model is configured.
    """

    def __init__(self, tokenizer: Any, network: Any) -> None:
        self._tokenizer = tokenizer
        self._network = network

    @classmethod
    def load(cls, models_dir: Path, threads: int = 1) -> Self:
        """Open the files that `affectstream models fetch sentence_encoder` brings.

        Args:
            models_dir: where optional third-party weights lie.
            threads: of torch in this process.

        Raises:
            BundleError: a file is missing or is not the pinned one.
            SentenceEncoderError: the installed transformers cannot open them.
        """
        folder = str(third_party.folder(SENTENCE_ENCODER, models_dir))

        # here, because it takes seconds and only this optional expert needs it
        from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415
        from transformers.utils import logging  # noqa: PLC0415

        torch.set_num_threads(threads)
        quiet: Any = logging.disable_progress_bar
        quiet()
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, truncation_side="left"
            )
            network = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError, KeyError) as exc:
            raise SentenceEncoderError(f"{folder}: transformers cannot open it ({exc})") from exc
        return cls(tokenizer, network)

    def embed(self, text: str) -> Floats:
        """(384,) of one text, computed by itself: company cannot change it."""
        row: Floats = self._embed([clean(text)])[0]
        return row

    def embed_many(self, texts: Sequence[str], on_batch: OnBatch = lambda *_: None) -> Floats:
        """(texts, 384), several at a time: equal to `embed` but for rounding. For training.

        Args:
            texts: in any order; those of like length are computed together.
            on_batch: told how many were done, and how many there are.
        """
        cleaned = [clean(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda place: (len(cleaned[place]), place))
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for begin in range(0, len(order), BATCH):
            batch = order[begin : begin + BATCH]
            vectors[batch] = self._embed([cleaned[place] for place in batch])
            on_batch(begin + len(batch), len(order))
        return vectors

    def _embed(self, texts: list[str]) -> Floats:
        with torch.inference_mode():
            pieces = self._tokenizer(
                texts, padding=True, truncation=True, max_length=MOST_PIECES, return_tensors="pt"
            )
            hidden = self._network(**pieces).last_hidden_state  # (texts, pieces, 384)
            mask = pieces["attention_mask"][..., None].to(hidden.dtype)
            pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
            vectors: Floats = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return vectors


class RememberingEncoder:
    """Keeps the vectors of many texts in a folder and reads them there the next time.

    A file is named by a digest of its texts and of the pinned encoder.
    """

    def __init__(
        self, encoder: SentenceEncoder, folder: Path, on_batch: OnBatch = lambda *_: None
    ) -> None:
        self._encoder = encoder
        self._folder = folder
        self._on_batch = on_batch

    def embed(self, text: str) -> Floats:
        """See `SentenceEncoder.embed`; one text is not kept."""
        return self._encoder.embed(text)

    def embed_many(self, texts: Sequence[str]) -> Floats:
        """See `SentenceEncoder.embed_many`."""
        pinned = SENTENCE_ENCODER.files["model.safetensors"]
        digest = hashlib.sha256("\n".join([pinned, *map(clean, texts)]).encode()).hexdigest()
        file = self._folder / f"{digest[:32]}.npy"
        if file.is_file():
            kept: Floats = np.load(file)
            return kept
        vectors = self._encoder.embed_many(texts, self._on_batch)
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        with partial.open("wb") as opened:
            np.save(opened, vectors)
        partial.replace(file)
        return vectors
