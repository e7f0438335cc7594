"""Items that a learned fuser is trained on, as one batch with their truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.fusion.batch import FusionBatch
from inference.fusion.product import conflict
from inference.labels import DISTRESS, NOT_DISTRESS, Emotion, Modality


@dataclass(frozen=True, slots=True, eq=False)
class FusionMaterial:
    """n items of m modalities, in the order of the network's readings, with c labels.

    Attributes:
        modalities: (m,) of the batch.
        batch: what is read; its log prior is that of the population to be judged on.
        targets: (n, c) float32 shares of votes, or one-hot.
        distress: (n,) 1 or 0; not a number where the label is on neither side.
        speakers: (n,) who is heard or seen: nobody is on both sides of a split.
        views: the same moments through another line or lens, if there are any.
    """

    modalities: tuple[Modality, ...]
    batch: FusionBatch
    targets: Tensor
    distress: Tensor
    speakers: NDArray[np.str_]
    views: FusionBatch | None = None

    @property
    def n(self) -> int:
        """Items."""
        return len(self.targets)

    @property
    def truth(self) -> NDArray[np.integer]:
        """(n,) column of the likeliest label."""
        found: NDArray[np.integer] = self.targets.argmax(dim=1).numpy()
        return found

    def of(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "FusionMaterial":
        """Some items, by number or by mark; by number an item may come several times."""
        numbers = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        chosen = torch.from_numpy(numbers.astype(np.int64))
        return replace(
            self,
            batch=self.batch.rows(chosen),
            targets=self.targets[chosen],
            distress=self.distress[chosen],
            speakers=self.speakers[numbers],
            views=None if self.views is None else self.views.rows(chosen),
        )

    def together(self, partners: Mapping[Modality, NDArray[np.intp]]) -> "FusionMaterial":
        """Items put together anew, each modality from a row of its own; see `pseudo_triples`.

        Truth and speaker are those of the first modality.
        """
        rows = [torch.from_numpy(partners[one].astype(np.int64)) for one in self.modalities]
        lead = self.of(partners[self.modalities[0]])
        return replace(
            lead,
            batch=recombined(self.batch, rows),
            views=None if self.views is None else recombined(self.views, rows),
        )


def recombined(batch: FusionBatch, rows: Sequence[Tensor]) -> FusionBatch:
    """Windows whose modality m is that of `batch` in `rows[m]`, (k,)."""

    def gathered(values: Tensor) -> Tensor:
        return torch.stack([values[chosen, place] for place, chosen in enumerate(rows)], dim=1)

    def each(values: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(one[chosen] for one, chosen in zip(values, rows, strict=True))

    return replace(
        batch,
        support=gathered(batch.support),
        distress=gathered(batch.distress),
        weight=gathered(batch.weight),
        quality=gathered(batch.quality),
        present=gathered(batch.present),
        vectors=each(batch.vectors),
        tokens=each(batch.tokens),
        token_present=each(batch.token_present),
    )


def one_hot(truth: NDArray[np.integer], labels: int) -> Tensor:
    """(n, labels) float32."""
    return torch.eye(labels)[torch.from_numpy(truth.astype(np.int64))]


def sides(labels: Sequence[str]) -> Tensor:
    """(n,) 1 where a label is distress, 0 where it is none, not a number where it is neither."""
    known = dict.fromkeys(DISTRESS, 1.0) | dict.fromkeys(NOT_DISTRESS, 0.0)
    return torch.tensor([known.get(Emotion(label), float("nan")) for label in labels])


def conflicts(batch: FusionBatch) -> Tensor:
    """(n,) how far the present modalities of each window disagree, nats."""
    support, present = batch.support.double().numpy(), batch.present.numpy()
    return torch.tensor(
        [conflict(rows[there]) for rows, there in zip(support, present, strict=True)],
        dtype=batch.support.dtype,
    )


def speaker_split(
    speakers: NDArray[np.str_], share: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    """(n,) items of some speakers, about `share` of them, drawn at random; never all or none.

    Args:
        speakers: (n,) of two or more.
        share: of the speakers.
        random: draws.
    """
    names = np.unique(speakers)
    count = min(max(1, round(share * len(names))), len(names) - 1)
    return np.isin(speakers, random.permutation(names)[:count])
