"""Judge the text expert on the test split of GoEmotions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.evaluation import metrics
from inference.evaluation.figures import calibration_figures
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.experts.text_features import as_recognised
from inference.experts.text_model import TextModel
from inference.labels import EMOTIONS
from inference.training.goemotions import Comments, read_comments


def evaluate_text(folder: Path, model: TextModel) -> EvaluationReport:
    """Every figure of the card: all test lines, and the same lines as a recogniser writes them.

    `macro_f1` is multi-label over all lines, of the label heads as trained and with the
    thresholds chosen in training; `distress_auc` leaves out lines of surprise
    without distress; the other figures are of lines with one label, against the uniform prior
    that the expert states.

    Raises:
        NoCommentsError: the corpus is not there.
    """
    test = read_comments(folder, "test")
    groups = {
        "as written": _figures(model, test, test.texts),
        "as recognised": _figures(model, test, [as_recognised(text) for text in test.texts]),
    }
    return EvaluationReport(
        task="text",
        n=len(test.texts),
        metrics=groups["as written"],
        by=Breakdown(group=groups),
        versions={"text": model.version},
    )


def _figures(model: TextModel, test: Comments, texts: Sequence[str]) -> Metrics:
    readings = [model.read(text) for text in texts]
    log_probs = np.array([reading.log_probs for reading in readings])  # (n, labels)
    odds = np.array([reading.distress_log_odds for reading in readings])
    probs = np.exp(log_probs)
    marks = np.array([reading.label_log_odds for reading in readings])
    found = marks >= np.array(model.thresholds)
    single = test.single
    truth = test.labels[single].argmax(axis=1)
    return {
        "macro_f1": metrics.macro_f1(test.labels, found),
        "distress_auc": metrics.roc_auc(test.distressed[test.judged], odds[test.judged]),
        "accuracy": metrics.accuracy(truth, probs[single].argmax(axis=1)),
        "uar": metrics.uar(truth, probs[single].argmax(axis=1)),
        **_calibration(truth, log_probs[single]),
    }


def _calibration(truth: NDArray[np.intp], log_probs: NDArray[np.float64]) -> Metrics:
    """NLL, Brier and ECE under the prior the expert states, and under that of the lines.

    The expert's prior is uniform, the corpus is not: `…_uniform` weights each label the
    same by drawing as many lines of every label as the rarest one has, with a fixed seed.
    """
    draw = np.random.default_rng(0)
    rarest = np.bincount(truth, minlength=len(EMOTIONS))
    smallest = int(rarest[rarest > 0].min())
    even = np.concatenate(
        [
            draw.choice(np.flatnonzero(truth == label), smallest, replace=False)
            for label in np.unique(truth)
        ]
    )
    figures: Metrics = {}
    for suffix, rows in (("", np.arange(len(truth))), ("_uniform", even)):
        of_rows = calibration_figures(truth[rows], log_probs[rows])
        figures |= {f"{name}{suffix}": value for name, value in of_rows.items()}
    return figures
