"""Moments by description and by labels of one's own: words made vectors, then searched for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inference.alignment.own_labels import Calibrated, RankOnly, calibrate, label_vector
from inference.methods import SharedSpace
from storage.moment_search import MomentSearch, Ranking, Size, similarity_of
from storage.moments import MomentFilter, MomentKey, Vector
from storage.own_labels import LabelJudgement

MOST_JUDGED: Final = 200
"""Judgements that a probability rests on, the newest: each is left out once to try the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRanking:
    """Moments that may have a label, and what their similarity says."""

    ranking: Ranking
    calibration: Calibrated | RankOnly
    probabilities: tuple[float, ...] | None
    """Of the moments of `ranking`; None while there is only an order."""


@dataclass(frozen=True, slots=True)
class Finder:
    """Searches one database in one shared space.

    Attributes:
        space: makes vectors of words.
        moments: opened for that space.
    """

    space: SharedSpace
    moments: MomentSearch

    async def described(self, tenant: str, text: str, wanted: MomentFilter, size: Size) -> Ranking:
        """Moments of a tenant that are near `text`.

        Raises AffectstreamError where the space knows no word of it, StoreUnavailableError.
        """
        query = await asyncio.to_thread(self.space.query, text)
        return await self.moments.find(tenant, query, wanted, size)

    async def vector(self, prompts: Sequence[str]) -> Vector:
        """Of a label with these prompts. Raises AffectstreamError where they cannot be one."""
        return await asyncio.to_thread(label_vector, prompts, self.space.query)

    async def labelled(
        self,
        tenant: str,
        prompts: Sequence[str],
        judged: Sequence[LabelJudgement],
        wanted: MomentFilter,
        size: Size,
    ) -> LabelRanking:
        """Moments that are near a label, with its probability once enough of it was judged.

        Args:
            tenant: only theirs.
            prompts: of the label.
            judged: what people said of it. Moments that are gone, or were stored under
                another version of the space, do not count.
            wanted: which moments are ranked at all.
            size: of the result.

        Raises AffectstreamError where the space knows no word of a prompt,
        StoreUnavailableError.
        """
        label = await self.vector(prompts)
        ranking = await self.moments.find(tenant, label, wanted, size)
        said = {one.key: one.holds for one in judged}
        similarities = await self._similarities(tenant, label, list(said))
        calibration = await asyncio.to_thread(
            calibrate,
            np.array(list(similarities.values()), dtype=np.float64),
            np.array([said[key] for key in similarities], dtype=np.bool_),
        )
        probabilities = None
        if isinstance(calibration, Calibrated):
            found = np.array([one.similarity for one in ranking.moments])
            probabilities = tuple(round(float(p), 4) for p in calibration.probability(found))
        return LabelRanking(ranking=ranking, calibration=calibration, probabilities=probabilities)

    async def _similarities(
        self, tenant: str, label: Vector, keys: Sequence[MomentKey]
    ) -> dict[MomentKey, float]:
        """Cosines of those of `keys` that are there, in their order."""
        there = await self.moments.vectors(tenant, keys)
        return {key: similarity_of(there[key].vector, label) for key in keys if key in there}
