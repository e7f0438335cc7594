"""Somebody's causal language model, frozen, that reads evidence before every fourth block.

Trained: the encoders of evidence, the resampler and the cross-attention, 5 to 15 million
numbers beside the checkpoint. Not trained: anything of the checkpoint. While the gates are
closed, as they are before training, it writes what it always wrote.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from inference.narrator.flamingo import WIDTH, Flamingo
from inference.networks.folder import (
    Config,
    Weights,
    WeightsError,
    filled,
    load_weights,
    save_weights,
)

ADAPTER: Final = "narrator"
"""Folder within the checkpoint's that holds what was trained."""
ADVICE: Final = "affectstream train narrator --decoder FOLDER"
EVERY: Final = 4
LONGEST: Final = 320
"""Pieces of a text in somebody else's vocabulary, which cuts citations into several."""


class AdapterConfig(Config, frozen=True, kw_only=True):
    """What was trained for a checkpoint.

    Attributes:
        decoder: SHA-256 of the checkpoint's weights, first 8 hex digits.
        every: before the last of so many blocks the evidence is asked.
    """

    decoder: str
    every: int = EVERY
    width: int = WIDTH
    asking_hidden: int = 512
    longest: int = LONGEST


class FrozenDecoder:
    """A causal language model of transformers as `inference.narrator.flamingo.Decoder`."""

    def __init__(self, model: Any) -> None:
        self.model = model.eval().requires_grad_(requires_grad=False)
        self.width = int(model.config.hidden_size)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The stack of as many blocks as the model's config says. Raises WeightsError."""
        count = self.model.config.num_hidden_layers
        for module in self.model.modules():
            if isinstance(module, nn.ModuleList) and len(module) == count:
                return list(module)
        raise WeightsError(
            f"{type(self.model).__name__}: no stack of {count} blocks; name another decoder"
        )

    def logits(self, pieces: Tensor) -> Tensor:
        """As `Decoder` says."""
        answer: Tensor = self.model(input_ids=pieces, use_cache=False).logits
        return answer


class ForeignPieces:
    """A tokenizer of transformers as `inference.narrator.model_narrator.Pieces`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.finish = int(tokenizer.eos_token_id)
        begin = tokenizer.bos_token_id
        self.begin = self.finish if begin is None else int(begin)

    def __len__(self) -> int:
        return len(self._tokenizer)

    def encode(self, script: str) -> list[int]:
        """Pieces of a script, between `begin` and `finish`."""
        return [self.begin, *self.pieces(script), self.finish]

    def pieces(self, text: str) -> list[int]:
        """Pieces of any text, alone."""
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, pieces: list[int]) -> str:
        """The text of pieces."""
        return str(self._tokenizer.decode(pieces, clean_up_tokenization_spaces=False))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A frozen decoder and its pieces; `digest` names its weights."""

    decoder: FrozenDecoder
    pieces: ForeignPieces
    digest: str


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read a folder of transformers: nothing is fetched, and no code of it is run.

    Raises:
        WeightsError: there is no causal language model with a tokenizer in safetensors.
    """
    from transformers import (  # noqa: PLC0415 - seconds, and only for whoever names a folder
        AutoModelForCausalLM,
        AutoTokenizer,
    )

    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, ImportError) as exc:
        raise WeightsError(
            f"{folder}: no causal language model with its tokenizer ({exc}); name a folder that "
            "transformers saved as safetensors"
        ) from exc
    return Checkpoint(FrozenDecoder(model), ForeignPieces(tokenizer), _digest(folder))


def adapter(checkpoint: Checkpoint, config: AdapterConfig) -> Flamingo:
    """What reads evidence for a checkpoint, untrained: its gates are closed."""
    return Flamingo(
        checkpoint.decoder,
        vocabulary=len(checkpoint.pieces),
        every=config.every,
        hidden=config.asking_hidden,
        width=config.width,
    )


def save_adapter(folder: Path, model: Flamingo, config: AdapterConfig) -> None:
    """Write what was trained beside the checkpoint in `folder`."""
    save_weights(folder / ADAPTER, config, model.state_dict())


def load_adapter(folder: Path, checkpoint: Checkpoint) -> tuple[Flamingo, Weights[AdapterConfig]]:
    """Inverse of `save_adapter`.

    Raises:
        WeightsError: nothing was trained for this checkpoint, or for other weights than these.
    """
    weights = load_weights(folder / ADAPTER, AdapterConfig, ADVICE)
    if weights.config.decoder != checkpoint.digest:
        raise WeightsError(
            f"{folder}: trained for a decoder {weights.config.decoder}, and this is "
            f"{checkpoint.digest}; train again with `{ADVICE}`"
        )
    model = adapter(checkpoint, weights.config)
    filled(model, weights, folder)
    return model, weights


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:8]
