"""`affectstream.json`: what an operator knows of a checkpoint and its files do not say."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from inference.experts.huggingface.source import SIDECAR, CheckpointError
from inference.labels import Emotion

NOT_CALIBRATED_LIMIT: Final = 0.3
"""Upper bound of the fusion weight while no temperature was fitted, as for the face rule."""
MOST_WEIGHT: Final = 1.5

Positive = Annotated[float, Meta(gt=0.0)]
Share = Annotated[float, Meta(gt=0.0, lt=1.0)]
Weight = Annotated[float, Meta(ge=0.0, le=MOST_WEIGHT)]


class Sidecar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lies beside the checkpoint; every field may be left out.

    Attributes:
        labels: what the checkpoint's own labels mean; null leaves one out.
        prior: share of each of its labels in its training data; without it they count as
            even. What the expert says is divided by it.
        temperature: divides the log-odds; fitted on material that the checkpoint never saw.
        fitted_on: what the temperature was fitted on, for readers.
        weight_limit: upper bound of the fusion weight.
        licence: of the weights, over what the model card states.
        commercial_use: you read the terms and they permit it, or they do not.
        languages: that a text checkpoint reads, over what the model card states.
    """

    labels: dict[str, Emotion | None] = msgspec.field(default_factory=dict)
    prior: dict[str, Share] | None = None
    temperature: Positive | None = None
    fitted_on: str = ""
    weight_limit: Weight | None = None
    licence: str = ""
    commercial_use: bool | None = None
    languages: tuple[str, ...] = ()

    @property
    def weight(self) -> float:
        """The limit in force: without a fitted temperature at most `NOT_CALIBRATED_LIMIT`."""
        most = MOST_WEIGHT if self.temperature is not None else NOT_CALIBRATED_LIMIT
        return most if self.weight_limit is None else min(most, self.weight_limit)

    @classmethod
    def read(cls, folder: Path) -> "Sidecar":
        """That of `folder`, or an empty one. Raises CheckpointError naming the field."""
        path = folder / SIDECAR
        if not path.is_file():
            return cls()
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError) as exc:
            raise CheckpointError(f"{path}: {exc}; docs/models.md lists what it may hold") from exc

    def save(self, folder: Path) -> None:
        """Write it beside the checkpoint in `folder`; what says nothing is left out."""
        said = {
            name: value
            for name, value in msgspec.to_builtins(self).items()
            if value not in (None, "", [], {})
        }
        (folder / SIDECAR).write_bytes(
            msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n"
        )
