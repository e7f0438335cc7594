"""A calibrator that knows which labels an expert confuses: for plenty of data only."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from inference.calibration.temperature import CalibrationError

INVERSE_PENALTY: Final = 1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AffineCalibrator:
    """log p = log_softmax(A x + b) of log-probabilities x.

    Source: Guo et al. 2017, section 4.2 (matrix scaling), as a multinomial logistic
    regression with an L2 penalty of 1. It keeps the label shares of its data as its prior.
    Measured: it gained 12 points of accuracy on 5950 items of crowd votes, and cost up to 1.8
    on 1140 items of network outputs, where a temperature alone is better.

    Attributes:
        matrix: (labels, labels) A.
        bias: (labels,) b.
    """

    matrix: Floats
    bias: Floats

    @classmethod
    def fit(cls, log_probs: Floats, truth: NDArray[np.integer]) -> Self:
        """Fit on predictions that no expert was trained on.

        Args:
            log_probs: (n, labels).
            truth: (n,) columns; every label occurs.

        Raises:
            CalibrationError: a label never occurs.
        """
        missing = sorted(set(range(log_probs.shape[1])) - set(truth.tolist()))
        if missing:
            raise CalibrationError(f"no item has label column {missing}: there is nothing to fit")
        with threadpool_limits(1, "blas"):  # threads make so small a fit eight times slower
            model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000).fit(log_probs, truth)
        return cls(model.coef_, model.intercept_)

    def apply(self, log_probs: Floats) -> Floats:
        """Calibrated rows, (n, labels)."""
        logits = log_probs @ self.matrix.T + self.bias
        calibrated: Floats = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        return calibrated
