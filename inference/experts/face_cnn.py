"""A small convolutional net that reads expressions off grey 48x48 crops of faces.

Its weights are made by `affectstream train face` and never ship: the images of FER+ carry no
commercial grant, and pictures of one's own are somebody's.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as serialise_tensors
from torch import Tensor, nn

from inference.errors import AffectstreamError
from inference.labels import EMOTIONS

TENSORS_FILE: Final = "face_cnn.safetensors"
CONFIG_FILE: Final = "config.json"
RESEARCH_NET: Final = Path("research") / "face"
"""Where its weights lie in the models folder unless told otherwise."""
OWN_NET: Final = Path("own") / "face"
"""The same of weights that saw no FER+: no profile takes them by itself."""
LEAST_SPREAD: Final = 4.0
"""Grey levels (of 255) of standard deviation that a crop is taken to have at least: a flat
crop is no face, and noise must not be blown up to one."""

Floats = NDArray[np.float64]


class FaceCnnError(AffectstreamError):
    """A folder that holds no usable weights of the research net."""


class FaceCnnConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the numbers of the tensors mean, and where they come from."""

    name: str
    version: int
    labels: tuple[str, ...]
    """Of the net's outputs: the vocabulary in its order, then expressions outside it."""
    widths: tuple[int, ...]
    """Channels of the first layer, then of the blocks at 24, 12 and 6 pixels."""
    temperature: float
    """Over all labels, with the shares that the faces of its data have."""
    emotion_temperature: float
    """Over the vocabulary, after `log_prior` is taken off."""
    log_prior: tuple[float, ...]
    """What the net says of nobody in particular: natural log of a share for each label."""
    distress_weights: tuple[float, ...]
    """Of the log-probability of each label, in the log odds of distress."""
    distress_bias: float
    data: str
    licence: str
    training: dict[str, Any]
    """Seed, counts and library versions: what it takes to make the same file again."""


class FaceNet(nn.Module):
    """Residual blocks at 24, 12 and 6 pixels; the mean over places; one linear layer."""

    def __init__(self, widths: Sequence[int], outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(1, widths[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        for inner, outer in pairwise(widths):
            layers += [_Residual(inner, outer), nn.MaxPool2d(2)]
        layers[-1] = _Residual(widths[-1], widths[-1])
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(widths[-1], outputs))

    def forward(self, faces: Tensor) -> Tensor:
        """Logits, (n, outputs), of `standardised` faces, (n, 1, 48, 48)."""
        logits: Tensor = self.head(self.body(faces))
        return logits


class _Residual(nn.Module):
    """Two convolutions and a way around them. He et al. 2016, figure 2."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.first, self.second = _conv(inner, outer), _conv(outer, outer)
        self.around = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 1, bias=False)

    def forward(self, given: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(given))) + self.around(given))


def _conv(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer))


def standardised(faces: Tensor) -> Tensor:
    """Each face, (n, 1, 48, 48) grey levels up to 255, with mean 0 and standard deviation 1.

    So light and contrast of the camera drop out; `LEAST_SPREAD` bounds what is divided by.
    """
    spread, mean = torch.std_mean(faces, dim=(1, 2, 3), keepdim=True)
    return (faces - mean) / spread.clamp_min(LEAST_SPREAD)


@dataclass(frozen=True, slots=True)
class FaceCnn:
    """The trained net with its calibration."""

    net: FaceNet
    config: FaceCnnConfig
    digest: str = ""
    """First 8 hex digits of the SHA-256 of the tensors and the config; empty before saving."""

    @property
    def version(self) -> str:
        """Name and version as published in every score."""
        return f"{self.config.name}-{self.config.version}+{self.digest}"

    def log_probs(self, crops: NDArray[np.uint8]) -> Floats:
        """What the net says of crops, (n, 48, 48), each read as it is and in a mirror.

        Returns:
            (n, labels) calibrated natural log-probabilities in order of `config.labels`, with
            the shares of its data as prior.
        """
        return _log_softmax(mirrored_logits(self.net, crops) / self.config.temperature)

    def over_track(self, log_probs: Floats) -> Floats:
        """(labels,) the mean of what was said of each picture, (pictures, labels)."""
        return _log_softmax(log_probs.mean(axis=0))

    def emotions(self, log_probs: Floats) -> Floats:
        """(…, 7) over the vocabulary, each label as likely before, from rows of `log_probs`."""
        support = (log_probs - np.array(self.config.log_prior))[..., : len(EMOTIONS)]
        return _log_softmax(support / self.config.emotion_temperature)

    def distress_log_odds(self, log_probs: Floats) -> Floats:
        """(…) natural log odds of distress against an even prior, from rows of `log_probs`."""
        odds: Floats = (log_probs * np.array(self.config.distress_weights)).sum(axis=-1)
        return odds + self.config.distress_bias

    def save(self, folder: Path) -> None:
        """Write tensors and config into `folder`, making it."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: one.contiguous() for name, one in self.net.state_dict().items()}
        config = msgspec.json.format(msgspec.json.encode(self.config), indent=2)
        (folder / TENSORS_FILE).write_bytes(serialise_tensors(tensors))
        (folder / CONFIG_FILE).write_bytes(config + b"\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `folder`. Raises FaceCnnError."""
        try:
            tensor_bytes = (folder / TENSORS_FILE).read_bytes()
            config_bytes = (folder / CONFIG_FILE).read_bytes()
            config = msgspec.json.decode(config_bytes, type=FaceCnnConfig)
            net = FaceNet(config.widths, len(config.labels))
            net.load_state_dict(parse_tensors(tensor_bytes))
        except (OSError, RuntimeError, msgspec.DecodeError, SafetensorError) as exc:
            raise FaceCnnError(
                f"{folder}: no usable weights of the face net ({exc}); make them with "
                "`affectstream train face --data DIR --out FOLDER`"
            ) from exc
        if config.labels[: len(EMOTIONS)] != tuple(EMOTIONS):
            raise FaceCnnError(
                f"{folder}: {CONFIG_FILE} has the labels {config.labels}, which do not begin with "
                f"{tuple(map(str, EMOTIONS))}; train the net again"
            )
        if {len(config.log_prior), len(config.distress_weights)} != {len(config.labels)}:
            raise FaceCnnError(
                f"{folder}: {CONFIG_FILE} names {len(config.labels)} labels, but its prior has "
                f"{len(config.log_prior)} and its distress weights {len(config.distress_weights)}"
            )
        digest = hashlib.sha256(tensor_bytes + config_bytes).hexdigest()[:8]
        return cls(net.eval(), config, digest)


def mirrored_logits(net: FaceNet, crops: NDArray[np.uint8]) -> Floats:
    """(n, outputs) mean logits of crops, (n, 48, 48), and of their mirror images."""
    with torch.inference_mode():
        faces = standardised(torch.from_numpy(crops)[:, None].float())
        logits = (net(faces) + net(faces.flip(-1))) / 2
    found: Floats = logits.double().numpy()
    return found


def _log_softmax(logits: Floats) -> Floats:
    log_probs: Floats = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return log_probs
