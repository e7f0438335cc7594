"""Tiny random checkpoints as transformers saves them: a few thousand parameters each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    HubertConfig,
    HubertModel,
    PreTrainedModel,
    ViTConfig,
    ViTForImageClassification,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    *("i", "am", "so", "very", "happy", "glad", "angry", "furious", "with", "you", "about", "this"),
    *("thank", "it", "is", "not", "good", "bad", "thing", "the", "a", "and", "was", "we", "they"),
)
VOCABULARY = (*SPECIAL, *WORDS)
CARD = "---\nlicense: apache-2.0\nlanguage: en\n---\n# A card\n"
_CONVOLUTIONS = {
    "conv_dim": (8, 8),
    "conv_stride": (10, 16),
    "conv_kernel": (10, 16),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
}
_BLOCK = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}


def voice_checkpoint(folder: Path, labels: Sequence[str], logits: Sequence[float] = ()) -> Path:
    """A Wav2Vec2 that names `labels`; with `logits` it says these whatever it hears."""
    torch.manual_seed(1)
    config = Wav2Vec2Config(**_BLOCK, **_CONVOLUTIONS, **_named(labels))
    model = Wav2Vec2ForSequenceClassification(config)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return _saved(model, folder, logits)


def words_checkpoint(
    folder: Path, labels: Sequence[str], logits: Sequence[float] = (), *, several: bool = False
) -> Path:
    """A Bert that names `labels`, each a yes or no of its own if `several`."""
    torch.manual_seed(2)
    kind = "multi_label_classification" if several else None
    named = _named(labels) | {"problem_type": kind}
    model = BertForSequenceClassification(BertConfig(**_bert(), **named))
    return _saved(model, _with_tokenizer(folder), logits)


def face_checkpoint(folder: Path, labels: Sequence[str], logits: Sequence[float] = ()) -> Path:
    """A ViT of two by two patches that names `labels`."""
    torch.manual_seed(3)
    config = ViTConfig(**_BLOCK, image_size=16, patch_size=8, **_named(labels))
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    return _saved(ViTForImageClassification(config), folder, logits)


def voice_encoder(folder: Path) -> Path:
    """A Hubert without a head."""
    torch.manual_seed(4)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return _saved(HubertModel(HubertConfig(**_BLOCK, **_CONVOLUTIONS)), folder)


def whisper(folder: Path) -> Path:
    """An encoder-decoder whose preprocessor pads to 2 s."""
    torch.manual_seed(5)
    config = WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=8,
        max_source_positions=100, max_target_positions=8, vocab_size=16, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None,
        begin_suppress_tokens=None,
    )  # fmt: skip
    WhisperFeatureExtractor(feature_size=8, chunk_length=2).save_pretrained(folder)
    return _saved(WhisperModel(config), folder)


def words_encoder(folder: Path) -> Path:
    """A Bert without a head."""
    torch.manual_seed(6)
    return _saved(BertModel(BertConfig(**_bert())), _with_tokenizer(folder))


def _bert() -> dict[str, Any]:
    return {**_BLOCK, "vocab_size": len(VOCABULARY), "max_position_embeddings": 40}


def _with_tokenizer(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def _named(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: at for at, label in enumerate(labels)},
    }


def _saved(model: PreTrainedModel, folder: Path, logits: Sequence[float] = ()) -> Path:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        if logits:
            model.classifier.weight.zero_()
            model.classifier.bias.copy_(torch.tensor(logits))
    model.save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return folder
