"""The loss of a learned fuser: the terms put together, over items drawn anew every epoch."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.fusion.attention import AttentionNetwork
from inference.fusion.batch import FusionBatch
from inference.fusion.evidential import EvidentialNetwork
from inference.fusion.feature import FeatureNetwork
from inference.fusion.hybrid import HybridNetwork
from inference.fusion.network import FusionNetwork, Said
from inference.fusion.reading import QUALITIES
from inference.labels import Modality
from inference.training.fusion import losses
from inference.training.fusion.draws import drop_modalities, drop_tokens, stale
from inference.training.fusion.material import FusionMaterial, conflicts, recombined
from inference.training.loop import SEEDS_APART

BATCH: Final = 256
JUDGING_SEED: Final = 0
"""What the held-out items lose is the same in every epoch, and for every seed."""
FRESHNESS: Final = QUALITIES.index("freshness")
LATE_FRESHNESS: Final = 0.0
"""Of words that are a window old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How much each term counts beside the cross-entropy."""

    probes: float = 0.5
    distillation: float = 0.3
    alignment: float = 0.1
    symmetry: float = 0.05
    invariance: float = 0.1
    distress: float = 0.5


class Heads(nn.Module):
    """Heads that are needed in training alone: what each modality says by itself.

    Args:
        labels: c.
        modalities: m.
        width: of an embedding; 0 where there are none.
    """

    def __init__(self, labels: int, modalities: int, width: int) -> None:
        super().__init__()
        places = modalities if width else 0
        self.probes = nn.ModuleList(nn.Linear(width, labels) for _ in range(places))
        self.shared = nn.Linear(width // 2, labels) if width else nn.Identity()

    def alone(self, z: Tensor) -> Tensor:
        """(n, m, c) log-probabilities from the whole of each embedding."""
        said = [probe(z[:, place]) for place, probe in enumerate(self.probes)]
        return torch.stack(said, dim=1).log_softmax(dim=-1)

    def in_common(self, shared: Tensor) -> Tensor:
        """(n, m, c) log-probabilities from the shared halves, by one head for all."""
        said: Tensor = self.shared(shared)
        return said.log_softmax(dim=-1)


class Trainee(nn.Module):
    """A network and the heads of its training, which are thrown away afterwards."""

    def __init__(self, network: FusionNetwork, heads: Heads) -> None:
        super().__init__()
        self.network = network
        self.heads = heads


class FusionLosses:
    """`inference.training.loop.Losses` of a learned fuser.

    L = CE(masked) + .5 probes + .3 tau^2 KL(full || masked) + .1 alignment + .05 (symmetry +
    orthogonality) + .1 invariance + .5 distress. An evidential network has the evidential loss
    in place of CE, and no embeddings, so nothing that is about them.

    The prior in training is that of the weighted items, so that what a network adds to it is a
    likelihood ratio, and a deployment may put its own prior in its place.

    Args:
        trainee: whose network is trained.
        learned: items to learn from.
        held_out: items of other speakers, for early stopping.
        terms: how much each term counts.
    """

    def __init__(
        self,
        trainee: Trainee,
        learned: FusionMaterial,
        held_out: FusionMaterial,
        terms: Terms | None = None,
    ) -> None:
        self.trainee = trainee
        self.terms = terms or Terms()
        self.weights = losses.class_weights(learned.targets)
        counts = (learned.targets.sum(dim=0) * self.weights).clamp(min=1e-6)
        prior = (counts / counts.sum()).log()
        self.learned = replace(learned, batch=replace(learned.batch, log_prior=prior))
        self.classes = learned.targets.argmax(dim=1)
        self.conflicts = conflicts(learned.batch)
        self.epoch = 0
        self.order = torch.arange(learned.n)
        self.full = self.masked = self.learned.batch
        self.held_out = held_out
        self.judging = _judging(held_out)

    def batches(self, generator: torch.Generator) -> int:
        """Order the items, make some words late, drop modalities and tokens."""
        self.epoch = generator.initial_seed() % SEEDS_APART  # a training that goes on counts on
        random = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        self.order = torch.from_numpy(random.permutation(self.learned.n))
        self.full = with_late_words(self.learned, random)
        self.masked = with_losses(self.full, random)
        return -(-self.learned.n // BATCH)

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:  # noqa: ARG002 - all is drawn
        """Of one batch; see the class."""
        rows = self.order[batch * BATCH : (batch + 1) * BATCH]
        targets = self.learned.targets[rows]
        whole, less = self.full.rows(rows), self.masked.rows(rows)
        masked = self.trainee.network(less)
        total = self._main(masked, less, targets)
        total = total + self.terms.distress * self._distress(masked, rows)
        z = embedded(self.trainee.network, whole)
        if z is None:
            return total
        return (
            total
            + self.terms.distillation * self._distillation(masked, whole, less)
            + self._of_embeddings(z, whole, targets, rows)
        )

    @torch.no_grad()
    def judge(self) -> float:
        """NLL of held-out items, whole and with modalities dropped, nats.

        Items are weighted to the label shares of their own log prior.
        """
        targets = self.held_out.targets
        shares = targets.mean(dim=0).clamp(min=1e-9)
        weights = targets @ (self.held_out.batch.log_prior.exp() / shares)
        found = []
        for batch in self.judging:
            lost = -(targets * log_probs(self.trainee.network(batch), batch)).sum(dim=1)
            found.append(((weights * lost).sum() / weights.sum()).item())
        return float(np.mean(found))

    def _main(self, masked: Said, batch: FusionBatch, targets: Tensor) -> Tensor:
        network = self.trainee.network
        if isinstance(network, EvidentialNetwork):
            evidence = network.opinions(batch).combined_alpha - 1.0
            return losses.evidential_loss(evidence, targets, self.weights, self.epoch)
        return losses.cross_entropy(log_probs(masked, batch), targets, self.weights)

    def _distress(self, masked: Said, rows: Tensor) -> Tensor:
        """Against even odds; items that are on neither side say nothing."""
        distressed = self.learned.distress[rows]
        sided = ~distressed.isnan()
        if not bool(sided.any()) or not masked.distress.requires_grad:
            return masked.logits.sum() * 0.0
        return functional.binary_cross_entropy_with_logits(
            masked.distress[sided], distressed[sided]
        )

    def _distillation(self, masked: Said, whole: FusionBatch, less: FusionBatch) -> Tensor:
        """Of the items that lost a modality; the others would teach themselves what they say."""
        lost = (whole.present & ~less.present).any(dim=1).nonzero().squeeze(1)
        if len(lost) == 0:
            return masked.logits.sum() * 0.0
        full = whole.rows(lost)
        with torch.no_grad():
            teacher = log_probs(self.trainee.network(full), full)
        pupil = log_probs(masked, less)[lost]
        return losses.self_distillation(teacher, pupil) * (len(lost) / len(less))

    def _of_embeddings(
        self, z: Tensor, whole: FusionBatch, targets: Tensor, rows: Tensor
    ) -> Tensor:
        terms, heads, present = self.terms, self.trainee.heads, whole.present
        total = terms.probes * losses.probe_loss(
            heads.alone(z), present, targets, self.weights, losses.SMOOTHING
        )
        total = total + terms.alignment * losses.alignment_loss(z, present, self.classes[rows])
        shared = z[..., : z.shape[-1] // 2]
        total = total + terms.symmetry * (
            losses.symmetric_loss(heads.in_common(shared), present, self.conflicts[rows])
            + losses.orthogonality(z, present)
        )
        if self.learned.views is not None:
            views = self.learned.views.rows(rows)
            seen = embedded(self.trainee.network, views)
            if seen is not None:
                total = total + terms.invariance * losses.invariance_loss(
                    z, seen, present & views.present
                )
        return total


def embedded(network: FusionNetwork, batch: FusionBatch) -> Tensor | None:
    """(n, m, width) of each modality by itself; None from a network that has no adapters."""
    if isinstance(network, FeatureNetwork | AttentionNetwork | HybridNetwork):
        return network.encoder.adapters.of_windows(batch.masked())
    return None


def log_probs(said: Said, batch: FusionBatch) -> Tensor:
    """(n, c) of what a network said, under the prior of its batch."""
    return (batch.log_prior + said.logits).log_softmax(dim=-1)


def with_late_words(material: FusionMaterial, random: np.random.Generator) -> FusionBatch:
    """Some items get the words of another moment, whose freshness says so."""
    batch = material.batch
    if Modality.TEXT not in material.modalities:
        return batch
    text = material.modalities.index(Modality.TEXT)
    late, source = stale(material.truth, random)
    own = np.arange(material.n)
    worded = batch.present[:, text].numpy()
    late &= worded & worded[source]
    words = torch.from_numpy(np.where(late, source, own))
    moved = recombined(
        batch,
        [words if place == text else torch.from_numpy(own) for place in range(len(batch.vectors))],
    )
    quality = moved.quality.clone()
    quality[torch.from_numpy(late), text, FRESHNESS] = LATE_FRESHNESS
    return replace(moved, quality=quality)


def with_losses(batch: FusionBatch, random: np.random.Generator) -> FusionBatch:
    """Half of the items lose modalities, and each token is lost with a fifth."""
    return replace(
        batch,
        present=torch.from_numpy(drop_modalities(batch.present.numpy(), random)),
        token_present=tuple(
            torch.from_numpy(drop_tokens(mask.numpy(), random)) for mask in batch.token_present
        ),
    )


def _judging(held_out: FusionMaterial) -> tuple[FusionBatch, FusionBatch]:
    random = np.random.default_rng(JUDGING_SEED)
    present = drop_modalities(held_out.batch.present.numpy(), random, rate=1.0)
    return held_out.batch, replace(held_out.batch, present=torch.from_numpy(present))
