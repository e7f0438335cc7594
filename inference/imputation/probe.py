"""A linear head on the shared space: what a decision would be, for asking "what if"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.imputation.contract import Floats
from inference.imputation.regression import columns
from inference.labels import MODALITIES, Emotion, Modality

Doubles = NDArray[np.float64]
Pattern = tuple[Modality, ...]
"""Modalities that are present, in the order of `MODALITIES`."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A multinomial head for each pattern of present modalities.

    It never speaks to anybody: what is published comes from fusion. It answers whether
    another modality would change a decision, and judges imputers.

    Attributes:
        labels: of the columns.
        heads: by pattern, (modalities * size + 1, labels): weights, and the intercept last.
    """

    labels: tuple[Emotion, ...]
    heads: Mapping[Pattern, Floats]

    def log_probs(self, rows: NDArray[np.floating], pattern: Pattern) -> Doubles:
        """(n, labels) natural log of (n, 3, size), from the rows of `pattern` alone.

        Raises KeyError for a pattern that it was not fitted for.
        """
        head = self.heads[pattern].astype(np.float64)
        logits = columns(pattern, rows) @ head[:-1] + head[-1]
        log_probs: Doubles = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        return log_probs

    def knows(self, pattern: Pattern) -> bool:
        """Whether it was fitted for that pattern."""
        return pattern in self.heads


def pattern_of(present: Sequence[bool] | NDArray[np.bool_]) -> Pattern:
    """Of (3,) in the order of `MODALITIES`."""
    return tuple(modality for modality, seen in zip(MODALITIES, present, strict=True) if seen)
