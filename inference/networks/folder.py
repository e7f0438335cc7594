"""Weights as a folder: `config.json` says what the numbers of `weights.safetensors` mean."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as serialise_tensors
from torch import Tensor, nn

from inference.errors import AffectstreamError

CONFIG_FILE: Final = "config.json"
TENSORS_FILE: Final = "weights.safetensors"
_HEX_DIGITS: Final = 8


class WeightsError(AffectstreamError):
    """A folder that holds no usable weights of a method."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every folder says of itself; each method adds what it needs.

    Attributes:
        data: what the weights were made from.
        licence: of the weights.
        training: seed, counts, figures and library versions.
    """

    name: str
    version: int
    data: str
    licence: str
    training: dict[str, Any]


C = TypeVar("C", bound=Config)


@dataclass(frozen=True, slots=True)
class Weights(Generic[C]):
    """What lies in a folder.

    Attributes:
        tensors: float32 by name, whatever precision they are kept in.
        digest: first 8 hex digits of the SHA-256 of both files.
    """

    config: C
    tensors: Mapping[str, Tensor]
    digest: str

    @property
    def version(self) -> str:
        """Name, version and digest, as published in scores."""
        return f"{self.config.name}-{self.config.version}+{self.digest}"


def save_weights(folder: Path, config: Config, tensors: Mapping[str, Tensor]) -> str:
    """Write `folder`, making it. Floating-point tensors are kept in half precision.

    Returns:
        The digest of what was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in tensors.items()
    }
    packed = serialise_tensors(kept)
    described = msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"
    (folder / TENSORS_FILE).write_bytes(packed)
    (folder / CONFIG_FILE).write_bytes(described)
    return _digest(packed, described)


def load_weights(folder: Path, config: type[C], advice: str) -> Weights[C]:
    """Read what `save_weights` wrote.

    Args:
        folder: that holds it.
        config: type of its config.
        advice: what makes such a folder, for the error: a command.

    Raises:
        WeightsError: a file is missing, torn, or of another method.
    """
    try:
        packed = (folder / TENSORS_FILE).read_bytes()
        described = (folder / CONFIG_FILE).read_bytes()
        parsed = msgspec.json.decode(described, type=config)
        tensors = {
            name: tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in parse_tensors(packed).items()
        }
    except (OSError, msgspec.DecodeError, SafetensorError) as exc:
        raise WeightsError(
            f"{folder}: no usable weights ({exc}); make them with `{advice}`"
        ) from exc
    return Weights(parsed, tensors, _digest(packed, described))


def filled(module: nn.Module, weights: Weights[C], folder: Path) -> nn.Module:
    """`module` with `weights` in it, ready to be asked: no gradients, no dropout.

    Raises:
        WeightsError: the tensors are not those of such a module.
    """
    try:
        module.load_state_dict(dict(weights.tensors))
    except RuntimeError as exc:
        raise WeightsError(f"{folder}: {TENSORS_FILE} does not fit {CONFIG_FILE} ({exc})") from exc
    return module.eval().requires_grad_(requires_grad=False)


def rounded(module: nn.Module) -> None:
    """Give `module` the precision it will be kept in, so that it is judged as it ships."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(parameter.half().float())


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:_HEX_DIGITS]
