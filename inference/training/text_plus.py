"""Heads on sentence vectors, and the calibration of their mean with the word heads."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from inference.experts.text_model import LinearHeads, TextModel
from inference.experts.text_plus import Encoder, TextPlus
from inference.training.text import balance
from inference.training.text_calibration import calibrate, written_and_spoken
from inference.training.text_material import TextMaterial

STEPS: Final = ("sentences", "heads", "mean")
INVERSE_PENALTY: Final = 1.0
"""C of the logistic regressions on vectors of length one: of 1, 10, 100 the best on development
lines, by two thousandths."""
MAX_ITERATIONS: Final = 300

Floats = NDArray[np.float64]
Report = Callable[[str], None]


def train_plus(
    words: TextModel,
    material: TextMaterial,
    encoder: Encoder,
    *,
    report: Report = lambda _step: None,
) -> TextPlus:
    """Fit heads on vectors of the written lines, and thresholds and calibration of the mean.

    Copies as a recogniser writes them are left out: the encoder reads no capitals, and heads
    without them were as good on spoken development lines as on written ones. Service lines
    are left out too: among the comments they moved the vectors' heads by .01 of distress AUC
    and taught them next to nothing. What phrases weigh stays as the words know it.

    Args:
        words: trained on `material`, with the version that they were saved under.
        material: what to train and calibrate on.
        encoder: makes the vectors, and is kept by the result.
        report: called with the name of each of `STEPS` as it begins.

    The thresholds of the multi-label figure mark as many development lines as the words do:
    the few marks of rare labels there would make a choice by F1 a lottery.
    """
    report("sentences")
    train, develop = material.train, material.develop
    said = written_and_spoken(develop)
    vectors = encoder.embed_many(train.texts).astype(np.float64)
    report("heads")
    emotions = np.array([_head(vectors, marked) for marked in train.labels.T])
    judged, marked = train.judged, train.distressed[train.judged]
    distress = _head(vectors[judged], marked, balance(marked))
    heads = LinearHeads(
        emotions=emotions[:, :-1],
        emotion_intercepts=emotions[:, -1],
        distress=distress[:-1],
        distress_intercept=float(distress[-1]),
    ).rounded()
    report("mean")
    mean = TextPlus(words=words, encoder=encoder, heads=heads)
    marks, odds = mean.log_odds_many(said)
    lines = len(develop.texts)
    of_words, _ = words.log_odds_many(develop.texts)
    called = of_words >= np.array(words.calibration.thresholds)
    thresholds = tuple(map(_marking_as_many, marks[:lines].T, called.T))
    heard = np.array([words.heard(text) for text in said])
    return mean.calibrated(calibrate(develop, marks, odds, heard, thresholds))


def _marking_as_many(log_odds: Floats, called: NDArray[np.bool_]) -> float:
    """The log odds from which on as many lines are marked as are `called`, (lines,)."""
    return float(np.quantile(log_odds, 1 - called.mean()))


def _head(vectors: Floats, marked: NDArray[np.bool_], weights: Floats | None = None) -> Floats:
    """(dimensions + 1,) weights, intercept last."""
    head = LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_ITERATIONS)
    head.fit(vectors, marked, weights)
    return np.append(head.coef_[0], head.intercept_[0])
