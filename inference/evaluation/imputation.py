"""Which imputer may ship: held-out figures of each, against ridge and against the mask.

A modality of people whom nobody learnt from is hidden; an imputer draws it from the others. What
a head that needs all of them makes of sixteen draws is compared with the truth, and so is where
the hidden row really lay. Predictions of the product never see a draw: they use the mask.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.intervals import drawn
from inference.evaluation.report import COUNT, Breakdown, EvaluationReport, Metrics
from inference.imputation.contract import DEFAULT_IMPUTER, Imputer, ImputerName
from inference.imputation.ellipsoid import DRAWS, Ellipsoid
from inference.imputation.foresight import WOULD_CHANGE_DRAWS
from inference.imputation.probe import Probe, pattern_of
from inference.labels import MODALITIES, Modality
from inference.training.imputation.components import Components
from inference.training.imputation.material import shared_rows
from inference.training.imputation.probe_fit import fit_probe
from inference.training.imputation.rows import SharedRows
from inference.training.imputation.train import Settings, train_imputer
from inference.training.paired import Pairs

OFF: Final = {
    Modality.SPEECH: "microphone off",
    Modality.TEXT: "words off",
    Modality.FACE: "camera off",
}
COVERED: Final = (0.85, 0.95)
"""Where the share of truths inside the 90 % ellipsoid must lie."""
BETTER: Final = 2.0
"""Standard errors by which some direction must be better than ridge …"""
NOT_WORSE: Final = 1.0
"""… and beyond which none may be worse."""
BOOTSTRAPS: Final = 1_000
MASKED: Final = "masked"

Doubles = NDArray[np.float64]
Fold = Callable[[NDArray[np.bool_]], SharedRows]
"""From who is held out to all rows, in a space that the held-out had no part in."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """What came out for one imputer and one hidden modality, over all folds.

    Attributes:
        losses: (n,) negative log-probability of the truth in the mean of the draws.
        right: (n,) whether the likeliest label is the truth.
        surprise: (n,) of the row that was hidden; none for the mask, which draws nothing.
    """

    losses: Doubles
    right: NDArray[np.bool_]
    surprise: Doubles

    def metrics(self) -> Metrics:
        """As a row of the table."""
        found = {
            COUNT: float(len(self.losses)),
            "nll": float(self.losses.mean()),
            "accuracy": float(self.right.mean()),
        }
        return found | ({"coverage": self.coverage} if len(self.surprise) else {})

    @property
    def coverage(self) -> float:
        """Share of the hidden rows inside the 90 % ellipsoid."""
        return float((self.surprise <= 1).mean())


def component_fold(pairs: Pairs) -> Fold:
    """Rows in principal components of the people who are not held out."""

    def fold(held_out: NDArray[np.bool_]) -> SharedRows:
        rows = {}
        for modality, part in pairs.parts.items():
            places = pairs.rows[:, MODALITIES.index(modality)]
            learnt = np.unique(places[(places >= 0) & ~held_out])
            rows[modality] = Components.of(part.vectors[learnt]).rows(part.vectors)
        return shared_rows(pairs, rows)

    return fold


def evaluate_imputation(
    fold: Fold,
    held_out: Sequence[NDArray[np.bool_]],
    names: Sequence[ImputerName],
    settings: Settings,
    versions: Mapping[str, str] | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> EvaluationReport:
    """Train every imputer on each fold's others and judge it on the fold.

    Args:
        fold: gives the rows.
        held_out: (n,) who is judged, a fold each.
        names: imputers; ridge is the bar and always among them.
        settings: of their training.
        versions: of what the rows were made with.
        on_step: called after each imputer of each fold.
    """
    names = [DEFAULT_IMPUTER, *(name for name in names if name != DEFAULT_IMPUTER)]
    found: dict[tuple[str, Modality], list[Hidden]] = {}
    speakers: dict[Modality, list[NDArray[np.str_]]] = {}
    for out in held_out:
        rows = fold(out)
        learnt, judged = rows.of(~out), rows.of(out)
        probe = fit_probe(learnt)
        judges = {
            modality: judged.of(_several(judged) & judged.has((modality,)))
            for modality in learnt.modalities
        }
        for modality, those in judges.items():
            speakers.setdefault(modality, []).append(those.speakers)
            found.setdefault((MASKED, modality), []).append(_masked(those, modality, probe))
        for name in names:
            imputer = train_imputer(name, learnt, settings).imputer
            for modality, those in judges.items():
                hidden = _hidden(those, modality, probe, imputer, settings.seed)
                found.setdefault((name, modality), []).append(hidden)
            on_step()
    joined = {key: _joined(pieces) for key, pieces in found.items()}
    people = {modality: np.concatenate(pieces) for modality, pieces in speakers.items()}
    return _report(names, joined, people, settings, versions or {})


def _report(
    names: Sequence[ImputerName],
    found: Mapping[tuple[str, Modality], Hidden],
    people: Mapping[Modality, NDArray[np.str_]],
    settings: Settings,
    versions: Mapping[str, str],
) -> EvaluationReport:
    groups: dict[str, Metrics] = {}
    verdicts: dict[str, str] = {}
    for modality in people:
        groups[f"{OFF[modality]}, {MASKED}"] = found[MASKED, modality].metrics()
    for name in names:
        gains: dict[Modality, tuple[float, float]] = {}
        for modality, who in people.items():
            bar, own = found[DEFAULT_IMPUTER, modality], found[name, modality]
            gains[modality] = _gain(bar.losses - own.losses, who, settings.seed)
            more: Metrics = {}
            if name != DEFAULT_IMPUTER:
                more = {"gain_on_ridge": gains[modality][0], "gain_se": gains[modality][1]}
            groups[f"{OFF[modality]}, {name}"] = own.metrics() | more
        covers = {modality: found[name, modality].coverage for modality in people}
        verdicts[name] = verdict(name, gains, covers)
    default = [found[DEFAULT_IMPUTER, modality] for modality in people]
    return EvaluationReport(
        task="imputation",
        n=sum(len(one.losses) for one in default),
        metrics=_joined(default).metrics(),
        by=Breakdown(group=groups),
        versions={
            **versions,
            "draws": f"{WOULD_CHANGE_DRAWS} for the head, {DRAWS} for the ellipsoid",
            "seed": str(settings.seed),
            **verdicts,
        },
    )


def verdict(
    name: ImputerName,
    gains: Mapping[Modality, tuple[float, float]],
    covers: Mapping[Modality, float],
) -> str:
    """Whether it may be the default, and why not.

    Args:
        name: of the imputer.
        gains: on ridge in NLL, with its standard error, by hidden modality.
        covers: share inside the 90 % ellipsoid, by hidden modality.
    """
    low, high = COVERED
    against = [
        f"{OFF[modality]} covers {share:.2f}, not {low} to {high}"
        for modality, share in covers.items()
        if not low <= share <= high
    ]
    if name != DEFAULT_IMPUTER:
        against += [
            f"{OFF[modality]} is worse than ridge by {-gain:.3f} (se {error:.3f})"
            for modality, (gain, error) in gains.items()
            if gain < -NOT_WORSE * error
        ]
        if not any(gain > BETTER * error and gain > 0 for gain, error in gains.values()):
            against.append("no direction is clearly better than ridge")
    if not against:
        return "may ship"
    kept = "the bar, but " if name == DEFAULT_IMPUTER else "may not ship: "
    return kept + "; ".join(against)


def _several(rows: SharedRows) -> NDArray[np.bool_]:
    several: NDArray[np.bool_] = rows.present.sum(axis=1) > 1
    return several


def _masked(rows: SharedRows, hidden: Modality, probe: Probe) -> Hidden:
    """The head that was fitted without the hidden modality: what a product should do."""
    log_probs = np.zeros((len(rows), len(rows.labels)))
    for kept, present in _patterns(rows):
        without = tuple(one for one in pattern_of(present) if one is not hidden)
        log_probs[kept] = probe.log_probs(rows.parts[kept], without)
    return _judged(log_probs, rows, np.zeros(0))


def _hidden(
    rows: SharedRows, hidden: Modality, probe: Probe, imputer: Imputer, seed: int
) -> Hidden:
    place = MODALITIES.index(hidden)
    shown = rows.present.copy()
    shown[:, place] = False
    draws = imputer.sample(rows.parts, shown, DRAWS, seed)
    log_probs = np.zeros((len(rows), len(rows.labels)))
    for kept, present in _patterns(rows):
        said = [
            probe.log_probs(one[kept], pattern_of(present)) for one in draws[:WOULD_CHANGE_DRAWS]
        ]
        log_probs[kept] = np.logaddexp.reduce(said, axis=0) - np.log(WOULD_CHANGE_DRAWS)
    surprise = [
        Ellipsoid.of(draws[:, row, place]).surprise(rows.parts[row, place])
        for row in range(len(rows))
    ]
    return _judged(log_probs, rows, np.array(surprise))


def _patterns(
    rows: SharedRows,
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Which rows have which modalities."""
    return [
        ((rows.present == present).all(axis=1), present)
        for present in np.unique(rows.present, axis=0)
    ]


def _judged(log_probs: Doubles, rows: SharedRows, surprise: Doubles) -> Hidden:
    truth = log_probs[np.arange(len(rows)), rows.truth]
    return Hidden(-truth, log_probs.argmax(axis=1) == rows.truth, surprise)


def _joined(pieces: Sequence[Hidden]) -> Hidden:
    return Hidden(
        np.concatenate([one.losses for one in pieces]),
        np.concatenate([one.right for one in pieces]),
        np.concatenate([one.surprise for one in pieces]),
    )


def _gain(differences: Doubles, people: NDArray[np.str_], seed: int) -> tuple[float, float]:
    """Mean difference and its standard error, whole people drawn anew."""
    _, who = np.unique(people, return_inverse=True)
    means = np.concatenate(
        [counts @ differences / counts.sum(axis=1) for counts in drawn(who, seed, BOOTSTRAPS)]
    )
    return float(differences.mean()), float(means.std(ddof=1))
