"""What decides whether an imputer ships, and the two commands."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.evaluation.imputation import component_fold, evaluate_imputation, verdict
from inference.evaluation.markdown import to_markdown
from inference.imputation.contract import IMPUTERS
from inference.imputation.weights import ImputerWeights
from inference.labels import EMOTIONS, MODALITIES, Modality
from inference.projection import Projection
from inference.training.imputation import train
from inference.training.imputation.train import Settings
from inference.training.paired import Pairs, Part
from streams.cli.evaluate_imputation import imputation as evaluate
from streams.cli.train_imputation import imputation as train_command
from tests.imputers import TWO, shared_rows

SPEECH, TEXT, FACE = MODALITIES
QUICK = Settings(hidden=8, batch_size=32, epochs=2)


def part(modality: Modality, size: int, seed: int, n: int = 48) -> Part:
    random = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    vectors = np.eye(3, size)[truth] * 2 + random.standard_normal((n, size))
    return Part(
        modality=modality,
        space=f"straw-{size}",
        vectors=vectors.astype(np.float32),
        support=np.zeros((n, len(EMOTIONS))),
        distress=np.zeros(n),
        truth=np.array([EMOTIONS[one].value for one in truth]),
        groups=np.array([f"ravdess/{1 + row % 24:02d}" for row in range(n)]),
        said=np.full(n, ""),
        efforts_db=np.where(np.arange(n) % 5, 3.0, np.nan),
        views={},
    )


def pairs() -> Pairs:
    voice, face = part(SPEECH, 12, 0), part(FACE, 7, 1)
    rows = np.arange(len(voice.truth))
    absent = np.full(len(rows), -1)
    placed = np.stack([rows, absent, np.where(rows % 10 == 9, -1, rows)], axis=1)
    return Pairs({SPEECH: voice, FACE: face}, placed, voice.truth, voice.groups)


def test_every_direction_of_every_imputer_is_judged_on_people_who_were_left_out() -> None:
    given = pairs()
    seen: list[int] = []
    fold = component_fold(given)
    held_out = list(given.folds(12))
    report = evaluate_imputation(
        fold, held_out, ["cgan"], QUICK, {"space": "straw"}, lambda: seen.append(1)
    )
    both = int((given.rows[:, 2] >= 0).sum())
    assert len(seen) == 2 * len(held_out)
    assert report.n == 2 * both
    assert set(report.by.group) == {
        f"{off}, {name}"
        for off in ("microphone off", "camera off")
        for name in ("masked", "ridge", "cgan")
    }
    masked = report.by.group["camera off, masked"]
    assert set(masked) == {"n", "nll", "accuracy"}
    ridge, gan = (report.by.group[f"camera off, {name}"] for name in ("ridge", "cgan"))
    assert set(ridge) == {"n", "nll", "accuracy", "coverage"}
    assert gan["gain_on_ridge"] == pytest.approx(ridge["nll"] - gan["nll"])
    assert gan["gain_se"] > 0
    assert {"ridge", "cgan", "space", "seed", "draws"} == set(report.versions)
    assert "may not ship" in report.versions["cgan"]
    assert "camera off" in to_markdown(report)
    again = evaluate_imputation(fold, held_out, ["cgan"], QUICK, {"space": "straw"})
    assert again == report


def test_components_are_of_those_who_are_learnt_from_alone() -> None:
    given = pairs()
    held_out = np.isin(given.groups, ["ravdess/01"])
    before = component_fold(given)(held_out)
    given.parts[SPEECH].vectors[held_out] += 100
    after = component_fold(given)(held_out)
    np.testing.assert_array_equal(before.parts[~held_out], after.parts[~held_out])
    assert not before.present[given.rows[:, 2] < 0, 2].any()


INSIDE = {SPEECH: 0.9, FACE: 0.9}


@pytest.mark.parametrize(
    ("gains", "covers", "said"),
    [
        ({SPEECH: (0.1, 0.02), FACE: (0.0, 0.02)}, INSIDE, "may ship"),
        ({SPEECH: (0.1, 0.02), FACE: (-0.03, 0.02)}, INSIDE, "camera off is worse than ridge"),
        ({SPEECH: (0.03, 0.02), FACE: (0.0, 0.02)}, INSIDE, "no direction is clearly better"),
        ({SPEECH: (0.0, 0.0), FACE: (0.0, 0.0)}, INSIDE, "no direction is clearly better"),
        ({SPEECH: (0.1, 0.02), FACE: (0.1, 0.02)}, {SPEECH: 0.9, FACE: 0.5}, "covers 0.50"),
        ({SPEECH: (0.1, 0.02), FACE: (0.1, 0.02)}, {SPEECH: 0.99, FACE: 0.9}, "covers 0.99"),
    ],
)
def test_only_who_is_better_than_ridge_and_knows_what_it_does_not_know_may_ship(
    gains: dict[Modality, tuple[float, float]], covers: dict[Modality, float], said: str
) -> None:
    found = verdict("diffusion", gains, covers)
    assert said in found
    assert found.startswith("may ship" if said == "may ship" else "may not ship: ")


def test_the_bar_itself_need_only_know_what_it_does_not_know() -> None:
    gains = dict.fromkeys(INSIDE, (0.0, 0.0))
    assert verdict("ridge", gains, INSIDE) == "may ship"
    assert verdict("ridge", gains, {SPEECH: 0.99, FACE: 0.9}).startswith("the bar, but ")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "EPOCHS", dict.fromkeys(IMPUTERS, 2))
    monkeypatch.setattr(train, "HIDDEN", 8)


def test_the_command_prints_the_table_that_decides(
    quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def straw_pairs(*_: Any, **__: Any) -> Pairs:
        return pairs()

    monkeypatch.setattr("inference.training.paired.real_pairs", straw_pairs)
    table = tmp_path / "imputation.md"
    evaluate(data=tmp_path, imputer=["translator"], folds=2, json=True, markdown=table)
    report = json.loads(capsys.readouterr().out)
    assert report["task"] == "imputation"
    assert "camera off, translator" in report["by"]["group"]
    assert "| camera off, ridge |" in table.read_text()


class StrawSpace:
    """Places the first numbers of each vector in the shared space."""

    version = "straw-space-1"

    def project(self, evidence: Any) -> Projection:
        (one,) = evidence
        row = np.zeros(256, dtype=np.float32)
        row[: len(one.features.vector)] = one.features.vector
        assert one.modality is SPEECH or one.prosody is None
        return Projection.of({one.modality: row / np.linalg.norm(row)})


def test_the_command_trains_them_all_in_the_shared_space(
    quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(*_: Any) -> StrawSpace:
        return StrawSpace()

    def given(one: Part) -> Callable[..., Part]:
        return lambda *_, **__: one

    monkeypatch.setattr("inference.alignment.space.AlignedSpace.load", opened)
    monkeypatch.setattr("inference.training.paired.voice_part", given(part(SPEECH, 12, 0)))
    monkeypatch.setattr("inference.training.paired.text_part", given(part(TEXT, 9, 1)))
    lines = tmp_path / "lines"
    lines.mkdir()
    (lines / "ekman_labels.txt").write_text("anger disgust fear joy neutral sadness surprise")
    (lines / "ekman_dev.tsv").write_text("so it is\t4\tid\n")
    recordings = Path(__file__).parents[1] / "data" / "emodb"
    out, curves = tmp_path / "out", tmp_path / "curves"
    train_command(speech=recordings, text=lines, out=out, curves=curves)
    told = capsys.readouterr().err.replace("\n", "")
    assert sorted(path.name for path in out.iterdir()) == sorted(IMPUTERS)
    for name in IMPUTERS:
        found = ImputerWeights.load(out / name, "straw-space-1")
        assert found.config.modalities == TWO
        assert "faces are not trained" in found.config.data
        assert f"{found.version} is in" in told
    assert (curves / "diffusion" / "history.json").is_file()
    augmentation = ImputerWeights.load(out / "cgan").config.training["augmentation"]
    assert augmentation["kept"] in {True, False}


def test_rows_say_who_has_what() -> None:
    rows = shared_rows(modalities=TWO)
    assert rows.modalities == TWO
    assert not rows.has(MODALITIES).any()
    assert rows.has(TWO).all()
