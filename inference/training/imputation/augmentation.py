"""Does a generator's idea of rare labels help a head? Kept only where it clearly does.

Rare labels get made-up rows beside their real ones, at most as many. The head that learnt from
both is compared with the one that learnt from the real ones, on people neither ever met.
"""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from inference.imputation.contract import Floats
from inference.imputation.probe import Probe
from inference.labels import Emotion
from inference.training.imputation.probe_fit import fit_pattern
from inference.training.imputation.rows import SharedRows

MOST_FOR_ONE: Final = 1.0
"""Made-up rows for each real one."""
CLEARLY: Final = 2.0
"""Standard errors that the gain must exceed."""
BOOTSTRAPS: Final = 1_000


class MakesRows(Protocol):
    """A generator that can be told a label. `inference.imputation.cgan.GanImputer` is one."""

    def of_label(self, label: Emotion, n: int, seed: int) -> Floats:
        """(n, 3, size) rows of that label."""
        ...


class Augmentation(msgspec.Struct, frozen=True, kw_only=True):
    """What it came to.

    Attributes:
        made: rows that were made up, over all folds, by label.
        before: macro-F1 on people who were left out, with real rows only.
        after: the same with made-up ones.
        error: standard error of the difference, over people drawn anew.
        kept: whether the gain exceeds `CLEARLY` errors.
    """

    made: dict[Emotion, int]
    before: float
    after: float
    error: float
    kept: bool


def judge_augmentation(
    rows: SharedRows, generator: Callable[[SharedRows], MakesRows], seed: int = 0
) -> Augmentation:
    """Compare heads with and without made-up rows, each person left out once.

    Args:
        rows: all of which have the same modalities.
        generator: trains one on the rows it is given, so that nobody judged is known to it.
        seed: of what is made up, and of the bootstrap.
    """
    pattern = rows.modalities
    truth, before, after = [], [], []
    people: list[str] = []
    made: dict[Emotion, int] = {}
    for held_out in rows.folds():
        learnt, judged = rows.of(~held_out), rows.of(held_out)
        more = augmented(learnt, generator(learnt), seed)
        for label, count in _added(learnt, more).items():
            made[label] = made.get(label, 0) + count
        for material, said in ((learnt, before), (more, after)):
            probe = Probe(rows.labels, {pattern: fit_pattern(material, pattern)})
            said.append(probe.log_probs(judged.parts, pattern).argmax(axis=1))
        truth.append(judged.truth)
        people += judged.speakers.tolist()
    answers = [np.concatenate(one) for one in (truth, before, after)]
    gain, error = _gain(*answers, np.array(people), seed)
    return Augmentation(
        made=made,
        before=_macro_f1(answers[0], answers[1]),
        after=_macro_f1(answers[0], answers[2]),
        error=error,
        kept=bool(gain > CLEARLY * error and gain > 0),
    )


def augmented(rows: SharedRows, generator: MakesRows, seed: int) -> SharedRows:
    """`rows` with made-up ones of each label that is rarer than the commonest.

    A label gets as many as it lacks, at most `MOST_FOR_ONE` for each real one. Made-up rows
    belong to the people of the rows whose label they repeat, so that they leave with them.
    """
    counts = np.bincount(rows.truth, minlength=len(rows.labels))
    parts, truth, speakers = [rows.parts], [rows.truth], [rows.speakers]
    present = rows.present.all(axis=0)
    for column, label in enumerate(rows.labels):
        lacking = min(counts.max() - counts[column], int(MOST_FOR_ONE * counts[column]))
        if lacking <= 0:
            continue
        parts.append(generator.of_label(label, int(lacking), seed))
        truth.append(np.full(lacking, column))
        speakers.append(np.resize(rows.speakers[rows.truth == column], lacking))
    total = np.concatenate(truth)
    return SharedRows(
        np.concatenate(parts),
        np.concatenate([rows.present, np.tile(present, (len(total) - len(rows), 1))]),
        total,
        rows.labels,
        np.concatenate(speakers),
    )


def _added(before: SharedRows, after: SharedRows) -> dict[Emotion, int]:
    more = np.bincount(after.truth, minlength=len(before.labels)) - np.bincount(
        before.truth, minlength=len(before.labels)
    )
    return {
        label: int(count)
        for label, count in zip(before.labels, more.tolist(), strict=True)
        if count
    }


def _gain(
    truth: NDArray[np.intp],
    before: NDArray[np.intp],
    after: NDArray[np.intp],
    people: NDArray[np.str_],
    seed: int,
) -> tuple[float, float]:
    """Difference of macro-F1 and its standard error, whole people drawn anew."""
    names = np.unique(people)
    places = [np.flatnonzero(people == name) for name in names]
    random = np.random.default_rng(seed)
    differences = []
    for _ in range(BOOTSTRAPS):
        drawn = np.concatenate([places[one] for one in random.integers(0, len(names), len(names))])
        differences.append(
            _macro_f1(truth[drawn], after[drawn]) - _macro_f1(truth[drawn], before[drawn])
        )
    return _macro_f1(truth, after) - _macro_f1(truth, before), float(np.std(differences, ddof=1))


def _macro_f1(truth: NDArray[np.intp], called: NDArray[np.intp]) -> float:
    return float(f1_score(truth, called, average="macro", zero_division=0))
