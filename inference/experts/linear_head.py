"""A calibrated linear head: what turns a frozen embedding into probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from inference.experts.line import Line

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Standard scaling, multinomial logistic regression, temperature.

    Attributes:
        labels: names of the columns of what comes out.
        mean: (size,) of each feature in training.
        scale: (size,) standard deviation of each feature in training.
        coefficients: (labels, size).
        intercepts: (labels,).
        temperature: divides the log-odds; fitted on predictions for unseen speakers.
        by_line: the temperatures of voices over a line, where they have one of their own.
    """

    labels: tuple[str, ...]
    mean: Floats
    scale: Floats
    coefficients: Floats
    intercepts: Floats
    temperature: float = 1.0
    by_line: Mapping[Line, float] = field(default_factory=dict)

    def log_probs(self, embeddings: NDArray[np.floating], line: Line | None = None) -> Floats:
        """Calibrated natural log-probabilities, (…, labels), of embeddings, (…, size).

        Each row is computed by itself: the sum runs over the same numbers in the same
        order however many rows there are, which a matrix product does not promise.

        Args:
            embeddings: of voices that came over the same line.
            line: that one; None takes the shared temperature.
        """
        scaled = (np.asarray(embeddings, dtype=np.float64) - self.mean) / self.scale
        logits = (scaled[..., None, :] * self.coefficients).sum(axis=-1) + self.intercepts
        logits /= self.temperature_of(line)  # (…, labels)
        logits -= logits.max(axis=-1, keepdims=True)
        log_probs: Floats = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        return log_probs

    def temperature_of(self, line: Line | None) -> float:
        """That of the line, or the shared one."""
        return self.temperature if line is None else self.by_line.get(line, self.temperature)

    def calibrated(self, temperature: float, by_line: Mapping[Line, float] | None = None) -> Self:
        """The same head with these temperatures."""
        return replace(self, temperature=temperature, by_line=dict(by_line or {}))
