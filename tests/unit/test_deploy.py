"""The deployment files, as far as they can be judged without an engine."""

import json
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streams.cli import COMMANDS
from streams.settings import PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {
    name: service
    for name, service in COMPOSE["services"].items()
    if service["image"].startswith("affectstream")
}


def compose_schema() -> dict[str, Any]:
    """The schema of the Compose Specification, as a linter's package carries it."""
    spec = find_spec("check_jsonschema")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "builtin_schemas" / "vendor"
    (path,) = folder.glob("compose-spec*.json")
    schema: dict[str, Any] = json.loads(path.read_text())
    return schema


def test_the_compose_file_follows_the_specification() -> None:
    jsonschema.validate(COMPOSE, compose_schema())


def test_a_compose_file_with_a_mistake_would_be_found() -> None:
    wrong = {**COMPOSE, "services": {"x": {"imagee": "y"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, compose_schema())


def test_the_image_is_built_as_a_linter_wants_it() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--no-color", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("file", ["compose.yaml", "Dockerfile"])
def test_every_variable_is_a_known_setting(file: str) -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", (DEPLOY / file).read_text()))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


@pytest.mark.parametrize("service", OURS)
def test_the_settings_of_every_service_are_accepted(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OURS[service]["environment"].items():
        monkeypatch.setenv(name, value)
    Settings()


def commands_of(service: dict[str, Any]) -> list[tuple[str, ...]]:
    """What a service of ours runs, one command each, without `affectstream`."""
    if "entrypoint" not in service:
        return [tuple(service["command"])]
    assert service["entrypoint"] == ["sh", "-c"]
    parts = [shlex.split(part) for part in service["command"][0].split("&&")]
    assert all(part[0] == "affectstream" for part in parts)
    return [tuple(part[1:]) for part in parts]


@pytest.mark.parametrize("service", OURS)
def test_every_command_exists(service: str) -> None:
    known = {
        (name,) if parent.name[0] == "affectstream" else (parent.name[0], name)
        for parent, _, name in COMMANDS
    }
    assert set(commands_of(OURS[service])) <= known


def test_topics_and_tables_are_there_before_anything_uses_them() -> None:
    assert commands_of(OURS["init"]) == [("topics", "create"), ("db", "upgrade")]
    for name in ("worker", "serve"):
        awaited = OURS[name]["depends_on"]["init"]["condition"]
        assert awaited == "service_completed_successfully"


def test_nothing_is_reachable_from_another_machine() -> None:
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_what_refuses_any_address_but_loopback_is_on_the_network_of_the_host() -> None:
    on_host = {name for name, service in OURS.items() if service.get("network_mode") == "host"}
    assert on_host == {"serve", "dashboard"}


@pytest.mark.parametrize(
    ("service", "setting"),
    [("worker", "worker_port"), ("serve", "api_port"), ("dashboard", "dashboard_port")],
)
def test_health_is_asked_where_the_service_listens(service: str, setting: str) -> None:
    default = Settings.model_fields[setting].default
    port = int(OURS[service]["environment"].get(f"{PREFIX}{setting.upper()}", default))
    asked = OURS[service]["healthcheck"]["test"][-1]
    assert re.search(rf"http://127\.0\.0\.1:{port}/(readyz|healthz)\b", asked)


def test_prometheus_asks_where_compose_lets_workers_and_the_api_answer() -> None:
    scrapes = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {
        one["job_name"]: [target for item in one["static_configs"] for target in item["targets"]]
        for one in scrapes
    }
    (published,) = OURS["worker"]["ports"]
    outside, inside = published.rsplit(":", 1)
    assert outside.startswith(asked["affectstream-worker"][0])
    assert int(inside) == Settings.model_fields["worker_port"].default
    assert asked["affectstream-api"] == ["127.0.0.1:8000"]
    assert OURS["worker"]["environment"][f"{PREFIX}WORKER_HOST"] == "0.0.0.0"


def test_monitoring_is_asked_for_by_name_and_stays_on_loopback() -> None:
    watching = {name: item for name, item in COMPOSE["services"].items() if item.get("profiles")}
    assert {name: item["profiles"] for name, item in watching.items()} == {
        "prometheus": ["monitoring"], "grafana": ["monitoring"],
    }  # fmt: skip
    assert "--web.listen-address=127.0.0.1:9090" in watching["prometheus"]["command"]
    assert watching["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    sources = (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text()
    assert "http://127.0.0.1:9090" in sources


def test_what_monitoring_reads_is_in_the_repository() -> None:
    for name in ("prometheus", "grafana"):
        for volume in COMPOSE["services"][name]["volumes"]:
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source == name
    (provider,) = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/dashboards/affectstream.yml").read_text()
    )["providers"]
    mounted = [one.split(":")[1] for one in COMPOSE["services"]["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted


def test_every_service_of_ours_reads_the_same_secrets_and_no_repository_holds_them() -> None:
    (file,) = {item["env_file"][0]["path"] for item in OURS.values()}
    assert not any(item["env_file"][0]["required"] for item in OURS.values())
    assert f"deploy/{file}" in (DEPLOY.parent / ".gitignore").read_text().splitlines()


def test_whatever_keeps_running_says_whether_it_is_well() -> None:
    silent = [name for name, item in COMPOSE["services"].items() if "healthcheck" not in item]
    assert silent == ["init"]


def test_the_tests_find_the_database_of_the_deployment() -> None:
    given = COMPOSE["services"]["postgres"]["environment"]
    expected = f"{given['POSTGRES_USER']}:{given['POSTGRES_PASSWORD']}@127.0.0.1:5432"
    assert expected in (DEPLOY.parent / "tests/services/services.py").read_text()


def test_no_process_of_ours_is_root() -> None:
    users = re.findall(r"^USER (\d+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert int(users[-1]) > 0
