"""Train the text expert on GoEmotions."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from inference.calibration.temperature import fit_temperature
from inference.experts.text_features import TextFeatures, as_recognised
from inference.experts.text_model import TextModel, heard_share
from inference.training.goemotions import Comments, read_comments

REGULARISATION: Final = 0.5
"""Inverse strength of L2 (scikit-learn's C): best of .3, .5, 1, 2 on held-out training lines."""
LOST_WORDS: Final = 0.05
"""Share of words that a recogniser swallows in the spoken copies."""
FOLDS: Final = 4
STEPS: Final = ("reading", "features", "labels", "thresholds", "distress", "calibration")

Floats = NDArray[np.float64]
Report = Callable[[str], None]


def train_text(
    folder: Path,
    *,
    seed: int = 0,
    report: Report = lambda _step: None,
    words: int = 20_000,
    characters: int = 30_000,
) -> TextModel:
    """Fit features, both heads, temperatures and thresholds; nothing sees the test split.

    1. Every training line counts twice: as written, and as a recogniser would write it.
    2. A binary head for each label, on all lines.
    3. A binary head for distress with balanced classes: an even prior.
    4. For the multi-label figure only, the threshold of each label with its best F1 on
       training lines read out of fold: the few marks of rare labels in the development split
       would make it a lottery.
    5. On the development split, written and spoken: an offset per label and a temperature,
       on lines with one label; a temperature for distress.

    Args:
        folder: GoEmotions, as `read_comments` expects it.
        seed: of the words that the spoken copies lose.
        report: called with the name of each of `STEPS` as it begins.
        words: how many word n-grams to keep.
        characters: how many character n-grams to keep.

    Raises:
        NoCommentsError: the corpus is not there.
    """
    report("reading")
    train, develop = read_comments(folder, "train"), read_comments(folder, "dev")
    report("features")
    texts = [*train.texts, *_spoken(train.texts, seed)]
    features = TextFeatures.fit(texts, words=words, characters=characters)
    rows = features.transform(texts)
    report("labels")
    labels = np.tile(train.labels, (2, 1))
    heads = [_binary(rows, marked, seed=seed) for marked in labels.T]
    report("thresholds")
    unseen = _out_of_fold(rows, train.labels, seed)
    report("distress")
    judged = np.tile(train.judged, 2)
    distress, distress_intercept = _binary(
        rows[judged], np.tile(train.distressed, 2)[judged], seed=seed, balanced=True
    )
    report("calibration")
    model = TextModel(
        features=features,
        emotions=np.array([weights for weights, _ in heads]),
        emotion_intercepts=np.array([intercept for _, intercept in heads]),
        distress=distress,
        distress_intercept=distress_intercept,
    ).rounded()
    model = _calibrated(model, develop)
    return replace(model, thresholds=_thresholds(train.labels, unseen))


def _spoken(texts: tuple[str, ...], seed: int) -> list[str]:
    lottery = random.Random(seed)  # noqa: S311 - lost words, not secrets
    return [
        " ".join(word for word in as_recognised(text).split() if lottery.random() >= LOST_WORDS)
        for text in texts
    ]


def _binary(
    rows: sparse.csr_matrix, positive: NDArray[np.bool_], *, seed: int, balanced: bool = False
) -> tuple[Floats, float]:
    """(features,) weights and intercept of one logistic regression."""
    head = LogisticRegression(
        C=REGULARISATION,
        solver="liblinear",
        tol=1e-3,
        class_weight="balanced" if balanced else None,
        random_state=seed,
    ).fit(rows, positive)
    return head.coef_[0], float(head.intercept_[0])


def _calibrated(model: TextModel, develop: Comments) -> TextModel:
    """Fit offsets and temperatures on written and spoken development lines."""
    texts = [*develop.texts, *(as_recognised(text) for text in develop.texts)]
    labels = np.tile(develop.labels, (2, 1))
    single, judged = np.tile(develop.single, 2), np.tile(develop.judged, 2)
    readings = [model.read(text) for text in texts]
    marks = np.array([reading.label_log_odds for reading in readings])
    shares = np.array([heard_share(model.features.known_words(text)) for text in texts])
    offsets, temperature = fit_offsets(marks[single], shares[single], labels[single].argmax(axis=1))
    odds = np.array([reading.distress_log_odds for reading in readings])
    two_sided = np.stack([np.zeros_like(odds), odds], axis=1)
    distressed = np.tile(develop.distressed, 2).astype(np.int64)
    return replace(
        model,
        offsets=offsets,
        temperature=temperature,
        distress_temperature=fit_temperature(two_sided[judged], distressed[judged]),
    )


def fit_offsets(
    marks: Floats, shares: Floats, truth: NDArray[np.integer]
) -> tuple[tuple[float, ...], float]:
    """Turn binary heads into one distribution with a uniform prior.

    Minimises the negative log-likelihood of `softmax(share / T * (marks + offset))` with
    every label weighing the same. Source: the vector scaling of Guo et al. 2017, section
    4.2; departure: one slope for all labels, and classes reweighted.

    Args:
        marks: (n, labels) log odds of the binary heads.
        shares: (n,) how much of the log-odds each text keeps, see `heard_share`.
        truth: (n,) column of the one label; every label occurs.

    Returns:
        Offsets, which sum to zero, and the temperature T.
    """
    size = marks.shape[1]
    counts = np.bincount(truth, minlength=size)
    weights = 1.0 / (counts[truth] * size)
    items = np.arange(len(truth))

    def loss(fitted: Floats) -> float:
        logits = shares[:, None] * np.exp(-fitted[size]) * (marks + fitted[:size])
        log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        return float(-(weights * log_probs[items, truth]).sum())

    found = minimize(loss, np.zeros(size + 1), method="L-BFGS-B").x
    offsets = found[:size] - found[:size].mean()
    return tuple(offsets.tolist()), float(np.exp(found[size]))


def _out_of_fold(rows: sparse.csr_matrix, labels: NDArray[np.bool_], seed: int) -> Floats:
    """(lines, labels) log odds of each written line from heads that saw no copy of it."""
    lines = len(labels)
    folds = np.random.default_rng(seed).permutation(lines) % FOLDS
    marks = np.empty(labels.shape)
    for fold in range(FOLDS):
        mine = folds == fold
        seen = np.tile(~mine, 2)
        for column, marked in enumerate(np.tile(labels, (2, 1)).T):
            weights, intercept = _binary(rows[seen], marked[seen], seed=seed)
            marks[mine, column] = rows[:lines][mine] @ weights + intercept
    return marks


def _thresholds(labels: NDArray[np.bool_], marks: Floats) -> tuple[float, ...]:
    columns = zip(labels.T, marks.T, strict=True)
    return tuple(best_threshold(marked, column) for marked, column in columns)


def best_threshold(marked: NDArray[np.bool_], log_odds: Floats) -> float:
    """The log odds from which on calling a label marked gives the best F1."""
    order = np.argsort(-log_odds, kind="stable")
    found = np.cumsum(marked[order])
    f1 = 2 * found / (np.arange(1, len(order) + 1) + marked.sum())
    return float(log_odds[order[int(np.argmax(f1))]])
