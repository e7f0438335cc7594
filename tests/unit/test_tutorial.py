"""The tutorial runs as it is written, and stays as short as it promises."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCKS = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)


def test_the_tutorial_runs_and_its_figures_are_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "tutorial"}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"docs/tutorial.md, block {number}", "exec"), names)
    assert capsys.readouterr().out.count("without ") == 6
    assert (tmp_path / "model" / "weights.safetensors").is_file()


def test_the_tutorial_has_fewer_than_sixty_lines_of_code() -> None:
    code = [line for block in BLOCKS for line in block.splitlines() if line.strip()]
    assert 20 < len(code) < 60
