"""`evaluate all` runs what it has the material for, and says what it leaves out."""

import csv
from pathlib import Path

import numpy as np
import pytest

from inference.evaluation.fusion_crema import LETTERS
from inference.evaluation.report import from_json
from streams.cli._evaluations import EVALUATIONS
from streams.cli._reports import UnwritableError
from streams.cli.evaluate_all import NoMaterialError, all_
from streams.cli.evaluate_calls import calls
from streams.cli.evaluate_pairs import pairs


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    """A folder with crowd votes, and an empty one where text should be."""
    (tmp_path / "data" / "text" / "goemotions").mkdir(parents=True)
    (tmp_path / "data" / "fusion").mkdir()
    random = np.random.default_rng(0)
    with (tmp_path / "data" / "fusion" / "crema_votes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["channel", "file", *LETTERS])
        for clip in range(120):
            acted = clip % 6
            name = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")[acted]
            for channel in ("voice", "face", "audiovisual"):
                votes = random.multinomial(9, np.full(6, 0.08) + 0.52 * np.eye(6)[acted])
                writer.writerow([channel, f"{1001 + clip // 12}_T{clip}_{name}_XX", *votes])
    return tmp_path / "data"


def test_what_has_material_runs_and_what_has_none_is_named(
    corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert all_(data=corpora, out=tmp_path / "out", models_dir=tmp_path) == 0
    ran = {"fusion-crema", "fusion-crema-adaptive", "fusion-crema-acted"}
    assert {path.stem for path in (tmp_path / "out").glob("*.json")} == ran
    assert {path.stem for path in (tmp_path / "out").glob("*.md")} == ran
    report = from_json((tmp_path / "out" / "fusion-crema-acted.json").read_bytes())
    assert (report.n, report.versions["target"]) == (120, "acted")
    shown = capsys.readouterr()
    for evaluation in EVALUATIONS:
        said = "items in" if evaluation.name in ran else "left out, no "
        assert f"{evaluation.name}: " in shown.err
        assert said in next(
            line for line in shown.err.splitlines() if line.startswith(f"{evaluation.name}: ")
        )
        assert (evaluation.name in shown.out) == (evaluation.name in ran)


def test_what_was_asked_for_by_name_must_be_there(corpora: Path, tmp_path: Path) -> None:
    assert all_(data=corpora, only="fusion-crema", models_dir=tmp_path) == 0
    assert all_(data=corpora, only="fusion-crema,text", models_dir=tmp_path) == 1


def test_a_folder_without_any_material_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoMaterialError, match=r"nowhere: no material .+ holds speech"):
        all_(data=tmp_path / "nowhere", models_dir=tmp_path)


def test_a_failure_is_one_line_and_the_others_go_on(
    corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpora / "text" / "goemotions" / "ekman_test.tsv").write_text("no tabs here")
    (corpora / "text" / "goemotions" / "ekman_labels.txt").write_text("anger")
    assert all_(data=corpora, only="text,fusion-crema", models_dir=tmp_path) == 1
    shown = capsys.readouterr()
    assert "text: failed: " in shown.err
    assert "fusion-crema: " in shown.err


def test_names_are_unlike_and_commands_say_where_the_corpora_are() -> None:
    assert len({evaluation.name for evaluation in EVALUATIONS}) == len(EVALUATIONS)
    for evaluation in EVALUATIONS:
        assert evaluation.command.startswith("affectstream evaluate ")
        assert "DIR/" in evaluation.command


def test_a_page_without_a_folder_is_refused_before_anybody_listens(tmp_path: Path) -> None:
    with pytest.raises(UnwritableError, match=r"--markdown .+ no folder"):
        calls(speech=tmp_path, text=tmp_path, markdown=tmp_path / "nowhere" / "report.md")
    with pytest.raises(UnwritableError, match=r"--markdown .+ no folder"):
        pairs(speech=tmp_path, text=tmp_path, markdown=tmp_path / "nowhere" / "report.md")
