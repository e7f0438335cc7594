"""What a learned fuser is trained to make small, each term by itself.

Shapes: n items, m modalities in the order of `MODALITIES`, c labels, d dimensions of an
embedding. Every loss is a scalar in nats unless it says otherwise, and a modality that is absent
adds nothing to any of them.
"""

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

SMOOTHING: Final = 0.05
SOFTENING: Final = 2.0
"""Temperature tau of self-distillation."""
ALIGNMENT_TEMPERATURE: Final = 0.07
SHARED_DIMENSIONS: Final = 128
"""The first half of an embedding, that all modalities hold in common; the rest is private."""
ORTHOGONALITY: Final = 0.01
FULL_DIVERGENCE_EPOCH: Final = 20
"""From here on the evidential prior counts in full."""


def class_weights(targets: Tensor) -> Tensor:
    """(c,) square root of the commonest class's share over each one's; 0 where it never occurs.

    Args:
        targets: (n, c) shares of votes, or one-hot.
    """
    counts = targets.sum(dim=0)
    weights = (counts.max() / counts.clamp(min=1e-9)).sqrt()
    return torch.where(counts > 0, weights, torch.zeros_like(weights))


def cross_entropy(
    log_probs: Tensor, targets: Tensor, weights: Tensor, smoothing: float = SMOOTHING
) -> Tensor:
    """Weighted mean of the cross-entropy against smoothed targets.

    Source: Szegedy et al. 2016, section 7. Departure: targets may be shares of votes, and an
    item weighs what its labels weigh on average.

    Args:
        log_probs: (n, c).
        targets: (n, c) rows that sum to one.
        weights: (c,) see `class_weights`.
        smoothing: share of every target that is spread over all labels.
    """
    smooth = (1 - smoothing) * targets + smoothing / targets.shape[1]
    item = targets @ weights  # (n,)
    losses = -(smooth * log_probs).sum(dim=1)
    return (item * losses).sum() / item.sum().clamp(min=1e-9)


def probe_loss(
    log_probs: Tensor, present: Tensor, targets: Tensor, weights: Tensor, smoothing: float
) -> Tensor:
    """Cross-entropy of what each modality says alone, its mean over those that are present.

    Args:
        log_probs: (n, m, c).
        present: (n, m) bool.
        targets: (n, c).
        weights: (c,).
        smoothing: see `cross_entropy`.
    """
    rows, modalities = present.nonzero(as_tuple=True)
    if len(rows) == 0:
        return log_probs.sum() * 0.0
    return cross_entropy(log_probs[rows, modalities], targets[rows], weights, smoothing)


def self_distillation(full: Tensor, masked: Tensor, softening: float = SOFTENING) -> Tensor:
    """tau^2 KL(full || masked): what is said with less should be what is said with all.

    Source: Hinton et al. 2015, section 2. Departure: teacher and pupil are one network, and the
    teacher's gradient is stopped.

    Args:
        full: (n, c) log-probabilities with all that is there.
        masked: (n, c) the same with modalities dropped.
        softening: tau.
    """
    teacher = functional.log_softmax(full.detach() / softening, dim=1)
    pupil = functional.log_softmax(masked / softening, dim=1)
    divergence = functional.kl_div(pupil, teacher, reduction="batchmean", log_target=True)
    return softening**2 * divergence


def alignment_loss(
    embeddings: Tensor,
    present: Tensor,
    classes: Tensor,
    temperature: float = ALIGNMENT_TEMPERATURE,
) -> Tensor:
    """NT-Xent between the modalities of an item, where its class-mates are no strangers.

    For an embedding of one modality the candidates are all those of the other modalities that
    are present; positives are its own item's and those of items of the same class.

    Source: Chen et al. 2020, eq. 1; Khosla et al. 2020, eq. 2 (positives by label). Departure:
    a modality is never compared with itself, and missing pairs are masked.

    Args:
        embeddings: (n, m, d).
        present: (n, m) bool.
        classes: (n,) column of the likeliest label.
        temperature: of the similarities.

    Returns:
        Mean over the embeddings that have a candidate; 0 where there is none.
    """
    items, modalities = present.nonzero(as_tuple=True)
    unit = functional.normalize(embeddings[items, modalities], dim=1)  # (k, d)
    candidate = modalities[:, None] != modalities[None, :]
    positive = candidate & (classes[items][:, None] == classes[items][None, :])
    anchors = positive.any(dim=1)
    if not bool(anchors.any()):
        return embeddings.sum() * 0.0
    positive = positive[anchors]
    similarity = (unit[anchors] @ unit.T / temperature).masked_fill(~candidate[anchors], -math.inf)
    log_share = similarity - similarity.logsumexp(dim=1, keepdim=True)
    return -(log_share.masked_fill(~positive, 0.0).sum(dim=1) / positive.sum(dim=1)).mean()


def symmetric_loss(shared: Tensor, present: Tensor, conflict: Tensor) -> Tensor:
    """Half of KL(a || b) + KL(b || a) for every two modalities, each against the other's stop.

    Weighted by 1 - conflict: where words and voice disagree they are left alone.

    Args:
        shared: (n, m, c) log-probabilities read from the shared half of each embedding.
        present: (n, m) bool.
        conflict: (n,) see `inference.fusion.product.conflict`, nats.

    Returns:
        Mean over the pairs of modalities that are there; 0 where there is none.
    """
    weights = (1.0 - conflict).clamp(min=0.0)
    total = shared.sum() * 0.0
    pairs = torch.zeros((), dtype=shared.dtype)
    for a in range(shared.shape[1]):
        for b in range(a + 1, shared.shape[1]):
            both = (present[:, a] & present[:, b]).to(shared.dtype)
            one, other = shared[:, a], shared[:, b]
            forth = functional.kl_div(other.detach(), one, reduction="none", log_target=True)
            back = functional.kl_div(one.detach(), other, reduction="none", log_target=True)
            total = total + (0.5 * both * weights * (forth + back).sum(dim=1)).sum()
            pairs = pairs + both.sum()
    return total / pairs.clamp(min=1.0)


def orthogonality(embeddings: Tensor, present: Tensor) -> Tensor:
    """0.01 ||Zs^T Zp||^2 / B^2 of shared and private halves: agreement may not eat the rest.

    Without it, pulling modalities together deletes what only one of them knows: sarcasm.

    Args:
        embeddings: (n, m, d); the first `SHARED_DIMENSIONS` (half of a smaller d) are shared.
        present: (n, m) bool.
    """
    split = min(SHARED_DIMENSIONS, embeddings.shape[2] // 2)
    there = functional.normalize(embeddings[present], dim=1)  # (k, d)
    product = there[:, :split].T @ there[:, split:]
    return ORTHOGONALITY * product.square().sum() / max(len(there), 1) ** 2


def invariance_loss(embeddings: Tensor, views: Tensor, present: Tensor) -> Tensor:
    """Mean of 1 - cos(z, z of another view of the same): a bad line changes nobody's mood.

    Args:
        embeddings: (n, m, d), whose gradient is stopped.
        views: (n, m, d).
        present: (n, m) bool, in both.
    """
    if not bool(present.any()):
        return views.sum() * 0.0
    same = functional.cosine_similarity(embeddings.detach()[present], views[present], dim=1)
    return (1.0 - same).mean()


def evidential_loss(evidence: Tensor, targets: Tensor, weights: Tensor, epoch: int) -> Tensor:
    """Expected cross-entropy under a Dirichlet, and its distance from knowing nothing.

    sum_c y_c (psi(S) - psi(alpha_c)) + min(1, epoch / 20) KL(Dir(alpha~) || Dir(1)), with
    alpha = evidence + 1, S its sum, and alpha~ = y + (1 - y) alpha: the alpha of wrong labels.

    Source: Sensoy et al. 2018, eq. 4 and section 4; Han et al. 2021 (multi-view). Departure:
    classes are weighted, targets may be shares of votes.

    Args:
        evidence: (n, c) at least 0.
        targets: (n, c).
        weights: (c,).
        epoch: from 0.
    """
    alpha = evidence + 1.0
    total = alpha.sum(dim=1, keepdim=True)
    expected = (targets * (torch.digamma(total) - torch.digamma(alpha))).sum(dim=1)
    wrong = targets + (1.0 - targets) * alpha
    strength = min(1.0, epoch / FULL_DIVERGENCE_EPOCH)
    losses = expected + strength * _divergence_from_nothing(wrong)
    item = targets @ weights
    return (item * losses).sum() / item.sum().clamp(min=1e-9)


def _divergence_from_nothing(alpha: Tensor) -> Tensor:
    """(n,) KL(Dir(alpha) || Dir(1)), nats."""
    total = alpha.sum(dim=1, keepdim=True)
    logs = torch.lgamma(total.squeeze(1)) - math.lgamma(alpha.shape[1])
    logs = logs - torch.lgamma(alpha).sum(dim=1)
    return logs + ((alpha - 1.0) * (torch.digamma(alpha) - torch.digamma(total))).sum(dim=1)
