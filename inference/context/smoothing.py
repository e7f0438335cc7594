"""Exponential smoothing in event time: what a curve for people looks like without a model."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.context.carried import Carried, decode, encode
from inference.context.observation import by_label, log_probs_of, rounded
from inference.score import ContextReport, WindowScore
from inference.units import SECOND_NS

HALF_LIFE_NS: Final = 4 * SECOND_NS
"""As smoothed distress has."""

Floats = NDArray[np.float64]


class Smoothed(Carried, frozen=True, kw_only=True, array_like=True, tag="smoothing"):
    """Seven smoothed probabilities, and smoothed distress."""

    emotions: tuple[float, float, float, float, float, float, float]
    distress: float | None = None


class Smoothing:
    """The mean of a participant's windows, each counting half as much every `HALF_LIFE_NS`.

    It assumes nothing and lags by design: the bar that models of context are held to. Windows
    without an estimate leave everything as it is.
    """

    version: Final = "smoothing-1"

    def advance(self, state: bytes, score: WindowScore) -> tuple[ContextReport | None, bytes]:
        """See `inference.methods.Context`."""
        if score.emotions is None:
            return None, state
        before = decode(state, Smoothed, self.version)
        now = np.exp(log_probs_of(score.emotions))
        distress = None if score.distress is None else score.distress.probability
        if before is not None:
            kept = 2.0 ** (-(score.end_ns - before.until_ns) / HALF_LIFE_NS)
            now = now + kept * (np.array(before.emotions) - now)
            if distress is None:
                distress = before.distress
            elif before.distress is not None:
                distress = distress + kept * (before.distress - distress)
        after = Smoothed(
            made_by=self.version,
            until_ns=score.end_ns,
            emotions=tuple(now.tolist()),
            distress=distress,
        )
        return ContextReport(
            emotions=by_label(now),
            distress=None if distress is None else rounded(distress),
        ), encode(after)
