"""The fusion rule on corpora of predictions, made small: what is read, fitted, judged, refused."""

import csv
from pathlib import Path

import numpy as np
import pytest

from inference.evaluation.fusion_crema import (
    LETTERS,
    NoVotesError,
    Target,
    evaluate_fusion_crema,
    read_votes,
)
from inference.evaluation.fusion_ravdess import (
    ALPHABETICAL,
    EXPERTS,
    PROBABILITIES,
    NoPosteriorsError,
    drop,
    evaluate_fusion_ravdess,
    read_posteriors,
)
from inference.evaluation.row_recipes import ProductRecipe
from inference.fusion.late import LateWeighting
from inference.labels import Modality
from inference.training.ravdess_speech import CATEGORIES

LATE = ProductRecipe(LateWeighting())


def write_posteriors(folder: Path, folds: int, *, sure: float = 2.0) -> None:
    """Experts that are right more often than not; actors 1-2 in fold 0, 3-4 in fold 1, …"""
    random = np.random.default_rng(0)
    for expert in EXPERTS:
        (folder / expert).mkdir(parents=True)
        for fold in range(folds):
            lines = ["embs0;embs1;name"]
            for code in range(1, 9):
                for actor in (2 * fold + 1, 2 * fold + 2):
                    for take in range(1, 6):
                        clip = f"01-0{code}-01-0{take}-01-{actor:02}"
                        logits = random.normal(size=8)
                        logits[code - 1] += sure
                        if expert in PROBABILITIES:
                            values = np.exp(logits) / np.exp(logits).sum()
                            lines.append(";".join(map(str, values)) + f";01-{clip}")
                        else:
                            order = [CATEGORIES.index(name) for name in ALPHABETICAL]
                            lines.append(f'03-{clip}.wav,"{list(logits[order].tolist())}"')
            (folder / expert / f"fold{fold}_test.csv").write_text("\n".join(lines))


def write_votes(folder: Path, actors: int, *, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    with (folder / "crema_votes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["code", "channel", "file", *LETTERS, "responses"])
        for actor in range(1001, 1001 + actors):
            for acted, name in enumerate(("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")):
                for take in range(4):
                    for channel, sure in (("voice", 0.2), ("face", 0.3), ("audiovisual", 0.4)):
                        chances = np.full(6, (1 - sure) / 6) + sure * np.eye(6)[acted]
                        votes = random.multinomial(9, chances)
                        writer.writerow([1, channel, f"{actor}_T{take}_{name}_XX", *votes, 9])


def test_experts_are_read_in_their_own_order_of_columns(tmp_path: Path) -> None:
    write_posteriors(tmp_path, folds=2, sure=50.0)
    posteriors = read_posteriors(tmp_path)
    for log_probs in posteriors.log_probs.values():
        np.testing.assert_array_equal(log_probs.argmax(axis=1), posteriors.truth)
    assert sorted(set(posteriors.actors)) == ["01", "02", "03", "04"]


@pytest.mark.parametrize(("folds", "part"), [(3, "fold 0"), (1, "actor 01")])
def test_two_experts_that_err_apart_are_better_together(
    tmp_path: Path, folds: int, part: str
) -> None:
    write_posteriors(tmp_path, folds)
    report = evaluate_fusion_ravdess(read_posteriors(tmp_path), LATE)
    patterns = report.by.pattern
    assert report.n == 80 * folds
    assert set(patterns) == {"speech", "face", "speech+face"}
    assert patterns["speech+face"] == report.metrics
    assert report.metrics["accuracy"] > patterns["speech"]["accuracy"]
    assert report.metrics["nll"] < patterns["speech"]["nll"]
    assert part in report.by.group
    assert (
        report.metrics["accuracy"]
        > report.by.group["dropped with p 0.1"]["accuracy"]
        > report.by.group["dropped with p 0.7"]["accuracy"]
    )


def test_a_fold_is_judged_by_what_the_other_folds_taught(tmp_path: Path) -> None:
    """Turning a fold's truth upside down changes its figures and no fit on it."""
    write_posteriors(tmp_path, folds=2)
    posteriors = read_posteriors(tmp_path)
    before = evaluate_fusion_ravdess(posteriors, LATE).by.group
    truth = posteriors.truth
    truth[posteriors.folds == 1] = 7 - truth[posteriors.folds == 1]
    after = evaluate_fusion_ravdess(posteriors, LATE).by.group
    assert after["fold 0"] != before["fold 0"]  # it was calibrated on nonsense
    assert after["fold 1"]["accuracy"] < 0.3 < before["fold 1"]["accuracy"]


def test_masks_are_the_same_every_time_and_keep_somebody() -> None:
    first, again, other = drop(500, 0.7, [0, 1]), drop(500, 0.7, [0, 1]), drop(500, 0.7, [0, 2])
    for modality in (Modality.SPEECH, Modality.FACE):
        np.testing.assert_array_equal(first[modality], again[modality])
    assert (first[Modality.SPEECH] | first[Modality.FACE]).all()
    assert (first[Modality.SPEECH] != other[Modality.SPEECH]).any()
    assert 0.5 < first[Modality.SPEECH].mean() < 0.67  # .3 / (1 - .7 * .7) = .59


def test_a_folder_without_predictions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoPosteriorsError, match="point --data at the folder that holds the three"):
        read_posteriors(tmp_path)
    write_posteriors(tmp_path, folds=1)
    path = tmp_path / "wav2vec2" / "fold0_test.csv"
    path.write_text("03-01-01-01-01-01-01.wav,1.0,2.0\n")
    with pytest.raises(NoPosteriorsError, match="line 1: fewer than 8 numbers"):
        read_posteriors(tmp_path)


@pytest.mark.parametrize("target", Target)
def test_votes_of_two_channels_guess_those_of_both(tmp_path: Path, target: Target) -> None:
    write_votes(tmp_path, actors=20)
    votes = read_votes(tmp_path)
    report = evaluate_fusion_crema(votes, target, LATE)
    patterns = report.by.pattern
    assert report.n <= len(votes.acted) == 20 * 24
    assert (report.n < len(votes.acted)) == (target is Target.AV)  # ties are dropped
    assert (
        report.metrics["accuracy"] > patterns["face"]["accuracy"] > patterns["speech"]["accuracy"]
    )
    assert report.metrics["coverage"] >= 0.87
    assert report.by.group == {}


def test_figures_by_sex_and_age_where_the_folder_says(tmp_path: Path) -> None:
    write_votes(tmp_path, actors=10)
    rows = [f"{1001 + i},{20 + 4 * i},{'Male' if i % 2 else 'Female'}" for i in range(10)]
    (tmp_path / "crema_actors.csv").write_text("\n".join(["ActorID,Age,Sex", *rows]))
    groups = evaluate_fusion_crema(read_votes(tmp_path), Target.ACTED, LATE).by.group
    assert set(groups) == {
        "sex female", "sex male", "age under 30", "age 30 to 45", "age over 45",
    }  # fmt: skip


def test_rows_that_are_no_votes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NoVotesError, match="point --data at the folder"):
        read_votes(tmp_path)
    (tmp_path / "crema_votes.csv").write_text("channel,file,A\nvoice,1001_IEO_ANG_XX,1\n")
    with pytest.raises(NoVotesError, match="no crowd votes"):
        read_votes(tmp_path)
    header = ",".join(["code", "channel", "file", *LETTERS])
    (tmp_path / "crema_votes.csv").write_text(f"{header}\n1,voice,1001_IEO_ANG_XX,9,0,0,0,0,0\n")
    with pytest.raises(NoVotesError, match="no clip has votes for voice, face and audiovisual"):
        read_votes(tmp_path)
