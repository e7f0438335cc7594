"""What deploy/ says is true of the code: commands, settings, ports, and who may connect."""

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

from streams import cli
from streams.settings import PREFIX, Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
OURS = ("init", "worker", "serve", "dashboard")
THEIRS = {"kafka": 9092, "postgres": 5432, "redis": 6379}


@pytest.fixture
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found["services"]


def commands() -> set[str]:
    """Every command as it is typed after `affectstream`."""
    return {
        name if parent is cli.app else f"{parent.name[0]} {name}"
        for parent, _, name in cli.COMMANDS
    }


def named(service: dict[str, Any]) -> list[str]:
    """The commands that a service of ours runs."""
    if "entrypoint" not in service:
        return [" ".join(service["command"])]
    assert service["entrypoint"] == ["sh", "-c"]
    parts = [shlex.split(part) for part in service["command"][0].split("&&")]
    assert all(part[0] == "affectstream" for part in parts)
    return [" ".join(part[1:]) for part in parts]


def test_compose_fits_the_compose_specification() -> None:
    package = find_spec("check_jsonschema")
    assert package is not None
    assert package.origin is not None
    vendored = Path(package.origin).parent / "builtin_schemas/vendor/compose-spec.json"
    jsonschema.validate(
        yaml.safe_load((DEPLOY / "compose.yaml").read_text()), json.loads(vendored.read_text())
    )


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run(
        [hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_every_variable_names_a_setting() -> None:
    text = "".join(path.read_text() for path in DEPLOY.iterdir())
    variables = set(re.findall(rf"{PREFIX}\w+", text))
    assert variables
    assert {name.removeprefix(PREFIX).lower() for name in variables} <= set(Settings.model_fields)


@pytest.mark.parametrize("name", OURS)
def test_the_environment_of_a_service_is_settings_that_hold(
    name: str, services: dict[str, dict[str, Any]]
) -> None:
    given = services[name]["environment"]
    assert all(key.startswith(PREFIX) for key in given)
    Settings(**{key.removeprefix(PREFIX).lower(): value for key, value in given.items()})


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str, services: dict[str, dict[str, Any]]) -> None:
    assert set(named(services[name])) <= commands()


def test_init_prepares_before_anything_of_ours_starts(services: dict[str, dict[str, Any]]) -> None:
    assert named(services["init"]) == ["topics create", "db upgrade"]
    for name in ("worker", "serve"):
        awaited = services[name]["depends_on"]["init"]["condition"]
        assert awaited == "service_completed_successfully"


def test_ports_are_published_on_loopback_only(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service.get("ports", []) for name, service in services.items()}
    assert {name: ports for name, ports in published.items() if ports} == {
        name: [f"127.0.0.1:{port}:{port}"] for name, port in THEIRS.items()
    }


def test_what_listens_on_loopback_only_shares_the_network_of_the_host(
    services: dict[str, dict[str, Any]],
) -> None:
    on_host = {name for name in services if services[name].get("network_mode") == "host"}
    assert on_host == {"serve", "dashboard"}
    assert Settings.model_fields["api_host"].default == "127.0.0.1"
    assert Settings.model_fields["dashboard_host"].default == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "port"),
    [("worker", "worker_port"), ("serve", "api_port"), ("dashboard", "dashboard_port")],
)
def test_health_is_asked_where_the_service_listens(
    name: str, port: str, services: dict[str, dict[str, Any]]
) -> None:
    default = Settings.model_fields[port].default
    listens = int(services[name]["environment"].get(f"{PREFIX}{port.upper()}", default))
    url = services[name]["healthcheck"]["test"][-1]
    assert re.fullmatch(rf"http://127\.0\.0\.1:{listens}/(readyz|healthz)", url)


def test_whatever_keeps_running_has_a_health_check(services: dict[str, dict[str, Any]]) -> None:
    assert {name for name in services if "healthcheck" not in services[name]} == {"init"}


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\d+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert int(users[-1]) > 0


@pytest.mark.parametrize("name", OURS)
def test_services_of_ours_run_one_image_without_privileges(
    name: str, services: dict[str, dict[str, Any]]
) -> None:
    assert services[name]["image"] == services["worker"]["image"]
    assert services[name]["cap_drop"] == ["ALL"]
