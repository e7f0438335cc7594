"""The shared space in service: windows and queries as vectors that can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.alignment.captions import measures_of
from inference.alignment.towers import Towers, unit
from inference.errors import AffectstreamError
from inference.evidence import Evidence, Features, Prosody
from inference.labels import Modality
from inference.networks.folder import Config, WeightsError, filled, load_weights
from inference.projection import Projection

WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "alignment"
ADVICE: Final = "affectstream train alignment --speech DIR --text DIR --out FOLDER"

Vector = NDArray[np.float32]


class QueryError(AffectstreamError):
    """A query of which no word is known: nothing can be near it."""


class ReadsWords(Protocol):
    """Makes a vector of words. Owned by the space, implemented by `inference.experts`."""

    @property
    def version(self) -> str:
        """Name, version and digest of its vectors: others mean other things."""
        ...

    def vector(self, text: str) -> Vector:
        """(size,) float32; zeros where no word is known."""
        ...


class Inputs(Config, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the towers read.

    Attributes:
        spaces: of the features of each modality that has a tower.
        sizes: of the same, with the measures of a voice.
        words: version of the vectors of captions and queries.
        query_size: of the same.
        edges: of each measure of a voice, where low ends and high begins.
    """

    spaces: dict[Modality, str]
    sizes: dict[Modality, int]
    words: str
    query_size: int
    edges: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())


def tower_input(features: Features, prosody: Prosody | None, modality: Modality) -> Vector:
    """What a tower reads of one window: for a voice, its measures stand behind the vector.

    The encoder hardly tells how loud or quick a voice is, and that is what people search for.
    """
    if modality is not Modality.SPEECH:
        return features.vector
    measures = [np.nan if value is None else value for value in measures_of(prosody)]
    return np.concatenate([features.vector, np.array(measures, dtype=np.float32)])


@dataclass(frozen=True, slots=True)
class AlignedSpace:
    """Voices, words, faces and queries as rows of length one. Implements `SharedSpace`.

    Every window is projected by itself, so that it has the same bits alone and in company.
    """

    towers: Towers
    inputs: Inputs
    version: str
    words: ReadsWords

    @classmethod
    def load(cls, words: ReadsWords, folder: Path | None = None) -> Self:
        """Open the weights in `folder`, by default the shipped ones.

        Args:
            words: of the same vectors that the weights were trained with.
            folder: where `affectstream train alignment` wrote them.

        Raises:
            WeightsError: there are none, or they were trained with other vectors of words.
        """
        folder = folder or WEIGHTS
        weights = load_weights(folder, Inputs, ADVICE)
        config = weights.config
        if config.words != words.version:
            raise WeightsError(
                f"{folder}: captions were read with {config.words}, queries would be with "
                f"{words.version}: train the space again with `{ADVICE}`"
            )
        towers = Towers(config.sizes, config.query_size)
        filled(towers, weights, folder)
        return cls(towers, config, weights.version, words)

    @property
    def temperature(self) -> float:
        """What products of vectors are divided by."""
        with torch.inference_mode():
            return float(self.towers.temperature())

    def project(self, evidence: Sequence[Evidence]) -> Projection:
        """One window; a modality without features, or with others than were learnt, is absent."""
        rows: dict[Modality, Vector] = {}
        for one in evidence:
            features = one.features
            if features is None or self.inputs.spaces.get(one.modality) != features.space:
                continue
            row = tower_input(features, one.prosody, one.modality)
            if len(row) != self.inputs.sizes[one.modality]:
                continue
            with torch.inference_mode():
                vector = _row(self.towers.project(one.modality, torch.from_numpy(row)[None]))
            if vector.any():
                rows[one.modality] = vector
        return Projection.of(rows)

    def query(self, text: str) -> Vector:
        """(256,) of length one for what somebody looks for.

        Raises:
            QueryError: no word of it is known.
        """
        vector = self.words.vector(text)
        if not vector.any():
            raise QueryError(
                f"{text!r}: no word of it is known to the space; describe the voice, the mood or "
                "what was said in English words"
            )
        with torch.inference_mode():
            return _row(self.towers.query(torch.from_numpy(vector)[None]))


def _row(projected: Tensor) -> Vector:
    """(256,) of length one of (1, 256)."""
    found: Vector = unit(projected)[0].numpy()
    return found
