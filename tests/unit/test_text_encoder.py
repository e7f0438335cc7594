"""Sentence vectors, by a tiny encoder with random weights and the real tokenizer's pieces."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from inference.experts.text_encoder import (
    DIMENSIONS,
    MOST_PIECES,
    RememberingEncoder,
    SentenceEncoder,
)

WORDS = (
    *("i", "am", "calling", "about", "the", "bill", "again"),
    *("thank", "you", "so", "much", "it", "is", "late"),
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
PIECES = {piece: place for place, piece in enumerate((*SPECIAL, *WORDS))}


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    pieces = Tokenizer(models.WordLevel(PIECES, unk_token="[UNK]"))
    pieces.normalizer = normalizers.Lowercase()
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, pad_token="[PAD]", unk_token="[UNK]", truncation_side="left"
    )
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(PIECES),
        hidden_size=DIMENSIONS,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=32,
    )
    return SentenceEncoder(tokenizer, BertModel(shape).eval())


def test_a_vector_is_the_mean_of_its_pieces_with_length_one(encoder: SentenceEncoder) -> None:
    text = "Thank you so much"
    vector = encoder.embed(text)
    assert vector.shape == (DIMENSIONS,)
    assert np.linalg.norm(vector) == pytest.approx(1.0)
    with torch.inference_mode():
        ids = torch.tensor([[2, *(PIECES[word] for word in text.lower().split()), 3]])
        mean = encoder._network(input_ids=ids).last_hidden_state[0].mean(dim=0).numpy()
    assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_many_are_the_same_as_one_by_one_but_for_rounding(encoder: SentenceEncoder) -> None:
    texts = ["the bill is late", "", "again " * 90, "am i late", "the bill is late"]
    told: list[tuple[int, int]] = []
    vectors = encoder.embed_many(texts, lambda *done: told.append(done))
    assert told[-1] == (5, 5)
    for text, vector in zip(texts, vectors, strict=True):
        assert encoder.embed(text) == pytest.approx(vector, abs=1e-5)


def test_of_a_very_long_text_the_newest_words_are_read(encoder: SentenceEncoder) -> None:
    newest = " ".join(["thank", "you"] * MOST_PIECES)
    assert np.array_equal(encoder.embed(f"late {newest}"), encoder.embed(newest))
    assert not np.array_equal(encoder.embed(f"{newest} late"), encoder.embed(newest))


def test_vectors_are_remembered_by_their_texts(encoder: SentenceEncoder, tmp_path: Path) -> None:
    asked: list[int] = []
    remembering = RememberingEncoder(encoder, tmp_path / "kept", lambda done, _: asked.append(done))
    first = remembering.embed_many(["it is late", "thank you"])
    assert np.array_equal(remembering.embed_many(["it is late", "thank you"]), first)
    assert asked == [2]
    assert not np.array_equal(remembering.embed_many(["thank you", "it is late"]), first)
    assert asked == [2, 2]
    assert np.array_equal(remembering.embed("thank you"), encoder.embed("thank you"))
