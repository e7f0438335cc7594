"""What the pages in docs/ say of settings, metrics, topics and tests is true of the code."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric
from pydantic import SecretStr

from streams import topics
from streams.settings import Settings
from tests.registry import api_metrics, scraped, worker_metrics

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def page(name: str) -> str:
    return (DOCS / name).read_text()


def rows(text: str) -> list[list[str]]:
    """Cells of every table row whose first cell is one `name`."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def shown(value: Any) -> str:
    """A default as the table writes it."""
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


def test_the_table_of_settings_holds_every_setting_with_its_default() -> None:
    section = page("operations.md").split("## Settings")[1].split("\n## ")[0]
    told = {row[0].strip("`"): row[1].strip("`") for row in rows(section)}
    assert told == {
        name: shown(field.get_default(call_default_factory=True))
        for name, field in Settings.model_fields.items()
    }


@pytest.mark.parametrize(
    ("title", "families"),
    [("### Of a worker", worker_metrics), ("### Of the API", api_metrics)],
    ids=["worker", "api"],
)
def test_the_tables_of_metrics_hold_every_metric(
    title: str, families: Callable[[], list[Metric]]
) -> None:
    section = page("operations.md").split(title)[1].split("\n##")[0]
    assert {row[0].strip("`") for row in rows(section)} == scraped(families())


def test_every_topic_that_is_named_exists() -> None:
    for path in PAGES:
        named = set(re.findall(r"\baffect\.\w+\.v\d+(?:\.dlq|\.late)?\b", path.read_text()))
        assert named <= set(topics.ALL), path.name


def test_every_test_that_delivery_rests_on_exists() -> None:
    named = re.findall(r"`(tests/\w+/\w+\.py)::(\w+)`", page("delivery.md"))
    assert len(named) > 20
    for file, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target
