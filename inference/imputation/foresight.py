"""The three jobs of imputation in a service; none of them touches a probability."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.imputation.contract import Floats, Imputer
from inference.imputation.ellipsoid import DRAWS, Ellipsoid
from inference.imputation.probe import Probe, pattern_of
from inference.imputed import imputed
from inference.labels import MODALITIES, Modality
from inference.projection import Projection
from inference.score import Expectation

WOULD_CHANGE_DRAWS: Final = 16
SEED: Final = 0
"""One for all windows: each row's chance comes from its own content besides."""


@dataclass(frozen=True, slots=True, eq=False)
class ImputedForesight:
    """Value of information, surprise and searchable continuity.

    A function of the projection alone: no clock, no state, so a replay says the same.

    Attributes:
        imputer: draws.
        probe: decides, with and without.
        version: as published in every score.
    """

    imputer: Imputer
    probe: Probe
    version: str

    def expect(self, projection: Projection) -> dict[Modality, Expectation]:
        """What the present modalities let expect of each; see `Expectation`.

        Nothing of a modality that the imputer was not trained to draw, nor from one.
        """
        return {
            modality: expectation
            for modality in MODALITIES
            if modality in self.imputer.expects
            for expectation in [self._expectation(projection, modality)]
            if expectation is not None
        }

    def complete(self, projection: Projection) -> Projection:
        """Absent rows are the mean of the draws at length one; `present` stays what it was.

        Such rows bear the mark of `inference.imputed`: they can be searched for, and no
        evidence can be made of them. Where nothing can be expected, nothing changes.
        """
        seen = self._seen(projection)
        if not seen.any() or (seen == self._expected).all():
            return projection
        drawn = self._drawn(projection.parts, seen, WOULD_CHANGE_DRAWS)
        means = drawn.mean(axis=0, dtype=np.float64)
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        unit = np.divide(means, lengths, out=np.zeros_like(means), where=lengths > 0)
        parts = np.where(projection.present[:, None], projection.parts, unit.astype(np.float32))
        return Projection(imputed(parts), projection.present)

    @property
    def _expected(self) -> NDArray[np.bool_]:
        """(3,) which modalities the imputer knows."""
        return np.array([modality in self.imputer.expects for modality in MODALITIES])

    def _seen(self, projection: Projection) -> NDArray[np.bool_]:
        """(3,) what it may go by."""
        seen: NDArray[np.bool_] = projection.present & self._expected
        return seen

    def _expectation(self, projection: Projection, modality: Modality) -> Expectation | None:
        place = MODALITIES.index(modality)
        others = self._seen(projection)
        others[place] = False
        if not others.any():
            return None
        if projection.present[place]:
            drawn = self._drawn(projection.parts, others, DRAWS)[:, place]
            return Expectation(surprise=Ellipsoid.of(drawn).surprise(projection.parts[place]))
        share = self._would_change(projection.parts, others, place)
        return None if share is None else Expectation(would_change=share)

    def _would_change(self, parts: Floats, present: NDArray[np.bool_], place: int) -> float | None:
        """Share of draws with which the probe names another label than without them."""
        joined = present.copy()
        joined[place] = True
        without, beside = pattern_of(present), pattern_of(joined)
        if not (self.probe.knows(without) and self.probe.knows(beside)):
            return None
        drawn = self._drawn(parts, present, WOULD_CHANGE_DRAWS)
        now = self.probe.log_probs(parts[None], without).argmax(axis=1)
        then = self.probe.log_probs(drawn, beside).argmax(axis=1)
        return float((then != now).mean())

    def _drawn(self, parts: Floats, present: NDArray[np.bool_], n: int) -> Floats:
        """(n, 3, size)."""
        return self.imputer.sample(parts[None], present[None], n, SEED)[:, 0]
