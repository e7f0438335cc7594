"""What the pages in docs/ say of settings, metrics, topics and tests is true of the code."""

import re
from collections import Counter, defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from streams import topics
from streams.settings import Settings
from streams.worker.metrics import WorkerMetrics
from streams.worker.pump import PumpStats
from streams.worker.relay import RelayStats

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


def metric_names() -> set[str]:
    """Names under which a worker's metrics are scraped."""
    worker = SimpleNamespace(
        pump=SimpleNamespace(
            stats=PumpStats(alerts_fired=Counter({("sharp-rise", "warning"): 1})), hurry=False
        ),
        partitions=SimpleNamespace(records_expired=0, conversations=0, held_bytes=0),
    )
    relay = SimpleNamespace(
        stats=RelayStats(
            delivered=defaultdict(int, kafka=1),
            outcomes=defaultdict(int, {("webhook:crm", "dead"): 1}),
        )
    )
    collector = WorkerMetrics(cast("Any", worker), cast("Any", relay))
    return {sample.name for metric in collector.collect() for sample in metric.samples}


def test_the_table_of_settings_holds_every_setting_with_its_default() -> None:
    section = page("operations.md").split("## Settings")[1].split("\n## ")[0]
    told = {row[0].strip("`"): row[1].strip("`") for row in rows(section)}
    assert told == {
        name: shown(field.get_default(call_default_factory=True))
        for name, field in Settings.model_fields.items()
    }


def test_the_table_of_metrics_holds_every_metric_of_a_worker() -> None:
    section = page("operations.md").split("## Metrics of a worker")[1].split("\n## ")[0]
    assert {row[0].strip("`") for row in rows(section)} == metric_names()


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
