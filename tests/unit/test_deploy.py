"""The deployment files, as far as they can be judged without an engine."""

import json
import re
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


@pytest.mark.parametrize("service", OURS)
def test_every_command_exists(service: str) -> None:
    known = {
        (name,) if parent.name[0] == "affectstream" else (parent.name[0], name)
        for parent, _, name in COMMANDS
    }
    assert tuple(OURS[service]["command"]) in known


def test_nothing_is_reachable_from_another_machine() -> None:
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
