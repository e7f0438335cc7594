"""Windows as tensors: what every network of fusion is asked with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from inference.fusion.late import FULL_WEIGHT
from inference.fusion.reading import QUALITIES


@dataclass(frozen=True, slots=True, eq=False)
class FusionBatch:
    """Groups of several windows, one a modality, in the order of the network's readings.

    Nothing in a place that is not present counts, whatever stands there.

    Attributes:
        support: (batch, modality, label) log of a probability over an even prior.
        distress: (batch, modality) log odds against an even prior; 0 where nothing is said.
        weight: (batch, modality) late weight, at least 0; a place without weight is absent.
        quality: (batch, modality, quality) in [0, 1], 1 best, see `QUALITIES`.
        present: (batch, modality) bool.
        vectors: by modality, (batch, width); width 0 where support is all that is read.
        tokens: by modality, (batch, token, width).
        token_present: by modality, (batch, token) bool.
        log_prior: (label,) of the deployment, natural log.
    """

    support: Tensor
    distress: Tensor
    weight: Tensor
    quality: Tensor
    present: Tensor
    vectors: tuple[Tensor, ...]
    tokens: tuple[Tensor, ...]
    token_present: tuple[Tensor, ...]
    log_prior: Tensor

    @classmethod
    def of_vectors(
        cls,
        support: Tensor,
        present: Tensor,
        vectors: Sequence[Tensor],
        *,
        log_prior: Tensor | None = None,
        distress: Tensor | None = None,
        weight: Tensor | None = None,
        quality: Tensor | None = None,
    ) -> Self:
        """Items of a corpus, each modality a single token; what is left out is at its best.

        Args:
            support: (batch, modality, label).
            present: (batch, modality) bool.
            vectors: by modality, (batch, width); width 0 for a reading without a space.
            log_prior: (label,); None is even.
            distress: (batch, modality) log odds; None says nothing.
            weight: (batch, modality); None is the full late weight.
            quality: (batch, modality, quality); None is 1.
        """
        batch, modalities, labels = support.shape
        if log_prior is None:
            log_prior = support.new_full((labels,), 1.0 / labels).log()
        if quality is None:
            quality = support.new_ones(batch, modalities, len(QUALITIES))
        return cls(
            support=support,
            distress=support.new_zeros(batch, modalities) if distress is None else distress,
            weight=support.new_full((batch, modalities), FULL_WEIGHT) if weight is None else weight,
            quality=quality,
            present=present,
            vectors=tuple(vectors),
            tokens=tuple(one[:, None] for one in vectors),
            token_present=tuple(present[:, place, None] for place in range(modalities)),
            log_prior=log_prior,
        )

    def __len__(self) -> int:
        """How many windows."""
        return len(self.present)

    @property
    def gain(self) -> Tensor:
        """(batch, 1) how far the best heard modality carries: 1 at full weight, 0 if none is.

        What a network says is multiplied by it: fading input fades to the prior, as it does in
        the product, though shares are normalised.
        """
        return (self.weight.amax(dim=-1, keepdim=True) / FULL_WEIGHT).clamp(max=1.0)

    def core(self) -> tuple[Tensor, Tensor]:
        """What the product adds to the prior: (batch, label) logits, (batch,) distress log odds."""
        return (self.weight[..., None] * self.support).sum(1), (self.weight * self.distress).sum(1)

    def masked(self) -> Self:
        """The same with zeros wherever nothing is present; a place without weight is absent."""
        present = self.present & (self.weight > 0)
        behind = ~present
        token_present = tuple(
            one & present[:, place, None] for place, one in enumerate(self.token_present)
        )
        return replace(
            self,
            support=self.support.masked_fill(behind[..., None], 0.0),
            distress=self.distress.masked_fill(behind, 0.0),
            weight=self.weight.masked_fill(behind, 0.0),
            quality=self.quality.masked_fill(behind[..., None], 0.0),
            present=present,
            vectors=tuple(
                one.masked_fill(behind[:, place, None], 0.0)
                for place, one in enumerate(self.vectors)
            ),
            tokens=tuple(
                one.masked_fill(~there[..., None], 0.0)
                for one, there in zip(self.tokens, token_present, strict=True)
            ),
            token_present=token_present,
        )

    def rows(self, index: Tensor) -> Self:
        """Some of the windows, in the order of `index`, (n,) int."""
        return replace(
            self,
            support=self.support[index],
            distress=self.distress[index],
            weight=self.weight[index],
            quality=self.quality[index],
            present=self.present[index],
            vectors=tuple(one[index] for one in self.vectors),
            tokens=tuple(one[index] for one in self.tokens),
            token_present=tuple(one[index] for one in self.token_present),
        )

    def without(self, dropped: Tensor) -> Self:
        """The same without the modalities that `dropped`, (batch, modality) bool, names."""
        return replace(self, present=self.present & ~dropped)

    def without_tokens(self, dropped: Sequence[Tensor]) -> Self:
        """The same without the tokens that `dropped`, by modality (batch, token) bool, names.

        A modality keeps its first token where all are named.
        """
        kept = []
        for one, drop in zip(self.token_present, dropped, strict=True):
            left = one & ~drop
            none = (one.any(dim=1) & ~left.any(dim=1))[:, None]
            first = torch.zeros_like(one).scatter_(1, one.int().argmax(dim=1, keepdim=True), 1)
            left = left | (none & first.bool())
            kept.append(left)
        return replace(self, token_present=tuple(kept))
