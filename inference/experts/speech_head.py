"""The shipped weights of the speech expert: two linear heads on one voice embedding."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialise_tensors

from inference.errors import AffectstreamError
from inference.experts.distress_head import DistressHead
from inference.experts.line import Line
from inference.experts.linear_head import LinearHead
from inference.experts.speech_effort import EffortReference
from inference.labels import Emotion

WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "speech"
TENSORS_FILE: Final = "speech.safetensors"
CONFIG_FILE: Final = "config.json"
_PARTS: Final = ("mean", "scale", "coefficients", "intercepts")


class SpeechWeightsError(AffectstreamError):
    """A folder that holds no usable weights of the speech expert."""


class LineTemperatures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of both heads, for voices over one line."""

    emotion: float
    distress: float


class SpeechConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the numbers of `speech.safetensors` mean, and where they come from."""

    name: str
    version: int
    backend: str
    """Which form of the encoder the heads and temperatures were fitted on."""
    encoder_sha256: str
    labels: tuple[Emotion, ...]
    distress_labels: tuple[str, ...]
    """What the distress head tells apart before it sums the sides: emotions, and shades of
    neutral such as boredom."""
    temperature: float
    distress_temperature: float
    line_temperatures: dict[Line, LineTemperatures] = {}
    """Instead of those above, for voices that sound as if they came over that line."""
    effort: EffortReference
    """Of neutral speech, wideband and telephone: what the cue compares with."""
    data: str
    licence: str
    training: dict[str, Any]
    """Seed, counts and library versions: what it takes to make the same file again."""


@dataclass(frozen=True, slots=True)
class SpeechHead:
    """Emotion and distress, each calibrated to an even prior over its labels."""

    emotion: LinearHead
    distress: DistressHead
    config: SpeechConfig
    digest: str = ""
    """First 8 hex digits of the SHA-256 of the tensors and the config; empty before saving."""

    @property
    def version(self) -> str:
        """Name and version as published in every score."""
        return f"{self.config.name}-{self.config.version}+{self.digest}"

    def log_probs(
        self, embedding: NDArray[np.float32], line: Line | None = None
    ) -> NDArray[np.float64]:
        """(labels,) natural log-probabilities of one embedding, in order of `config.labels`.

        `line` is what it came over; None takes the temperature that all lines share.
        """
        return self.emotion.log_probs(embedding, line)

    def distress_log_odds(self, embedding: NDArray[np.float32], line: Line | None = None) -> float:
        """Natural log odds of distress of one embedding, against an even prior."""
        return float(self.distress.log_odds(embedding, line))

    def save(self, folder: Path) -> None:
        """Write tensors and config into `folder`, making it."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            f"{name}.{part}": np.ascontiguousarray(getattr(head, part), dtype=np.float32)
            for name, head in (("emotion", self.emotion), ("distress", self.distress.sides))
            for part in _PARTS
        }
        config = msgspec.json.format(msgspec.json.encode(self.config), indent=2)
        (folder / TENSORS_FILE).write_bytes(serialise_tensors(tensors))
        (folder / CONFIG_FILE).write_bytes(config + b"\n")

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read `folder`, by default the shipped weights. Raises SpeechWeightsError."""
        folder = folder or WEIGHTS
        try:
            tensor_bytes = (folder / TENSORS_FILE).read_bytes()
            config_bytes = (folder / CONFIG_FILE).read_bytes()
            config = msgspec.json.decode(config_bytes, type=SpeechConfig)
            tensors = {
                name: tensor.astype(np.float64)
                for name, tensor in parse_tensors(tensor_bytes).items()
            }
            lines = config.line_temperatures.items()
            emotion = _linear_head("emotion", tensors, config.labels).calibrated(
                config.temperature, {line: own.emotion for line, own in lines}
            )
            sides = _linear_head("distress", tensors, config.distress_labels)
            distress = DistressHead(sides).calibrated(
                config.distress_temperature, {line: own.distress for line, own in lines}
            )
        except (OSError, KeyError, msgspec.DecodeError, SafetensorError) as exc:
            raise SpeechWeightsError(
                f"{folder}: no usable speech weights ({exc}); make them with "
                "`affectstream train speech --data DIR --out FOLDER`"
            ) from exc
        for head in (emotion, sides):
            if head.coefficients.shape != (len(head.labels), len(head.mean)):
                raise SpeechWeightsError(
                    f"{folder}: {CONFIG_FILE} names {len(head.labels)} labels, "
                    f"{TENSORS_FILE} holds coefficients of shape {head.coefficients.shape}"
                )
        digest = hashlib.sha256(tensor_bytes + config_bytes).hexdigest()[:8]
        return cls(emotion, distress, config, digest)


def _linear_head(
    name: str, tensors: dict[str, NDArray[np.float64]], labels: tuple[str, ...]
) -> LinearHead:
    """The head that lies in `tensors` under `name`. Raises KeyError if a part is missing."""
    return LinearHead(
        labels=tuple(labels),
        mean=tensors[f"{name}.mean"],
        scale=tensors[f"{name}.scale"],
        coefficients=tensors[f"{name}.coefficients"],
        intercepts=tensors[f"{name}.intercepts"],
    )
