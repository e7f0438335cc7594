"""Judge the text expert on the test split of GoEmotions, and on service lines."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation import metrics
from inference.evaluation.figures import calibration_figures
from inference.evaluation.item_windows import text_window
from inference.evaluation.report import COUNT, Breakdown, EvaluationReport, Metrics
from inference.evidence import Evidence
from inference.experts.text import TextExpert
from inference.experts.text_features import as_recognised
from inference.experts.text_model import TextModel
from inference.experts.text_plus import TextPlus
from inference.fusion.contract import Fuser
from inference.fusion.decision import decide
from inference.labels import EMOTIONS
from inference.training.goemotions import Comments, read_comments
from inference.training.service_lines import ServiceLine, read_service_lines
from inference.training.word_errors import misheard

ERROR_RATES: Final = (0.05, 0.1, 0.2)
SEED: Final = 0
"""Of word errors, and of which lines stand for each label in `…_uniform`."""

Report = Callable[[str], None]


def evaluate_text(
    folder: Path,
    model: TextModel | TextPlus,
    fuser: Fuser,
    *,
    error_rates: Sequence[float] = ERROR_RATES,
    report: Report = lambda _part: None,
) -> EvaluationReport:
    """Every figure of the card, of the test lines as written and as a recogniser writes them.

    `macro_f1` is multi-label over all lines, of the label heads as trained and with the
    thresholds chosen in training; `distress_auc` leaves out lines of surprise without
    distress, and hears lines of few words as little as the service does, `…_in_full` hears
    them as it hears longer ones; the other figures are of lines with one label. `nll`, `ece`
    and `brier` are under the label shares of the development lines, `…_uniform` under the
    uniform prior that the expert states, on as many lines of each label.

    Args:
        folder: GoEmotions.
        model: whom to judge.
        fuser: decides whether a service line, fused alone, is abstained on.
        error_rates: of words, at which the lines are also misheard.
        report: told the name of each part as it begins.

    Raises:
        NoCommentsError: the corpus is not there.
    """
    test = read_comments(folder, "test")
    spoken = tuple(as_recognised(text) for text in test.texts)
    parts = {"as written": test.texts, "as recognised": spoken}
    for rate in error_rates:
        parts[f"{rate:.0%} word errors"] = _misheard(spoken, rate)
    groups: dict[str, Metrics] = {}
    for name, texts in parts.items():
        report(name)
        groups[name] = _figures(model, test, texts)
    report("service lines")
    groups["service lines"] = service_figures(model, fuser, read_service_lines("test"))
    return EvaluationReport(
        task="text",
        n=len(test.texts),
        metrics=groups["as written"],
        by=Breakdown(group=groups),
        versions={"text": model.version, "fusion": fuser.version},
    )


def service_figures(
    model: TextModel | TextPlus, fuser: Fuser, lines: Sequence[ServiceLine]
) -> Metrics:
    """How often the log odds of distress point where a listener would, as a recogniser writes.

    `direction` is over all `lines`; `shrunk` is the share that is not heard in full, and
    `abstained` that of lines on which the service would name no emotion from words alone.
    """
    texts = [as_recognised(line.text) for line in lines]
    expert = TextExpert(model)
    odds = np.array([model.read(text).distress_log_odds for text in texts])
    written = np.array([model.read(line.text).distress_log_odds for line in lines])
    distressed = np.array([line.distressed for line in lines])
    right = np.where(distressed, odds > 0, odds < 0)
    return {
        COUNT: float(len(lines)),
        "direction": float(right.mean()),
        "direction_distress": float(right[distressed].mean()),
        "direction_calm": float(right[~distressed].mean()),
        "direction_as_written": float(np.where(distressed, written > 0, written < 0).mean()),
        "distress_auc": metrics.roc_auc(distressed, odds),
        "shrunk": float(np.mean([model.heard(text) < 1 for text in texts])),
        "abstained": float(np.mean([_abstains(expert, fuser, text) for text in texts])),
    }


def _abstains(expert: TextExpert, fuser: Fuser, text: str) -> bool:
    (answer,) = expert.assess([text_window(text)])
    if not isinstance(answer, Evidence):
        return True
    fused = fuser.fuse([answer])
    return decide(
        dict(zip(EMOTIONS, np.exp(fused.log_probs).tolist(), strict=True)),
        fused.vacuity,
        fuser.calibration.threshold(fused.pattern),
        fuser.calibration.coverage,
    ).abstained


def _misheard(spoken: Sequence[str], rate: float) -> tuple[str, ...]:
    lottery = random.Random(SEED)  # noqa: S311 - word errors, not secrets
    others = [word for text in spoken for word in text.split()]
    return tuple(misheard(text, rate, others, lottery) for text in spoken)


def _figures(model: TextModel | TextPlus, test: Comments, texts: Sequence[str]) -> Metrics:
    marks, in_full = model.log_odds_many(texts)
    readings = [
        model.calibration.read(mark, float(odd), model.heard(text))
        for mark, odd, text in zip(marks, in_full, texts, strict=True)
    ]
    log_probs = np.array([reading.log_probs for reading in readings])  # (n, labels)
    odds = np.array([reading.distress_log_odds for reading in readings])
    found = marks >= np.array(model.calibration.thresholds)
    single = test.single
    truth = test.labels[single].argmax(axis=1)
    called = log_probs[single].argmax(axis=1)
    return {
        "macro_f1": metrics.macro_f1(test.labels, found),
        "distress_auc": metrics.roc_auc(test.distressed[test.judged], odds[test.judged]),
        "distress_auc_in_full": metrics.roc_auc(test.distressed[test.judged], in_full[test.judged]),
        "accuracy": metrics.accuracy(truth, called),
        "uar": metrics.uar(truth, called),
        **_calibration(truth, log_probs[single], np.array(model.calibration.label_shares)),
    }


def _calibration(
    truth: NDArray[np.intp], log_probs: NDArray[np.float64], label_shares: NDArray[np.float64]
) -> Metrics:
    """NLL, Brier and ECE under the shares of the corpus, and under the prior the expert states.

    The expert's prior is uniform, the corpus is not: with its shares as prior, all lines are
    judged; without, as many lines of every label as the rarest one has, by a fixed seed.
    """
    shared = log_probs + np.log(label_shares)
    shared -= np.logaddexp.reduce(shared, axis=1, keepdims=True)
    draw = np.random.default_rng(SEED)
    counts = np.bincount(truth, minlength=len(EMOTIONS))
    smallest = int(counts[counts > 0].min())
    even = np.concatenate(
        [
            draw.choice(np.flatnonzero(truth == label), smallest, replace=False)
            for label in np.unique(truth)
        ]
    )
    uniform = calibration_figures(truth[even], log_probs[even])
    return {
        **calibration_figures(truth, shared),
        **{f"{name}_uniform": value for name, value in uniform.items()},
    }
