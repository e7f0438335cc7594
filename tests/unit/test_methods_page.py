"""The comparison of methods: what counts as a win, and the page that is made from kept results."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from inference.evaluation.methods.compare import METHODS, Material, Run, compare, runs
from inference.evaluation.methods.figures import paired_gain
from inference.evaluation.methods.page import render
from inference.evaluation.methods.results import (
    Comparison,
    Cost,
    Gain,
    Judged,
    MethodsError,
    MethodsResults,
    Origin,
    Section,
    Spread,
    read_results,
)
from inference.evaluation.methods.verdict import verdicts
from inference.evaluation.report import EvaluationReport, to_json
from inference.evaluation.row_recipes import ProductRecipe, RowRecipe, fuse_pattern
from inference.evaluation.rows import CalibratedRows
from inference.fusion.late import LateWeighting
from inference.fusion.product import log_normalised
from inference.labels import Modality
from streams.cli.evaluate_methods import add_section, methods

pytestmark = pytest.mark.unit

ORIGIN = Origin(date="2026-01-01", commit="abc", machine="a machine", command="affectstream")


def comparison(name: str, gains: Mapping[str, Gain]) -> Comparison:
    figures = {"accuracy": Spread(0.8, 0.01), "nll": Spread(0.5)}
    return Comparison(
        name=name,
        title=f"Material {name}",
        about="Something.",
        n=100,
        speakers=10,
        seeds=5,
        whole="speech+face",
        lines=[
            Judged(method="late", part="speech+face", figures=figures, risk=[0.1] * 20),
            Judged(method="hybrid", part="speech+face", figures=figures, gains=dict(gains)),
        ],
    )


def results(*gains: Mapping[str, Gain]) -> MethodsResults:
    compared = [comparison(str(number), one) for number, one in enumerate(gains)]
    cost = Cost(
        method="late", version="late-1", size_bytes=2048, median_ms=1, p95_ms=2, many_ms=0.5
    )
    return MethodsResults(origin=ORIGIN, comparisons=compared, costs=[cost])


WON = {"accuracy": Gain(0.03, 0.01), "nll": Gain(0.1, 0.05)}
EVEN = {"accuracy": Gain(0.0, 0.01), "nll": Gain(0.0, 0.05)}
LOST = {"accuracy": Gain(0.0, 0.01), "nll": Gain(-0.06, 0.05)}


@pytest.mark.parametrize(
    ("gains", "ships"),
    [
        ([WON, WON, EVEN], True),
        ([WON, EVEN, EVEN], False),
        ([WON, WON, LOST], False),
        ([{"accuracy": Gain(0.02, 0.01)}, WON], False),
        ([EVEN], False),
    ],
)
def test_a_method_ships_that_wins_twice_beyond_two_errors_and_loses_nowhere(
    gains: list[Mapping[str, Gain]], *, ships: bool
) -> None:
    (verdict,) = verdicts(results(*gains).comparisons)
    assert verdict.ships is ships


def test_a_paired_gain_knows_what_speakers_share() -> None:
    random = np.random.default_rng(0)
    before = random.random(600)
    speakers = np.repeat(np.arange(20).astype(str), 30)
    always = paired_gain(before, before + 0.1, speakers)
    assert always.gain == pytest.approx(0.1)
    assert always.error == pytest.approx(0.0, abs=1e-9)
    moods = random.normal(0, 0.1, size=20)[speakers.astype(int)]
    by_speaker = paired_gain(before, before + moods, speakers)
    by_item = paired_gain(before, before + moods, np.arange(600).astype(str))
    assert by_speaker.error > 3 * by_item.error
    assert by_speaker.error == pytest.approx(0.1 / np.sqrt(20), rel=0.4)


def test_what_is_kept_is_what_is_shown_again(tmp_path: Path) -> None:
    kept = results(WON, LOST)
    kept.save(tmp_path)
    assert read_results(tmp_path) == kept
    page = render(kept, {"0": "images/methods-0.png"})
    assert "**None does: `late` ships as the default**" in page
    assert "| `hybrid` | 0 | 1 nll | no |" in page
    assert "![Material 0: gain on late](images/methods-0.png)" in page
    assert "0.8000 ± 0.0100" in page
    assert "commit `abc`" in page


def test_other_evaluations_put_their_reports_beside(tmp_path: Path) -> None:
    results(WON).save(tmp_path)
    report = EvaluationReport(task="imputation", n=3, metrics={"nll": 0.25})
    add_section(Section(title="Imputers", about="Who may ship.", report=report), tmp_path)
    add_section(Section(title="Imputers", about="Who may ship now.", report=report), tmp_path)
    page = (tmp_path / "methods.md").read_text()
    assert page.count("## Imputers") == 1
    assert "Who may ship now." in page
    assert "### Imputation" in page


def test_reports_of_the_command_line_are_shown_on_the_same_page(tmp_path: Path) -> None:
    results(WON).save(tmp_path)
    file = tmp_path / "narrator.json"
    file.write_text(
        to_json(EvaluationReport(task="narrator", n=500, metrics={"supported_before": 0.92}))
    )
    methods(out=tmp_path, report=[file])
    page = (tmp_path / "methods.md").read_text()
    assert page.count("\n## Narrator") == 1
    assert "0.92" in page
    methods(out=tmp_path)
    assert (tmp_path / "methods.md").read_text() == page


@pytest.mark.parametrize("text", ["{", '{"task": "speech", "n": 1, "metrics": {}}'])
def test_a_report_that_has_no_place_on_the_page_is_refused(tmp_path: Path, text: str) -> None:
    results(WON).save(tmp_path)
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(MethodsError, match=r"report of"):
        methods(out=tmp_path, report=[file])


def test_the_page_is_written_again_without_measuring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results(WON).save(tmp_path)
    methods(out=tmp_path, json=True)
    first = (tmp_path / "methods.md").read_text()
    assert '"commit":"abc"' in capsys.readouterr().out
    methods(out=tmp_path)
    assert (tmp_path / "methods.md").read_text() == first


def test_a_folder_without_results_says_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(MethodsError, match="affectstream evaluate methods --data"):
        methods(out=tmp_path)


def test_methods_are_compared_on_the_same_items_once_a_seed() -> None:
    random = np.random.default_rng(0)
    truth = np.arange(60) % 3
    said = log_normalised(random.normal(size=(60, 3)) + 2 * np.eye(3)[truth])
    rows = CalibratedRows({Modality.SPEECH: said}, np.full(3, -np.log(3)))
    speakers = np.array([f"{row % 6}" for row in range(60)])
    asked: list[tuple[str, int]] = []

    def recipe_of(name: str, seed: int) -> RowRecipe:
        asked.append((name, seed))
        return ProductRecipe(LateWeighting())

    def judge(recipe: RowRecipe) -> Run:
        fuser = recipe.fit(rows, truth, speakers).fuser
        fused = fuse_pattern(fuser, rows, (Modality.SPEECH,))
        return Run(truth, speakers, {"speech+face": (fused,), "dropped with p 0.1": (fused,) * 2})

    material = Material(name="one", title="One", about="", judge=judge)
    found = compare(material, recipe_of, seeds=2)
    assert len(asked) == runs(2)
    assert found.methods == list(METHODS)
    whole = found.of("feature", "speech+face")
    assert whole is not None
    assert whole.figures["accuracy"].sd == 0.0
    assert whole.gains["accuracy"] == Gain(0.0, 0.0)
    assert len(whole.risk) == 20
    dropped = found.of("feature", "dropped with p 0.1")
    assert dropped is not None
    assert dropped.risk == []
