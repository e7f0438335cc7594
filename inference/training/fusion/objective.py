"""The loss of a learned fuser: the terms put together, over items drawn anew every epoch."""

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from inference.labels import MODALITIES, Modality
from inference.training.fusion import losses
from inference.training.fusion.draws import drop_modalities, drop_tokens, stale
from inference.training.fusion.material import FRESHNESS, FusionMaterial, Inputs, conflicts, take
from inference.training.loop import SEEDS_APART

BATCH: Final = 256
JUDGING_SEED: Final = 0
"""What the held-out items lose is the same in every epoch, and for every seed."""
LATE_FRESHNESS: Final = 0.0
"""Of words that are a window old."""
TEXT: Final = MODALITIES.index(Modality.TEXT)


class Reading(NamedTuple):
    """What a network says of n items.

    Attributes:
        log_probs: (n, c).
        embeddings: (n, m, d) of each modality by itself.
        evidence: (n, c) at least 0, of a network that counts evidence.
    """

    log_probs: Tensor
    embeddings: Tensor
    evidence: Tensor | None = None


class Reader(Protocol):
    """A network that is trained. Owned here, implemented around those of `inference.fusion`."""

    width: int
    """Of an embedding."""

    def __call__(self, inputs: Inputs) -> Reading:
        """Read items."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How much each term counts beside the cross-entropy."""

    probes: float = 0.5
    distillation: float = 0.3
    alignment: float = 0.1
    symmetry: float = 0.05
    invariance: float = 0.1


class Heads(nn.Module):
    """Heads that are needed in training alone: what each modality says by itself.

    Args:
        width: of an embedding.
        labels: c.
        modalities: m.
    """

    def __init__(self, width: int, labels: int, modalities: int) -> None:
        super().__init__()
        self.shared_width = min(losses.SHARED_DIMENSIONS, width // 2)
        self.probes = nn.ModuleList(nn.Linear(width, labels) for _ in range(modalities))
        self.shared = nn.Linear(self.shared_width, labels)

    def alone(self, embeddings: Tensor) -> Tensor:
        """(n, m, c) log-probabilities from the whole of each embedding."""
        said = [probe(embeddings[:, place]) for place, probe in enumerate(self.probes)]
        return torch.stack(said, dim=1).log_softmax(dim=-1)

    def in_common(self, embeddings: Tensor) -> Tensor:
        """(n, m, c) log-probabilities from the shared half, by one head for all."""
        said: Tensor = self.shared(embeddings[..., : self.shared_width])
        return said.log_softmax(dim=-1)


class FusionLosses:
    """`inference.training.loop.Losses` of a learned fuser.

    L = CE(masked) + .5 probes + .3 tau^2 KL(full || masked) + .1 alignment
    + .05 (symmetry + orthogonality) + .1 invariance; a network that counts evidence has the
    evidential loss in place of CE.

    Args:
        reader: the network.
        heads: of training.
        learned: items to learn from.
        held_out: items of other speakers, for early stopping.
        terms: how much each term counts.
    """

    def __init__(
        self,
        reader: Reader,
        heads: Heads,
        learned: FusionMaterial,
        held_out: FusionMaterial,
        terms: Terms | None = None,
    ) -> None:
        self.reader, self.heads, self.learned = reader, heads, learned
        self.terms = terms or Terms()
        self.weights = losses.class_weights(learned.targets)
        self.classes = learned.targets.argmax(dim=1)
        self.conflicts = conflicts(learned.inputs)
        self.epoch = 0
        self.order = torch.arange(learned.n)
        self.full = self.masked = learned.inputs
        self.held_out = held_out
        self.judging = _judging(held_out)

    def batches(self, generator: torch.Generator) -> int:
        """Order the items, make some words late, drop modalities and tokens."""
        self.epoch = generator.initial_seed() % SEEDS_APART  # a training that goes on counts on
        random = _numpy(generator)
        self.order = torch.from_numpy(random.permutation(self.learned.n))
        self.full = _with_late_words(self.learned, random)
        self.masked = _dropped(self.full, random)
        return -(-self.learned.n // BATCH)

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:  # noqa: ARG002 - drawn before
        """Of one batch; see the class."""
        rows = self.order[batch * BATCH : (batch + 1) * BATCH]
        inputs, targets = take(self.full, rows), self.learned.targets[rows]
        full, masked = self.reader(inputs), self.reader(take(self.masked, rows))
        z, present, terms = full.embeddings, inputs.present, self.terms
        total = self._main(masked, targets)
        total = total + terms.distillation * losses.self_distillation(
            full.log_probs, masked.log_probs
        )
        total = total + terms.probes * losses.probe_loss(
            self.heads.alone(z), present, targets, self.weights, losses.SMOOTHING
        )
        total = total + terms.alignment * losses.alignment_loss(z, present, self.classes[rows])
        total = total + terms.symmetry * (
            losses.symmetric_loss(self.heads.in_common(z), present, self.conflicts[rows])
            + losses.orthogonality(z, present)
        )
        if terms.invariance and self.learned.views:
            total = total + terms.invariance * self._invariance(full, inputs, rows)
        return total

    @torch.no_grad()
    def judge(self) -> float:
        """NLL of held-out items, whole and with modalities dropped, nats."""
        targets = self.held_out.targets
        return float(
            np.mean(
                [
                    -(targets * self.reader(inputs).log_probs).sum(dim=1).mean().item()
                    for inputs in self.judging
                ]
            )
        )

    def _main(self, masked: Reading, targets: Tensor) -> Tensor:
        if masked.evidence is None:
            return losses.cross_entropy(masked.log_probs, targets, self.weights)
        return losses.evidential_loss(masked.evidence, targets, self.weights, self.epoch)

    def _invariance(self, full: Reading, inputs: Inputs, rows: Tensor) -> Tensor:
        """Against the other view of those modalities that have one."""
        views = {m: tokens[rows] for m, tokens in self.learned.views.items()}
        seen = self.reader(inputs._replace(tokens=inputs.tokens | views))
        has = torch.tensor([m in views for m in MODALITIES[: inputs.present.shape[1]]])
        return losses.invariance_loss(full.embeddings, seen.embeddings, inputs.present & has)


def _judging(held_out: FusionMaterial) -> tuple[Inputs, Inputs]:
    random = np.random.default_rng(JUDGING_SEED)
    present = drop_modalities(held_out.inputs.present.numpy(), random, rate=1.0)
    return held_out.inputs, held_out.inputs._replace(present=torch.from_numpy(present))


def _with_late_words(material: FusionMaterial, random: np.random.Generator) -> Inputs:
    """Some items get the words of another moment, and words that say how old they are."""
    inputs = material.inputs
    if Modality.TEXT not in inputs.tokens:
        return inputs
    late, source = stale(material.truth, random)
    late &= inputs.present[:, TEXT].numpy() & inputs.present[source, TEXT].numpy()
    rows = torch.from_numpy(np.where(late, source, np.arange(material.n)))
    support, quality = inputs.support.clone(), inputs.quality.clone()
    support[:, TEXT], quality[:, TEXT] = inputs.support[rows, TEXT], inputs.quality[rows, TEXT]
    quality[torch.from_numpy(late), TEXT, FRESHNESS] = LATE_FRESHNESS
    text = Modality.TEXT
    return inputs._replace(
        support=support,
        quality=quality,
        tokens=inputs.tokens | {text: inputs.tokens[text][rows]},
        masks=inputs.masks | {text: inputs.masks[text][rows]},
    )


def _dropped(inputs: Inputs, random: np.random.Generator) -> Inputs:
    return inputs._replace(
        present=torch.from_numpy(drop_modalities(inputs.present.numpy(), random)),
        masks={
            modality: torch.from_numpy(drop_tokens(mask.numpy(), random))
            for modality, mask in inputs.masks.items()
        },
    )


def _numpy(generator: torch.Generator) -> np.random.Generator:
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
