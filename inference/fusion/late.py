"""Late fusion: a calibrated product of whatever experts are present.

Experts are calibrated apart and never trained together, so a missing one is simply not
multiplied: the others say what they would have said alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evidence import Evidence, Quality
from inference.fusion.prior import DISTRESS_BASE_RATE, log_prior
from inference.labels import EMOTIONS, MODALITIES, Modality

NAME: Final = "late"
FULL_WEIGHT: Final = 0.85
"""Below 1: modalities of one moment are not independent, and a plain product is too sure."""
FULL_SHARE: Final = 0.5
"""From this present share on an expert has its full weight."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fused:
    """What the present experts say together.

    Attributes:
        log_probs: (7,) natural log, sums to one in probability, in the order of `EMOTIONS`.
        distress: probability, or None where no present expert has a calibrated say in it.
        shares: how much of the weight each present modality had; sums to 1.
        conflict: Jensen-Shannon divergence of the experts that say anything, nats.
        vacuity: 1 where nothing supports any label.
    """

    log_probs: Floats
    distress: float | None
    shares: Mapping[Modality, float]
    conflict: float
    vacuity: float


def fuse(evidence: Sequence[Evidence]) -> Fused:
    """Multiply the experts into the deployment prior.

    log p = log prior + sum of w_g (log p_g - log uniform), normalised; distress by the same
    rule on log odds. An expert contributes nothing to a label that it does not know.

    Source: Bordley 1982 (multiplicative pooling), with temperatures fitted out of fold.
    Departure: weights w_g = `weight`, so that half-heard speech counts half, and below one.

    Args:
        evidence: at least one, at most one of each modality, in any order.

    Raises:
        ValueError: nothing, or two of one modality: group them first.
    """
    ordered = sorted(evidence, key=lambda item: MODALITIES.index(item.modality))
    modalities = [item.modality for item in ordered]
    if not ordered or len(set(modalities)) < len(modalities):
        raise ValueError(f"one piece of evidence a modality, got {modalities}")
    weights = np.array([weight(item.quality, item.weight_limit) for item in ordered])
    support = np.stack([_support(item) for item in ordered])  # (modality, label)
    fused = log_prior() + weights @ support
    voices = [
        (share, item.distress_log_odds)
        for share, item in zip(weights, ordered, strict=True)
        if item.distress_log_odds is not None
    ]
    return Fused(
        log_probs=_log_normalised(fused),
        distress=_distress(voices) if voices else None,
        shares=_shares(modalities, weights),
        conflict=_conflict(support),
        vacuity=_vacuity(weights, support),
    )


def weight(quality: Quality, limit: float) -> float:
    """How much an expert counts: full from half a window on, never over its own limit.

    An unknown present share counts as a full one.
    """
    share = 1.0 if quality.present_share is None else quality.present_share
    return min(limit, FULL_WEIGHT * min(1.0, share / FULL_SHARE))


def _support(evidence: Evidence) -> Floats:
    """(7,) log of the expert's probability over its even prior; 0 for labels it never saw."""
    support = np.zeros(len(EMOTIONS))
    for label, log_prob in zip(evidence.labels, evidence.log_probs, strict=True):
        support[EMOTIONS.index(label)] = log_prob + np.log(len(evidence.labels))
    return support


def _distress(voices: Sequence[tuple[float, float]]) -> float:
    log_odds = np.log(DISTRESS_BASE_RATE / (1 - DISTRESS_BASE_RATE))
    log_odds += sum(share * said for share, said in voices)
    return float(1 / (1 + np.exp(-log_odds)))


def _shares(modalities: Sequence[Modality], weights: Floats) -> dict[Modality, float]:
    """Weights over their sum; even where all are zero."""
    total = weights.sum()
    shares = weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
    return dict(zip(modalities, shares.tolist(), strict=True))


def _conflict(support: Floats) -> float:
    """Divergence of the experts that say anything; an expert without opinion contradicts nobody.

    Source: Lin 1991, eq. 4.1 with even weights.
    """
    speaking = support[np.any(support != 0, axis=1)]
    if len(speaking) < 2:  # noqa: PLR2004 - it takes two to disagree
        return 0.0
    opinions = np.exp(_log_normalised(speaking))
    divergence = _entropy(opinions.mean(axis=0)) - float(np.mean(_entropy(opinions)))
    return max(0.0, float(divergence))


def _entropy(probs: Floats) -> Floats:
    """Nats, over the last axis."""
    entropy: Floats = -np.sum(probs * np.log(np.maximum(probs, np.finfo(float).tiny)), axis=-1)
    return entropy


def _vacuity(weights: Floats, support: Floats) -> float:
    """C / (C + evidence), an expert's evidence being exp(margin of its best label) - 1.

    Source: Josang 2016, section 3.5 (uncertainty of a Dirichlet); evidence from the
    calibrated margin is our choice.
    """
    best = np.sort(support, axis=1)
    margins = best[:, -1] - best[:, -2]
    evidence = float(weights @ np.expm1(margins))
    return len(EMOTIONS) / (len(EMOTIONS) + evidence)


def _log_normalised(logits: Floats) -> Floats:
    """Over the last axis; every row is computed by itself."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    normalised: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised
