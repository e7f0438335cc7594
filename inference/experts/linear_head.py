"""A calibrated linear head: what turns a frozen embedding into probabilities."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

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
    """

    labels: tuple[str, ...]
    mean: Floats
    scale: Floats
    coefficients: Floats
    intercepts: Floats
    temperature: float = 1.0

    def log_probs(self, embeddings: NDArray[np.floating]) -> Floats:
        """Calibrated natural log-probabilities, (…, labels), of embeddings, (…, size).

        Each row is computed by itself: the sum runs over the same numbers in the same
        order however many rows there are, which a matrix product does not promise.
        """
        scaled = (np.asarray(embeddings, dtype=np.float64) - self.mean) / self.scale
        logits = (scaled[..., None, :] * self.coefficients).sum(axis=-1) + self.intercepts
        logits /= self.temperature  # (…, labels)
        logits -= logits.max(axis=-1, keepdims=True)
        log_probs: Floats = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        return log_probs

    def tempered(self, temperature: float) -> Self:
        """The same head with its temperature multiplied by `temperature`."""
        return replace(self, temperature=self.temperature * temperature)
