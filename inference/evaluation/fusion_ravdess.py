"""Judge the fusion rule on published predictions for RAVDESS: one voice and two face experts.

The posteriors are those of Luna-Jimenez et al. 2022 (voice: fine-tuned wav2vec 2.0; face: two
networks on action units), five folds of unseen actors. A fold's own training file is in-sample
and never read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.calibration.conformal import fit_threshold
from inference.calibration.patterns import (
    PatternCalibration,
    fit_pattern_temperatures,
    pattern_of,
)
from inference.calibration.temperature import apply_temperature, fit_temperature
from inference.errors import AffectstreamError
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.evaluation.row_recipes import RowFuser, RowRecipe, fuse_pattern
from inference.evaluation.rows import (
    CalibratedRows,
    Columns,
    Floats,
    Rows,
    by_pattern,
    row_figures,
    side_auc,
)
from inference.fusion.product import grouped, log_normalised
from inference.labels import Modality
from inference.training.ravdess_speech import CATEGORIES

ALPHABETICAL: Final = (
    "angry",
    "calm",
    "disgust",
    "fearful",
    "happy",
    "neutral",
    "sad",
    "surprised",
)
"""Columns of the experts that publish logits; the other one follows the codes of the corpus."""
EXPERTS: Final = {
    "wav2vec2": Modality.SPEECH,
    "au_bilstm": Modality.FACE,
    "au_mlp": Modality.FACE,
}
PROBABILITIES: Final = frozenset({"au_mlp"})
PATTERNS: Final = (
    (Modality.SPEECH,),
    (Modality.FACE,),
    (Modality.SPEECH, Modality.FACE),
)
BOTH: Final = pattern_of(PATTERNS[-1])
DROP_RATES: Final = (0.1, 0.3, 0.5, 0.7)
MASKS: Final = 20
DISTRESS: Final = ("angry", "fearful", "sad", "disgust")
NOT_DISTRESS: Final = ("happy", "neutral", "calm")
HIGH_AROUSAL: Final = ("angry", "happy", "fearful")
LOW_AROUSAL: Final = ("sad", "neutral", "calm")

_CLIP: Final = re.compile(r"\d\d-\d\d-(?P<code>0[1-8])-\d\d-\d\d-\d\d-(?P<actor>\d\d)")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_FLOOR: Final = 1e-12


class NoPosteriorsError(AffectstreamError):
    """A folder without the published predictions, or with files that are not theirs."""


@dataclass(frozen=True, slots=True)
class Posteriors:
    """What three experts said of the same clips, none of which they were trained on.

    Attributes:
        log_probs: by expert, (clips, 8) in the order of `CATEGORIES`.
        truth: (clips,) column.
        folds: (clips,) number of the fold that tested each.
        actors: (clips,) who speaks.
    """

    log_probs: Mapping[str, Floats]
    truth: Columns
    folds: NDArray[np.integer]
    actors: NDArray[np.str_]

    def of(self, rows: Rows) -> "Posteriors":
        """The clips that `rows`, (clips,), marks."""
        return Posteriors(
            {expert: log_probs[rows] for expert, log_probs in self.log_probs.items()},
            self.truth[rows],
            self.folds[rows],
            self.actors[rows],
        )


def read_posteriors(folder: Path) -> Posteriors:
    """Read every fold's test file that all three experts have.

    Raises:
        NoPosteriorsError: there is none, or a line does not parse.
    """
    numbers = sorted(
        int(path.stem.removeprefix("fold").removesuffix("_test"))
        for path in (folder / "wav2vec2").glob("fold[0-9]_test.csv")
        if all((folder / expert / path.name).is_file() for expert in EXPERTS)
    )
    if not numbers:
        raise NoPosteriorsError(
            f"{folder}: no wav2vec2/foldN_test.csv with its like in au_bilstm and au_mlp; point "
            "--data at the folder that holds the three"
        )
    log_probs: dict[str, list[Floats]] = {expert: [] for expert in EXPERTS}
    truth: list[int] = []
    folds: list[int] = []
    actors: list[str] = []
    for number in numbers:
        said = {one: _read(folder / one / f"fold{number}_test.csv", one) for one in EXPERTS}
        for clip in sorted(set.intersection(*(set(clips) for clips in said.values()))):
            for expert, clips in said.items():
                log_probs[expert].append(clips[clip])
            code, actor = clip
            truth.append(code)
            folds.append(number)
            actors.append(actor.rsplit("-", 1)[-1])
    return Posteriors(
        {expert: np.stack(rows) for expert, rows in log_probs.items()},
        np.array(truth),
        np.array(folds),
        np.array(actors),
    )


def _read(path: Path, expert: str) -> dict[tuple[int, str], Floats]:
    """By column of the truth and what else names the clip: (8,) log-probabilities."""
    columns = CATEGORIES if expert in PROBABILITIES else ALPHABETICAL
    order = [columns.index(category) for category in CATEGORIES]
    clips: dict[tuple[int, str], Floats] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = _CLIP.search(line)
        if match is None:
            continue  # the header
        values = [float(found) for found in _NUMBER.findall(line.replace(match[0], ""))]
        if len(values) < len(CATEGORIES):
            raise NoPosteriorsError(f"{path}, line {number}: fewer than {len(CATEGORIES)} numbers")
        row = np.array(values[: len(CATEGORIES)])[order]
        if expert in PROBABILITIES:
            row = np.log(np.maximum(row, _FLOOR))
        # voice and video of one clip differ in their first field only
        clips[int(match["code"]) - 1, match[0][3:]] = log_normalised(row)
    return clips


@dataclass(frozen=True, slots=True)
class FittedFusion:
    """Every number that is fitted: on other folds than it is judged on."""

    temperatures: Mapping[str, float]
    face_temperature: float
    fuser: RowFuser
    calibration: PatternCalibration

    @classmethod
    def fit(cls, posteriors: Posteriors, recipe: RowRecipe) -> "FittedFusion":
        """One temperature for each expert, one for the group of faces, one for each pattern.

        Patterns are fitted on clips that the fuser has not learned from.
        """
        truth = posteriors.truth
        temperatures = {
            expert: fit_temperature(log_probs, truth)
            for expert, log_probs in posteriors.log_probs.items()
        }
        faces = _faces(posteriors, temperatures)
        rows = _rows(posteriors, temperatures, face_temperature := fit_temperature(faces, truth))
        fit = recipe.fit(rows, truth, posteriors.actors)
        rows, truth = rows.of(fit.unseen), truth[fit.unseen]
        fused = {pattern_of(one): fuse_pattern(fit.fuser, rows, one) for one in PATTERNS}
        tempered = PatternCalibration(
            temperatures=fit_pattern_temperatures({k: (v, truth) for k, v in fused.items()})
        )
        thresholds = {
            pattern: fit_threshold(np.exp(tempered.apply(pattern, log_probs)), truth)
            for pattern, log_probs in fused.items()
        }
        calibration = PatternCalibration(temperatures=tempered.temperatures, thresholds=thresholds)
        return cls(temperatures, face_temperature, fit.fuser, calibration)

    def rows(self, posteriors: Posteriors) -> CalibratedRows:
        """Calibrated groups of other clips."""
        return _rows(posteriors, self.temperatures, self.face_temperature)


def evaluate_fusion_ravdess(posteriors: Posteriors, recipe: RowRecipe) -> EvaluationReport:
    """Figures with both modalities, with one, and with each dropped at random.

    Everything is fitted on the other folds; of a single fold, on the other actors.
    """
    judged = judge_posteriors(posteriors, recipe)
    truth = np.concatenate([part.truth for part in judged])
    patterns = {
        pattern_of(pattern): _figures(
            truth,
            np.concatenate([part.fused[pattern_of(pattern)] for part in judged]),
            np.concatenate([part.thresholds[pattern_of(pattern)] for part in judged]),
        )
        for pattern in PATTERNS
    }
    groups = {
        f"dropped with p {rate:g}": _over_masks(judged, truth, number)
        for number, rate in enumerate(DROP_RATES)
    }
    for part in judged:
        groups[part.name] = row_figures(part.truth, part.fused[BOTH], part.thresholds[BOTH])
    return EvaluationReport(
        task="fusion-ravdess",
        n=len(truth),
        metrics=patterns[BOTH],
        by=Breakdown(pattern=patterns, group=groups),
        versions={"fusion": recipe.name, "folds": " ".join(map(str, np.unique(posteriors.folds)))},
    )


@dataclass(frozen=True, slots=True)
class JudgedClips:
    """Predictions for clips of a part that nothing was fitted on.

    Attributes:
        truth: (clips,) columns.
        actors: (clips,) who speaks.
        fused: by pattern, (clips, 8) log-probabilities.
        thresholds: by pattern, (clips,) of its conformal sets.
        dropped: by drop rate, then mask: (clips, 8).
    """

    name: str
    truth: Columns
    actors: NDArray[np.str_]
    fused: Mapping[str, Floats]
    thresholds: Mapping[str, Floats]
    dropped: tuple[tuple[Floats, ...], ...]


def judge_posteriors(posteriors: Posteriors, recipe: RowRecipe) -> list[JudgedClips]:
    """Each part judged by what was fitted on the others; the parts are all clips together."""
    return [
        _judge(posteriors.of(rows), FittedFusion.fit(posteriors.of(~rows), recipe))
        for rows in _parts(posteriors)
    ]


def _judge(posteriors: Posteriors, fitted: FittedFusion) -> JudgedClips:
    rows, n = fitted.rows(posteriors), len(posteriors.truth)
    calibration = fitted.calibration
    folds, actors = np.unique(posteriors.folds), np.unique(posteriors.actors)
    alone = len(actors) == 1
    seed = [int(folds[0]), int(actors[0]) if alone else 0]
    fused = {
        pattern_of(one): calibration.apply(pattern_of(one), fuse_pattern(fitted.fuser, rows, one))
        for one in PATTERNS
    }
    return JudgedClips(
        name=f"actor {actors[0]}" if alone else f"fold {folds[0]}",
        truth=posteriors.truth,
        actors=posteriors.actors,
        fused=fused,
        thresholds={
            pattern_of(one): np.full(n, calibration.threshold(pattern_of(one))) for one in PATTERNS
        },
        dropped=tuple(
            tuple(by_pattern(fused, drop(n, rate, [*seed, number, mask])) for mask in range(MASKS))
            for number, rate in enumerate(DROP_RATES)
        ),
    )


def drop(n: int, rate: float, seed: list[int]) -> dict[Modality, Rows]:
    """Which modality of which item is left, each dropped with `rate` by itself.

    Rows that would lose both are drawn again, so one is always kept.
    """
    random = np.random.default_rng(seed)
    kept = random.random((n, 2)) >= rate
    while not (some := kept.any(axis=1)).all():
        kept[~some] = random.random((int((~some).sum()), 2)) >= rate
    return {Modality.SPEECH: kept[:, 0], Modality.FACE: kept[:, 1]}


def _over_masks(judged: list[JudgedClips], truth: Columns, rate: int) -> Metrics:
    """Mean over the masks, and the standard deviation of the accuracy among them."""
    each = [
        row_figures(truth, np.concatenate([part.dropped[rate][mask] for part in judged]))
        for mask in range(MASKS)
    ]
    means = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    return means | {"accuracy_sd": float(np.std([one["accuracy"] for one in each], ddof=1))}


def _figures(truth: Columns, log_probs: Floats, thresholds: Floats) -> Metrics:
    return row_figures(truth, log_probs, thresholds) | {
        "distress_auc": side_auc(truth, log_probs, _columns(DISTRESS), _columns(NOT_DISTRESS)),
        "arousal_auc": side_auc(truth, log_probs, _columns(HIGH_AROUSAL), _columns(LOW_AROUSAL)),
    }


def _columns(names: tuple[str, ...]) -> NDArray[np.integer]:
    return np.array([CATEGORIES.index(name) for name in names])


def _parts(posteriors: Posteriors) -> Iterator[Rows]:
    """Clips that are judged together: a fold, or an actor where there is one fold only."""
    by = posteriors.folds if len(np.unique(posteriors.folds)) > 1 else posteriors.actors
    for part in np.unique(by):
        yield by == part


def _faces(posteriors: Posteriors, temperatures: Mapping[str, float]) -> Floats:
    """Both face experts as one, (clips, 8)."""
    even = -np.log(len(CATEGORIES))
    support = np.stack(
        [
            apply_temperature(posteriors.log_probs[expert], temperatures[expert]) - even
            for expert, modality in EXPERTS.items()
            if modality is Modality.FACE
        ]
    )
    return log_normalised(grouped(support))


def _rows(
    posteriors: Posteriors, temperatures: Mapping[str, float], face_temperature: float
) -> CalibratedRows:
    voice = apply_temperature(posteriors.log_probs["wav2vec2"], temperatures["wav2vec2"])
    faces = apply_temperature(_faces(posteriors, temperatures), face_temperature)
    even = np.full(len(CATEGORIES), -np.log(len(CATEGORIES)))
    return CalibratedRows({Modality.SPEECH: voice, Modality.FACE: faces}, even)
