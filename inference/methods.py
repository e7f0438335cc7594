"""What a scorer may be given beside experts and fusion.

Each can be left out, and none touches the probabilities of a window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.evidence import Evidence
from inference.labels import Modality
from inference.projection import Projection
from inference.score import ContextReport, Expectation, WindowScore


class SharedSpace(Protocol):
    """Compares voices, words, faces and queries. Implemented by `inference.alignment`."""

    @property
    def version(self) -> str:
        """As published in every score, and kept beside every vector."""
        ...

    def project(self, evidence: Sequence[Evidence]) -> Projection:
        """One window; a modality whose features it does not read is absent."""
        ...

    def query(self, text: str) -> NDArray[np.float32]:
        """(256,) of length one for what somebody looks for."""
        ...


class Foresight(Protocol):
    """What the present modalities let expect of the others. `inference.imputation` has it."""

    @property
    def version(self) -> str:
        """As published in every score."""
        ...

    def expect(self, projection: Projection) -> Mapping[Modality, Expectation]:
        """Of each modality about which it can say anything."""
        ...

    def complete(self, projection: Projection) -> Projection:
        """Absent rows filled with what is expected; `present` stays what it was."""
        ...


class Context(Protocol):
    """An estimate given the participant's earlier windows. Implemented by `inference.context`."""

    @property
    def version(self) -> str:
        """As published in every score."""
        ...

    def advance(self, state: bytes, score: WindowScore) -> tuple[ContextReport | None, bytes]:
        """Go on by one window of the participant, those of one participant ascending.

        Args:
            state: what the last call gave, `b""` at the beginning. One that cannot be read
                is taken for a beginning.
            score: of the window, without context. It is read as it is stored, rounded, so that
                a stored conversation gives the same estimates again.

        Returns:
            The estimate, None where there is none, and the state, at most 1 KB.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """What is switched on.

    Attributes:
        space: finds moments by description.
        foresight: needs `space`.
        context: smooths over a participant's windows.
        keeps_moments: whether the vectors of windows are handed on, to be searched for.
        narrator: version of who puts alerts into words; named in scores, asked elsewhere.
    """

    space: SharedSpace | None = None
    foresight: Foresight | None = None
    context: Context | None = None
    keeps_moments: bool = False
    narrator: str = ""

    @property
    def versions(self) -> dict[str, str]:
        """By name of the method in alphabetical order, of those that are switched on."""
        named = {
            "alignment": self.space.version if self.space else "",
            "context": self.context.version if self.context else "",
            "imputation": self.foresight.version if self.foresight else "",
            "narrator": self.narrator,
        }
        return {name: version for name, version in named.items() if version}


NO_METHODS: Final = Methods()


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A window as it is searched for.

    Attributes:
        vector: (256,) float32 of length one.
        imputed: whether part of it is what was expected, not what was seen or heard.
    """

    vector: NDArray[np.float32]
    imputed: bool
