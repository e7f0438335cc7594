"""What the README shows is true: commands, links, targets, and the score."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from inference.contract import from_json
from streams.cli import COMMANDS

TREE = Path(__file__).parents[2]
README = (TREE / "README.md").read_text()
LINES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]


def test_the_score_that_is_shown_is_one() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    jsonschema.validate(
        json.loads(shown), json.loads((TREE / "docs" / "score.schema.json").read_text())
    )
    score = from_json(shown)
    assert score.emotions is not None
    assert sum(score.emotions.values()) == pytest.approx(1)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("affectstream ")])
def test_every_command_that_is_shown_exists(line: str) -> None:
    words = line.split()[1:]
    known = {
        (name,) if parent.name[0] == "affectstream" else (parent.name[0], name)
        for parent, _, name in COMMANDS
    }
    assert any(tuple(words[: len(command)]) == command for command in known), line


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_every_target_that_is_shown_exists(line: str) -> None:
    assert re.search(rf"^{line.split()[1]}:", (TREE / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (TREE / target).exists()
