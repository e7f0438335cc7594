"""The default: a linear estimate and a normal residual, in closed form."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from inference.imputation.contract import Bools, Floats
from inference.imputation.regression import Regression
from inference.imputation.row_imputer import RowImputer
from inference.labels import MODALITIES, Modality

Key = tuple[Modality, tuple[Modality, ...]]
"""A target and what it is estimated from."""


@dataclass(frozen=True, slots=True, eq=False)
class RidgeImputer(RowImputer):
    """A regression for each absent modality and each set of present ones.

    Source: Little and Rubin 2002, section 11.2 (draws from the conditional normal). Departure:
    a ridge penalty instead of the inverse covariance, a residual measured on people who were
    left out, and two absent modalities are drawn independently given the present ones.

    Attributes:
        regressions: by target and inputs; always one without inputs, for a window in which
            nothing is there.
        size: of the shared space.
    """

    regressions: Mapping[Key, Regression]
    size: int

    @property
    def expects(self) -> AbstractSet[Modality]:
        """Targets of its regressions."""
        return frozenset(target for target, _ in self.regressions)

    @property
    def dimensions(self) -> int:
        """Of the space whose rows it fills."""
        return self.size

    def regression(self, target: Modality, present: Bools) -> Regression:
        """The one that reads the most of what is there."""
        there = [
            modality
            for modality, seen in zip(MODALITIES, present, strict=True)
            if seen and modality is not target
        ]
        for count in range(len(there), -1, -1):
            for inputs in combinations(there, count):
                if found := self.regressions.get((target, inputs)):
                    return found
        raise KeyError(target)

    def draw_row(self, row: Floats, present: Bools, n: int, random: np.random.Generator) -> Floats:
        """See `RowImputer`."""
        drawn = np.zeros((n, *row.shape), dtype=np.float32)
        for place, target in enumerate(MODALITIES):
            if present[place] or target not in self.expects:
                continue
            regression = self.regression(target, present)
            read = row[[MODALITIES.index(modality) for modality in regression.inputs]]
            drawn[:, place] = regression.estimate(read) + regression.residual.draw(n, random)
        return drawn
