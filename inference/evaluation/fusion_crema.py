"""Judge the fusion rule on the crowd votes of CREMA-D: people who only heard, only saw, or both.

Cao et al. 2014. ODbL 1.0: figures are published, the votes are not part of this repository.
Each channel's votes stand in for an expert; the rule has to guess what people say who both hear
and see (`av`), or what the actor was asked for (`acted`).
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.calibration.affine import AffineCalibrator
from inference.calibration.conformal import fit_threshold
from inference.calibration.patterns import (
    PatternCalibration,
    fit_pattern_temperatures,
    pattern_of,
)
from inference.errors import AffectstreamError
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.evaluation.row_recipes import RowRecipe, fuse_pattern
from inference.evaluation.rows import CalibratedRows, Columns, Floats, Rows, row_figures, side_auc
from inference.labels import DISTRESS, HIGH_AROUSAL, LOW_AROUSAL, NOT_DISTRESS, Emotion, Modality

VOTES_FILE: Final = "crema_votes.csv"
ACTORS_FILE: Final = "crema_actors.csv"
LETTERS: Final = {
    "A": Emotion.ANGER,
    "D": Emotion.DISGUST,
    "F": Emotion.FEAR,
    "H": Emotion.JOY,
    "N": Emotion.NEUTRAL,
    "S": Emotion.SADNESS,
}
LABELS: Final = tuple(LETTERS.values())
CHANNELS: Final = {"voice": Modality.SPEECH, "face": Modality.FACE}
BOTH_CHANNELS: Final = "audiovisual"
PATTERNS: Final = ((Modality.SPEECH,), (Modality.FACE,), (Modality.SPEECH, Modality.FACE))
BOTH: Final = pattern_of(PATTERNS[-1])
FOLDS: Final = 5
AGES: Final = (30, 45)
PSEUDO_COUNT: Final = 0.5
"""Votes that every label has before anybody voted."""


class Target(StrEnum):
    """What is to be guessed."""

    AV = "av"
    """The label that most people chose who heard and saw; ties are dropped."""
    ACTED = "acted"
    """The label that the actor was asked for."""


class NoVotesError(AffectstreamError):
    """A folder without the votes, or with rows that are not theirs."""


@dataclass(frozen=True, slots=True)
class Votes:
    """Clips that people have heard, seen, and both.

    Attributes:
        counts: by channel, (clips, 6) votes in the order of `LABELS`.
        acted: (clips,) column of what the actor was asked for.
        actors: (clips,) number of who acts.
        sexes: (clips,) of the actor; empty words where the folder does not say.
        ages: (clips,) years; -1 where the folder does not say.
    """

    counts: Mapping[str, Floats]
    acted: Columns
    actors: NDArray[np.str_]
    sexes: NDArray[np.str_]
    ages: NDArray[np.integer]


def read_votes(folder: Path) -> Votes:
    """Read `crema_votes.csv`, and `crema_actors.csv` where it lies beside it.

    Raises:
        NoVotesError: the first is missing, or a row is not what it should be.
    """
    path = folder / VOTES_FILE
    columns = list(LETTERS)
    counts: dict[str, dict[str, Floats]] = defaultdict(dict)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                channels = counts[row["file"]]
                votes = np.array([float(row[letter]) for letter in columns])
                channels[row["channel"]] = channels.get(row["channel"], 0.0) + votes
        heard_and_seen = {
            name: channels
            for name, channels in sorted(counts.items())
            if channels.keys() >= {*CHANNELS, BOTH_CHANNELS}
        }
        acted = np.array([columns.index(name.split("_")[2][0]) for name in heard_and_seen])
    except (OSError, KeyError, ValueError, IndexError) as exc:
        raise NoVotesError(
            f"{path}: no crowd votes of CREMA-D ({exc!r}); point --data at the folder that holds "
            f"{VOTES_FILE} with the columns channel, file, {', '.join(columns)}"
        ) from exc
    if not heard_and_seen:
        raise NoVotesError(f"{path}: no clip has votes for voice, face and {BOTH_CHANNELS}")
    actors = np.array([name.split("_")[0] for name in heard_and_seen])
    described = _read_actors(folder / ACTORS_FILE)
    return Votes(
        {
            channel: np.stack([channels[channel] for channels in heard_and_seen.values()])
            for channel in (*CHANNELS, BOTH_CHANNELS)
        },
        acted,
        actors,
        np.array([described.get(actor, ("", -1))[0] for actor in actors]),
        np.array([described.get(actor, ("", -1))[1] for actor in actors]),
    )


def _read_actors(path: Path) -> dict[str, tuple[str, int]]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["ActorID"]: (row["Sex"].lower(), int(row["Age"])) for row in csv.DictReader(file)
        }


@dataclass(frozen=True, slots=True)
class JudgedVotes:
    """Predictions for clips whose actors nothing was fitted on.

    Attributes:
        kept: which clips of the votes have a clear truth.
        truth: (kept,) columns.
        actors: (kept,) who acts.
        fused: by pattern, (kept, 6) log-probabilities.
        thresholds: by pattern, (kept,) of its conformal sets.
    """

    kept: Rows
    truth: Columns
    actors: NDArray[np.str_]
    fused: Mapping[str, Floats]
    thresholds: Mapping[str, Floats]


def judge_votes(votes: Votes, target: Target, recipe: RowRecipe) -> JudgedVotes:
    """Guess every clip from what was fitted on the actors of other folds.

    In each of five folds of actors every channel gets an affine calibration, every pattern a
    temperature and a conformal threshold, all from the other actors.
    """
    truth, kept = _truth(votes, target)
    log_votes = {
        modality: _log_shares(votes.counts[channel][kept]) for channel, modality in CHANNELS.items()
    }
    actors = votes.actors[kept]
    fused = {pattern_of(one): np.empty((len(truth), len(LABELS))) for one in PATTERNS}
    thresholds = {pattern: np.empty(len(truth)) for pattern in fused}
    for held_out in _folds(actors, FOLDS):
        part = _fit_and_fuse(log_votes, truth, actors, held_out, recipe)
        for pattern, (log_probs, threshold) in part.items():
            fused[pattern][held_out] = log_probs
            thresholds[pattern][held_out] = threshold
    return JudgedVotes(kept, truth, actors, fused, thresholds)


def evaluate_fusion_crema(votes: Votes, target: Target, recipe: RowRecipe) -> EvaluationReport:
    """Figures for voice, face and both, on actors that nothing was fitted on."""
    judged = judge_votes(votes, target, recipe)
    truth, fused, thresholds = judged.truth, judged.fused, judged.thresholds
    patterns = {
        pattern: _figures(truth, log_probs, thresholds[pattern])
        for pattern, log_probs in fused.items()
    }
    return EvaluationReport(
        task="fusion-crema",
        n=len(truth),
        metrics=patterns[BOTH],
        by=Breakdown(
            pattern=patterns,
            group={
                name: _figures(truth[members], fused[BOTH][members], thresholds[BOTH][members])
                for name, members in _groups(votes, judged.kept).items()
            },
        ),
        versions={
            "fusion": recipe.name,
            "target": target.value,
            "actors": f"{len(set(judged.actors.tolist()))}",
        },
    )


def _truth(votes: Votes, target: Target) -> tuple[Columns, Rows]:
    """(kept,) columns of the truth, and which clips, (clips,), are kept."""
    if target is Target.ACTED:
        return votes.acted, np.ones(len(votes.acted), dtype=np.bool_)
    counts = votes.counts[BOTH_CHANNELS]
    clear = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1
    return counts[clear].argmax(axis=1), clear


def _log_shares(counts: Floats) -> Floats:
    """log((votes + .5) / (n + 3)), (clips, 6)."""
    shares = (counts + PSEUDO_COUNT) / (
        counts.sum(axis=1, keepdims=True) + PSEUDO_COUNT * counts.shape[1]
    )
    logs: Floats = np.log(shares)
    return logs


def _fit_and_fuse(
    log_votes: Mapping[Modality, Floats],
    truth: Columns,
    actors: NDArray[np.str_],
    held_out: Rows,
    recipe: RowRecipe,
) -> dict[str, tuple[Floats, float]]:
    """By pattern: calibrated rows of the held-out clips, and their conformal threshold.

    1. Calibrate each channel on all other actors.
    2. Again without one fold of those actors at a time, for predictions that no calibration
       has seen: patterns and thresholds are fitted on them.
    3. Fuse the held-out clips.
    """
    known = ~held_out
    prior = np.log(np.bincount(truth[known], minlength=len(LABELS)) / known.sum())
    unseen = {modality: np.empty_like(rows[known]) for modality, rows in log_votes.items()}
    for inner in _folds(actors[known], FOLDS):
        for modality, rows in log_votes.items():
            mine = rows[known]
            calibrator = AffineCalibrator.fit(mine[~inner], truth[known][~inner])
            unseen[modality][inner] = calibrator.apply(mine[inner])
    before = CalibratedRows(unseen, prior)
    fit = recipe.fit(before, truth[known], actors[known])
    calibrating, called = before.of(fit.unseen), truth[known][fit.unseen]
    fitted = {pattern_of(one): fuse_pattern(fit.fuser, calibrating, one) for one in PATTERNS}
    calibration = PatternCalibration(
        temperatures=fit_pattern_temperatures(
            {pattern: (rows, called) for pattern, rows in fitted.items()},
            class_balanced=False,
        )
    )
    after = CalibratedRows(
        {
            modality: AffineCalibrator.fit(rows[known], truth[known]).apply(rows[held_out])
            for modality, rows in log_votes.items()
        },
        prior,
    )
    return {
        pattern_of(one): (
            calibration.apply(pattern_of(one), fuse_pattern(fit.fuser, after, one)),
            fit_threshold(
                np.exp(calibration.apply(pattern_of(one), fitted[pattern_of(one)])), called
            ),
        )
        for one in PATTERNS
    }


def _folds(actors: NDArray[np.str_], count: int) -> list[Rows]:
    """Actors in turn to each fold, so that every fold spans the corpus."""
    names = np.unique(actors)
    return [np.isin(actors, names[first::count]) for first in range(min(count, len(names)))]


def _groups(votes: Votes, rows: Rows) -> dict[str, Rows]:
    """Clips of actors of a sex, and of an age; nothing where the folder does not say."""
    sexes, ages = votes.sexes[rows], votes.ages[rows]
    groups = {f"sex {sex}": sexes == sex for sex in sorted(set(sexes.tolist()) - {""})}
    if (ages >= 0).all():
        under, over = AGES
        groups |= {
            f"age under {under}": ages < under,
            f"age {under} to {over}": (ages >= under) & (ages <= over),
            f"age over {over}": ages > over,
        }
    return {name: members for name, members in groups.items() if members.any()}


def _figures(truth: Columns, log_probs: Floats, thresholds: Floats) -> Metrics:
    return row_figures(truth, log_probs, thresholds) | {
        "distress_auc": side_auc(truth, log_probs, _columns(DISTRESS), _columns(NOT_DISTRESS)),
        "arousal_auc": side_auc(truth, log_probs, _columns(HIGH_AROUSAL), _columns(LOW_AROUSAL)),
    }


def _columns(labels: frozenset[Emotion]) -> NDArray[np.integer]:
    return np.array([column for column, label in enumerate(LABELS) if label in labels])
