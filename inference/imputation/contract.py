"""What the rest of the package, training and judging ask of an imputer."""

from collections.abc import Set as AbstractSet
from typing import Final, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from inference.labels import Modality

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
ImputerName = Literal["ridge", "translator", "cgan", "diffusion"]
IMPUTERS: Final[tuple[ImputerName, ...]] = get_args(ImputerName)
DEFAULT_IMPUTER: Final[ImputerName] = "ridge"
"""The bar: another one ships as default only if it is better on people it never met."""


class Imputer(Protocol):
    """Draws what absent modalities may look like in the shared space."""

    @property
    def expects(self) -> AbstractSet[Modality]:
        """Modalities that it was trained to draw; of others it knows nothing."""
        ...

    def sample(self, known: Floats, present: Bools, n: int, seed: int) -> Floats:
        """Draw `n` times.

        The draws of a row depend on `seed` and on its own present rows alone: not on its
        place, not on its company, not on what stands where nothing is present.

        Args:
            known: (batch, 3, size) float32, modalities in the order of `MODALITIES`.
            present: (batch, 3) which of them were seen or heard.
            n: draws of each row, at least 1.
            seed: equal seeds give equal draws.

        Returns:
            (n, batch, 3, size) float32: present rows as they are, absent ones that are expected
            drawn, absent ones that are not expected zero.

        Raises:
            ShapeError: the arrays do not fit each other or the imputer.
        """
        ...
