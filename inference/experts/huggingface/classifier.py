"""A checkpoint that names labels: from its logits to a calibrated opinion on ours."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Self, TypeVar

import numpy as np

from inference.calibration.temperature import apply_temperature
from inference.experts.huggingface.labels import LabelMap, map_labels
from inference.experts.huggingface.network import Network, open_network
from inference.experts.huggingface.opinion import Opinion, distress_log_odds
from inference.experts.huggingface.sidecar import Sidecar
from inference.experts.huggingface.source import CheckpointError, Source, fingerprint
from inference.labels import Emotion

Item = TypeVar("Item")
_NO_CLASSES: Final = "regression"


@dataclass(frozen=True, slots=True)
class Classifier(Generic[Item]):
    """Preprocessor, network, label map, temperature.

    Attributes:
        prepare: from one item to the tensors of the network.
        version: name and digest of the weights and of the sidecar.
    """

    prepare: Callable[[Item], dict[str, Any]]
    network: Network
    label_map: LabelMap
    sidecar: Sidecar
    version: str

    @classmethod
    def open(
        cls,
        auto: Any,
        source: Source,
        prepare: Callable[[Item], dict[str, Any]],
        threads: int,
    ) -> Self:
        """Open the model and find a meaning for its labels.

        Args:
            auto: the class of transformers that opens models for this job.
            source: where it lies.
            prepare: see the class.
            threads: of torch.

        Raises:
            CheckpointError: it cannot be opened, or its labels have no meaning here.
        """
        sidecar = Sidecar.read(source.folder)
        network = open_network(auto, source, threads)
        kind = network.config.problem_type
        if kind == _NO_CLASSES or network.config.num_labels == 1:
            raise CheckpointError(
                f"{source.name}: rates on scales instead of naming labels; an encoder can still "
                "serve under a head of your own: affectstream train encoder"
            )
        label_map = map_labels(
            source.name,
            source.folder,
            network.config.id2label,
            sidecar,
            several=kind == "multi_label_classification",
        )
        return cls(prepare, network, label_map, sidecar, version_of(source.name, source.folder))

    @property
    def labels(self) -> tuple[Emotion, ...]:
        """Those of ours that it knows."""
        return self.label_map.emotions

    @property
    def weight_limit(self) -> float:
        """Upper bound of the fusion weight."""
        return self.sidecar.weight

    def read(self, item: Item) -> Opinion:
        """Read one item by itself."""
        logits = self.network(self.prepare(item)).logits[0].float().cpu().numpy()
        log_probs = apply_temperature(
            self.label_map.log_probs(logits.astype(np.float64)), self.sidecar.temperature or 1.0
        )
        return Opinion(log_probs, distress_log_odds(self.labels, log_probs))


def version_of(name: str, folder: Path) -> str:
    """Name, and the first 8 hex digits of a digest of weights and sidecar."""
    sidecar = repr(Sidecar.read(folder)).encode()
    digest = hashlib.sha256(fingerprint(folder).encode() + sidecar).hexdigest()[:8]
    return f"{name}+{digest}"
