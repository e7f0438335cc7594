"""Does a generator's idea of rare labels help a head? Kept only where it clearly does.

Rare labels get made-up rows beside their real ones, at most as many. The head that learnt from
both is compared with the one that learnt from the real ones, on people neither ever met.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from inference.imputation.contract import Floats
from inference.imputation.probe import Pattern, Probe
from inference.labels import Emotion
from inference.training.imputation.probe_fit import fit_pattern
from inference.training.imputation.rows import SharedRows

MOST_FOR_ONE: Final = 1.0
"""Made-up rows for each real one."""
CLEARLY: Final = 2.0
"""Standard errors that the gain must exceed."""
BOOTSTRAPS: Final = 1_000

Columns = NDArray[np.intp]
Counts = NDArray[np.float64]


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
    said: list[tuple[SharedRows, Columns, Columns]] = []
    made: Counter[Emotion] = Counter()
    for held_out in rows.folds():
        learnt, judged = rows.of(~held_out), rows.of(held_out)
        more = augmented(learnt, generator(learnt), seed)
        made.update(_added(learnt, more))
        before, after = (_called(material, judged, pattern) for material in (learnt, more))
        said.append((judged, before, after))
    people = np.concatenate([judged.speakers for judged, _, _ in said])
    truth = np.concatenate([judged.truth for judged, _, _ in said])
    tables = [
        _tables(people, truth, np.concatenate(called), len(rows.labels))
        for called in ([one for _, one, _ in said], [one for _, _, one in said])
    ]
    before_f1, after_f1 = (float(_macro_f1(one.sum(axis=0))) for one in tables)
    counts = np.random.default_rng(seed).multinomial(
        len(tables[0]), np.full(len(tables[0]), 1 / len(tables[0])), size=BOOTSTRAPS
    )
    drawn = [_macro_f1(np.tensordot(counts, one, axes=1)) for one in tables]
    error = float((drawn[1] - drawn[0]).std(ddof=1))
    return Augmentation(
        made=dict(made),
        before=before_f1,
        after=after_f1,
        error=error,
        kept=bool(after_f1 - before_f1 > max(CLEARLY * error, 0.0)),
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


def _called(learnt: SharedRows, judged: SharedRows, pattern: Pattern) -> Columns:
    probe = Probe(learnt.labels, {pattern: fit_pattern(learnt, pattern)})
    called: Columns = probe.log_probs(judged.parts, pattern).argmax(axis=1)
    return called


def _tables(people: NDArray[np.str_], truth: Columns, called: Columns, labels: int) -> Counts:
    """(people, labels, labels) how often each person's label was called what."""
    names, who = np.unique(people, return_inverse=True)
    tables = np.zeros((len(names), labels, labels))
    np.add.at(tables, (who, truth, called), 1.0)
    return tables


def _macro_f1(tables: Counts) -> Counts:
    """(…) of (…, truth, called) counts, over the labels that occur in either."""
    hits = np.diagonal(tables, axis1=-2, axis2=-1)
    named = tables.sum(axis=-1) + tables.sum(axis=-2)
    f1 = 2 * hits / np.maximum(named, 1.0)
    mean: Counts = f1.sum(axis=-1) / np.maximum((named > 0).sum(axis=-1), 1)
    return mean
