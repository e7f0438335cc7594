"""Distress or calm, by a head that tells apart what is on either side."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.experts.line import Line
from inference.experts.linear_head import LinearHead
from inference.labels import DISTRESS

CALM_DISTRESS: Final = ("calm", "distress")
"""Columns of `DistressHead.log_probs`."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DistressHead:
    """Sums the labels of each side; a temperature of its own makes the odds as sure as right.

    One line between two sides would have to put anger and sadness on one side of joy and
    neutral. A head with a direction for each label need not: measured on unseen speakers, it
    gains four points of AUC.

    Attributes:
        sides: an uncalibrated head over labels of `DISTRESS` and others, some of each.
        temperature: divides the log odds; fitted on predictions for unseen speakers.
        by_line: the temperatures of voices over a line, where they have one of their own.
    """

    sides: LinearHead
    temperature: float = 1.0
    by_line: Mapping[Line, float] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """`CALM_DISTRESS`."""
        return CALM_DISTRESS

    def log_odds(self, embeddings: NDArray[np.floating], line: Line | None = None) -> Floats:
        """Calibrated natural log odds of distress against an even prior, (…).

        Args:
            embeddings: (…, size), of voices that came over the same line.
            line: that one; None takes the shared temperature.
        """
        log_probs = self.sides.log_probs(embeddings)
        distress = np.isin(self.sides.labels, list(DISTRESS))
        towards, away = (
            np.logaddexp.reduce(log_probs[..., side], axis=-1) - np.log(side.sum())
            for side in (distress, ~distress)
        )
        odds: Floats = (towards - away) / self.temperature_of(line)
        return odds

    def log_probs(self, embeddings: NDArray[np.floating], line: Line | None = None) -> Floats:
        """Calibrated natural log-probabilities, (…, 2), of `CALM_DISTRESS`; see `log_odds`."""
        odds = self.log_odds(embeddings, line)
        return np.stack((-np.logaddexp(0.0, odds), -np.logaddexp(0.0, -odds)), axis=-1)

    def temperature_of(self, line: Line | None) -> float:
        """That of the line, or the shared one."""
        return self.temperature if line is None else self.by_line.get(line, self.temperature)

    def calibrated(self, temperature: float, by_line: Mapping[Line, float] | None = None) -> Self:
        """The same head with these temperatures."""
        return replace(self, temperature=temperature, by_line=dict(by_line or {}))
