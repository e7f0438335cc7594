"""From log odds of a text expert's heads to probabilities that can be believed."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from inference.calibration.temperature import fit_temperature
from inference.experts.text_features import as_recognised
from inference.experts.text_model import TextCalibration
from inference.training.goemotions import Comments

PENALTY: Final = 300.0
"""Of the squared distance of A from the identity, against one line's loss. On halves of the
development split 3, 30 and 300 gave the same log-likelihood; the strongest claims least."""

Floats = NDArray[np.float64]


def written_and_spoken(lines: Comments) -> tuple[str, ...]:
    """Every line as it is, then every line as a recogniser writes it."""
    return (*lines.texts, *(as_recognised(text) for text in lines.texts))


def calibrate(
    develop: Comments,
    marks: Floats,
    odds: Floats,
    shares: Floats,
    thresholds: tuple[float, ...],
) -> TextCalibration:
    """Fit on development lines, `written_and_spoken`.

    Args:
        develop: the lines.
        marks: (2 lines, labels) log odds of the heads.
        odds: (2 lines,) log odds of distress.
        shares: (2 lines,) how much of them each text keeps, see `heard_share`.
        thresholds: for the multi-label figures, chosen elsewhere.
    """
    single, judged = np.tile(develop.single, 2), np.tile(develop.judged, 2)
    truth = np.tile(develop.labels, (2, 1)).argmax(axis=1)
    label_shares = shares_of(truth[single], marks.shape[1])
    matrix, bias = fit_matrix(marks[single], shares[single], truth[single], label_shares)
    heard = shares * odds
    two_sided = np.stack([np.zeros_like(heard), heard], axis=1)
    distressed = np.tile(develop.distressed, 2).astype(np.int64)
    return TextCalibration(
        matrix=tuple(map(tuple, matrix.tolist())),
        bias=tuple(bias.tolist()),
        distress_temperature=fit_temperature(two_sided[judged], distressed[judged]),
        thresholds=thresholds,
        label_shares=tuple(label_shares.tolist()),
    )


def shares_of(truth: NDArray[np.integer], labels: int) -> Floats:
    """(labels,) how often each occurs, as if each had been seen once more: none is 0."""
    counts = np.bincount(truth, minlength=labels) + 1.0
    shares: Floats = counts / counts.sum()
    return shares


def fit_matrix(
    marks: Floats, shares: Floats, truth: NDArray[np.integer], label_shares: Floats
) -> tuple[Floats, Floats]:
    """Turn binary heads into one distribution with a uniform prior.

    Minimises the negative log-likelihood of log_softmax(share * (A m + b) + log label share),
    so that what is left without the last term is evidence and no prior. Source: the matrix
    scaling of Guo et al. 2017, section 4.2; departures: the prior as a fixed term, the share
    of short texts, and a penalty that draws A to the identity.

    Args:
        marks: (n, labels) log odds of the binary heads.
        shares: (n,) see `calibrate`.
        truth: (n,) column of the one label.
        label_shares: (labels,) how often each occurs among such lines.

    Returns:
        A, (labels, labels), and b, (labels,).
    """
    lines, size = marks.shape
    prior = np.log(label_shares)
    asked = np.eye(size)[truth]

    def loss(fitted: Floats) -> tuple[float, Floats]:
        matrix, bias = fitted[: size * size].reshape(size, size), fitted[size * size :]
        logits = shares[:, None] * (marks @ matrix.T + bias) + prior
        log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        away = matrix - np.eye(size)
        slope = shares[:, None] * (np.exp(log_probs) - asked) / lines
        cost = PENALTY / lines
        value = -(asked * log_probs).sum() / lines + cost / 2 * (away**2).sum()
        return value, np.concatenate([(slope.T @ marks + cost * away).ravel(), slope.sum(axis=0)])

    start = np.concatenate([np.eye(size).ravel(), np.zeros(size)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1_000}).x
    return found[: size * size].reshape(size, size), found[size * size :]


def best_threshold(marked: NDArray[np.bool_], log_odds: Floats) -> float:
    """The log odds from which on calling a label marked gives the best F1."""
    order = np.argsort(-log_odds, kind="stable")
    found = np.cumsum(marked[order])
    f1 = 2 * found / (np.arange(1, len(order) + 1) + marked.sum())
    return float(log_odds[order[int(np.argmax(f1))]])
