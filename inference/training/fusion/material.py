"""Items that a learned fuser is trained on, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.fusion.product import conflict
from inference.labels import MODALITIES, Modality

QUALITIES: Final = ("present_share", "level", "freshness", "confidence")
"""In the order of the last axis of `quality`."""
FRESHNESS: Final = QUALITIES.index("freshness")


class Inputs(NamedTuple):
    """What a network reads of n items.

    Attributes:
        support: (n, m, c) log-probabilities over the expert's prior.
        present: (n, m) bool, at least one of each row.
        quality: (n, m, 4) in [0, 1], see `QUALITIES`; not a number where unknown.
        tokens: by modality, (n, t, d) what the expert read.
        masks: by modality, (n, t) bool, which tokens are there.
    """

    support: Tensor
    present: Tensor
    quality: Tensor
    tokens: dict[Modality, Tensor]
    masks: dict[Modality, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class FusionMaterial:
    """Items with their truth; see `Inputs` for the shapes.

    Attributes:
        targets: (n, c) shares of votes, or one-hot.
        speakers: (n,) who is heard or seen: nobody is on both sides of a split.
        views: by modality, (n, t, d) the same moments through another line or lens.
    """

    inputs: Inputs
    targets: Tensor
    speakers: NDArray[np.str_]
    views: Mapping[Modality, Tensor] = field(default_factory=dict)

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
        """Some items, by number or by mark; an item may come several times."""
        chosen = torch.from_numpy(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)
        return FusionMaterial(
            take(self.inputs, chosen),
            self.targets[chosen],
            self.speakers[chosen.numpy()],
            {modality: tokens[chosen] for modality, tokens in self.views.items()},
        )

    def together(self, partners: Mapping[Modality, NDArray[np.intp]]) -> "FusionMaterial":
        """Items put together anew, each modality's part from its own row; see `pseudo_triples`.

        Truth and speaker are those of the first modality in `partners`.
        """
        rows = {modality: torch.from_numpy(chosen) for modality, chosen in partners.items()}
        lead = next(iter(rows.values()))
        places = [
            rows.get(modality, lead) for modality in MODALITIES[: self.inputs.present.shape[1]]
        ]
        return FusionMaterial(
            Inputs(
                *(
                    torch.stack([part[chosen, place] for place, chosen in enumerate(places)], dim=1)
                    for part in (self.inputs.support, self.inputs.present, self.inputs.quality)
                ),
                {m: tokens[rows.get(m, lead)] for m, tokens in self.inputs.tokens.items()},
                {m: mask[rows.get(m, lead)] for m, mask in self.inputs.masks.items()},
            ),
            self.targets[lead],
            self.speakers[lead.numpy()],
            {m: tokens[rows.get(m, lead)] for m, tokens in self.views.items()},
        )


def take(inputs: Inputs, rows: Tensor) -> Inputs:
    """Some items, by number, (k,)."""
    return Inputs(
        inputs.support[rows],
        inputs.present[rows],
        inputs.quality[rows],
        {modality: tokens[rows] for modality, tokens in inputs.tokens.items()},
        {modality: mask[rows] for modality, mask in inputs.masks.items()},
    )


def conflicts(inputs: Inputs) -> Tensor:
    """(n,) how far the present modalities of each item disagree, nats."""
    support = inputs.support.double().numpy()
    present = inputs.present.numpy()
    return torch.tensor(
        [conflict(rows[there]) for rows, there in zip(support, present, strict=True)],
        dtype=inputs.support.dtype,
    )


def speaker_split(
    speakers: NDArray[np.str_], share: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    """(n,) items of some speakers, about `share` of them and at least one, drawn at random."""
    names = np.unique(speakers)
    count = min(max(1, round(share * len(names))), max(1, len(names) - 1))
    return np.isin(speakers, random.permutation(names)[:count])
