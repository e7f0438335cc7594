"""Alert rules, dashboards and runbooks, as Prometheus' own checker and the code see them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import Metric

from tests.registry import api_metrics, scraped, series, worker_metrics
from tests.tools import ROOT, program

FOLDER = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
RUNBOOKS = ROOT / "docs" / "runbooks"
OF_CONVERSATIONS = {
    "sustained-distress",
    "sharp-rise",
    "words-and-voice-disagree",
    "silent-after-distress",
}
"""Runbooks of rules on conversations; all others are of the system."""
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "rules.test.yml").read_text())["tests"]
PAGES = [path for path in sorted(RUNBOOKS.glob("*.md")) if path.stem != "README"]
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))


def promtool(*arguments: str | Path, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("promtool"), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\baffectstream_\w+", expression))


def everything() -> list[Metric]:
    return [*worker_metrics(), *api_metrics()]


def known() -> set[str]:
    return series(everything())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The folder, to break, with a key as somebody who deploys it makes one."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "prometheus"))
    (folder / "api.key").touch()
    return folder


def test_prometheus_reads_its_configuration_and_the_rules(copy: Path) -> None:
    for check in (("config", "prometheus.yml"), ("rules", "rules.yml")):
        done = promtool("check", *check, folder=copy)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_scrape_without_its_file_for_the_key_is_found(copy: Path) -> None:
    (copy / "api.key").unlink()
    done = promtool("check", "config", "prometheus.yml", folder=copy)
    assert done.returncode != 0
    assert "api.key" in done.stdout + done.stderr


def test_a_key_is_kept_out_of_the_repository() -> None:
    scrapes = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    files = [one["authorization"]["credentials_file"] for one in scrapes if "authorization" in one]
    assert files == ["api.key"]
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert f"deploy/prometheus/{files[0]}" in ignored


def test_each_alert_fires_on_what_it_is_about_and_not_on_its_opposite() -> None:
    done = promtool("test", "rules", "rules.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_both_ways() -> None:
    tried = {
        (case["alertname"], bool(case["exp_alerts"]))
        for test in TESTS
        for case in test["alert_rule_test"]
    }
    assert tried == {(rule["alert"], fires) for rule in RULES for fires in (True, False)}


def test_a_rule_that_prometheus_cannot_read_is_found(copy: Path) -> None:
    rules = copy / "rules.yml"
    rules.write_text(rules.read_text().replace("sum by (topic)", "sum bye (topic)", 1))
    done = promtool("check", "rules", "rules.yml", folder=copy)
    assert done.returncode != 0
    assert "parse error" in done.stdout + done.stderr


def test_rules_that_do_something_else_are_found(copy: Path) -> None:
    rules = copy / "rules.yml"
    text = rules.read_text()
    for right, wrong in (
        ("affectstream_worker_database_up == 0", "affectstream_worker_database_up == 1"),
        ("affectstream_outbox_oldest_seconds) > 120", "affectstream_outbox_oldest_seconds) > 9e9"),
        ('outcome="failed"', 'outcome="absent"'),
        ("docs/runbooks/api-slow.md", "docs/runbooks/other.md"),
    ):
        assert right in text
        text = text.replace(right, wrong)
    rules.write_text(text)
    assert promtool("check", "rules", "rules.yml", folder=copy).returncode == 0
    done = promtool("test", "rules", "rules.test.yml", folder=copy)
    assert done.returncode != 0
    found = set(re.findall(r"alertname: (\w+)", done.stdout + done.stderr))
    names = ("DatabaseAway", "OutboxStuck", "ExpertFails", "ApiSlow")
    assert found == {f"Affectstream{name}" for name in names}


def test_a_configuration_with_a_mistake_is_found(copy: Path) -> None:
    config = copy / "prometheus.yml"
    config.write_text(config.read_text().replace("scrape_configs", "scrape_config"))
    assert promtool("check", "config", "prometheus.yml", folder=copy).returncode != 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_metrics_that_exist_and_names_its_runbook(rule: dict[str, Any]) -> None:
    assert metrics_in(rule["expr"]) <= known()
    assert metrics_in(rule["expr"]) or "up{" in rule["expr"]
    assert (ROOT / rule["annotations"]["runbook_url"]).is_file()
    assert rule["labels"]["severity"] in {"warning", "critical"}


def test_every_runbook_belongs_to_an_alert() -> None:
    written = {path.stem for path in PAGES}
    needed = {Path(rule["annotations"]["runbook_url"]).stem for rule in RULES}
    assert written == needed | OF_CONVERSATIONS


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_runbook_says_what_it_means_and_what_to_do(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# ")
    assert "## What it means" in text
    assert "## What to do" in text
    assert metrics_in(text) <= known() | scraped(everything())
    if path.stem in OF_CONVERSATIONS:
        assert "## How to tune it" in text
        assert "listener" in text  # a score is what listeners would say


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_asks_for_metrics_that_exist(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    assert dashboard["uid"].startswith("affectstream-")
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        asked = {name for target in panel["targets"] for name in metrics_in(target["expr"])}
        assert asked, panel["title"]
        assert asked <= known(), panel["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_prometheus_reads_the_query_of_every_panel(path: Path, tmp_path: Path) -> None:
    queries = [
        target["expr"].replace("$__rate_interval", "1m")
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_do_not_lie_on_each_other_and_ask_the_provisioned_source() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    uids = {source["uid"] for source in sources["datasources"]}
    for path in DASHBOARDS:
        panels = json.loads(path.read_text())["panels"]
        cells = [
            (column, row)
            for panel in panels
            for column in range(
                panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"]
            )
            for row in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(set(cells)) == len(cells), path.name
        assert max(column for column, _ in cells) < 24
        assert {panel["datasource"]["uid"] for panel in panels} <= uids


def test_together_the_dashboards_show_every_metric() -> None:
    shown = {
        name
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
        for name in metrics_in(target["expr"])
    }
    parts = re.compile(r"_(bucket|sum|count)$")
    assert {parts.sub("", name) for name in known()} == {parts.sub("", name) for name in shown}


def test_the_lock_of_npm_names_no_registry() -> None:
    lock = (ROOT / "tests" / "node" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "//registry" not in lock
    assert lock.count('"integrity"') > 100
