"""The arithmetic of fusion, on arrays: rows of any number, labels of any vocabulary.

What an expert contributes is its *support* of each label: the log of its probability over
its own prior. Support 0 says nothing, of a label or altogether.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SILENT: Final = 1e-9
"""Support below this, of every label, is rounding: the expert says nothing."""


def product(log_prior: Floats, support: Floats, weights: Floats) -> Floats:
    """Multiply what several groups say into a prior: log prior + sum of w_g s_g, normalised.

    Source: Bordley 1982 (multiplicative pooling). Departure: weights below one, as
    modalities of one moment are not independent.

    Args:
        log_prior: (labels,) natural log.
        support: (…, group, label).
        weights: (…, group), 0 where a group is absent.

    Returns:
        (…, label) natural log-probabilities; every row is computed by itself.
    """
    return log_normalised(log_prior + (weights[..., None] * support).sum(axis=-2))


def grouped(support: Floats) -> Floats:
    """One opinion of several experts on the same signal: the mean of those that speak.

    Two heads on one face are one vote, not two: their errors are the same, and counting
    them twice made fusion worse. An expert that says nothing, or the same as another,
    changes nothing.

    Args:
        support: (expert, …, label).

    Returns:
        (…, label).
    """
    voices = np.maximum(speaks(support).sum(axis=0), 1)[..., None]
    pooled: Floats = support.sum(axis=0) / voices
    return pooled


def speaks(support: Floats) -> NDArray[np.bool_]:
    """Which rows of (…, label) say anything, (…)."""
    said: NDArray[np.bool_] = np.any(np.abs(support) > SILENT, axis=-1)
    return said


def conflict(support: Floats) -> float:
    """Jensen-Shannon divergence of the groups that say anything, nats.

    A group without an opinion contradicts nobody. Source: Lin 1991, eq. 4.1, even weights.

    Args:
        support: (group, label) of one window.
    """
    speaking = support[speaks(support)]
    if len(speaking) < 2:  # noqa: PLR2004 - it takes two to disagree
        return 0.0
    opinions = np.exp(log_normalised(speaking))
    divergence = _entropy(opinions.mean(axis=0)) - float(np.mean(_entropy(opinions)))
    return max(0.0, float(divergence))


def vacuity(support: Floats, weights: Floats) -> float:
    """C / (C + evidence), a group's evidence being exp(margin of its best label) - 1.

    Source: Josang 2016, section 3.5 (uncertainty of a Dirichlet); evidence from the
    calibrated margin is our choice.

    Args:
        support: (group, label) of one window.
        weights: (group,).
    """
    labels = support.shape[1]
    best = np.sort(support, axis=1)
    evidence = float(weights @ np.expm1(best[:, -1] - best[:, -2]))
    return float(labels / (labels + evidence))


def log_normalised(logits: Floats) -> Floats:
    """Over the last axis; every row is computed by itself."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    normalised: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised


def _entropy(probs: Floats) -> Floats:
    """Nats, over the last axis."""
    entropy: Floats = -np.sum(probs * np.log(np.maximum(probs, np.finfo(float).tiny)), axis=-1)
    return entropy
