"""What scripts rely on: exit codes, streams, and help with an example for every command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference.third_party import BUNDLES
from streams.cli import COMMANDS, GROUPS
from streams.settings import PREFIX, Settings

TREE = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(TREE), "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def name_of(parent: object, name: str) -> list[str]:
    group = parent.name[0]  # type: ignore[attr-defined]  # a cyclopts app
    return [name] if group == "affectstream" else [group, name]


@pytest.mark.parametrize(
    "command", [name_of(parent, name) for parent, _, name in COMMANDS], ids=" ".join
)
def test_every_command_has_help_with_an_example_that_names_it(
    command: list[str], tmp_path: Path
) -> None:
    done = run(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"affectstream {' '.join(command)}" in done.stdout.split("Example:")[1]


@pytest.mark.parametrize("group", [[], *([one.name[0]] for one in GROUPS)], ids=" ".join)
def test_a_list_says_of_every_command_what_it_does(group: list[str], tmp_path: Path) -> None:
    listed = run(*group, "--help", cwd=tmp_path, COLUMNS="200").stdout
    names = [name_of(parent, name) for parent, _, name in COMMANDS]
    for name in {words[len(group)] for words in names if words[: len(group)] == group}:
        [line] = [line for line in listed.splitlines() if line.split()[1:2] == [name]]
        assert line.strip("\N{BOX DRAWINGS LIGHT VERTICAL} ").removeprefix(name).strip()


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["nonsense"], {}, "nonsense"),
        (["score", "--fps", "many", "x.wav"], {}, "fps"),
        (["config"], {"AFFECTSTREAM_KAFKAA": "x"}, "kafkaa"),
        (["config"], {"AFFECTSTREAM_API_PORT": "99999"}, "api_port"),
        (["topics", "create"], {"AFFECTSTREAM_KAFKA": "broker:x"}, "'broker:x' is no host:port"),
        (["score", "x.wav"], {"AFFECTSTREAM_HOP_MS": "3001"}, "hop_ms: 3001 ms is longer than"),
    ],
)
def test_bad_usage_exits_with_2_and_says_what_is_wrong(
    arguments: list[str], environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    done = run(*arguments, cwd=tmp_path, **environment)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["score", "missing.wav", "--json"], "missing.wav: there is no such file"),
        (["score"], "name at least one media file"),
        (["ingest", "missing.wav"], "missing.wav: there is no such file"),
        (["serve", "--api-host", "0.0.0.0"], "refusing to listen"),
    ],
)
def test_a_failure_exits_with_1_and_one_line(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_file_of_settings_that_is_no_toml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "affectstream.toml").write_text("kafka = ")
    done = run("config", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("affectstream: setting affectstream.toml: no TOML: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("printing", ["print('x')", "print('x', flush=True)"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word(
    printing: str, unbuffered: str, tmp_path: Path
) -> None:
    program = f"import streams.cli as cli; cli.app = lambda **_: {printing}; cli.main()"
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(TREE), "PYTHONUNBUFFERED": unbuffered},
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "")


def test_tables_keep_every_name_whole_in_a_narrow_terminal(tmp_path: Path) -> None:
    told = run("config", cwd=tmp_path, COLUMNS="80", AFFECTSTREAM_KAFKA=",".join(["k:9"] * 20))
    for name in Settings.model_fields:
        assert f"{PREFIX}{name.upper()}" in told.stdout.split()
    listed = run("models", "list", cwd=tmp_path, COLUMNS="80").stdout
    assert all(bundle.name in listed and bundle.requirement in listed for bundle in BUNDLES)


def test_a_setting_that_there_is_none_of_is_named(tmp_path: Path) -> None:
    (tmp_path / "affectstream.toml").write_text('speech_modl = "x"')
    done = run("config", cwd=tmp_path)
    assert done.returncode == 2
    assert "setting speech_modl: there is none of this name" in done.stderr


def test_config_hides_secrets(tmp_path: Path) -> None:
    done = run("config", cwd=tmp_path, AFFECTSTREAM_DATABASE_URL="postgresql://u:hidden@h/d")
    assert done.returncode == 0
    assert "hidden" not in done.stdout + done.stderr


def test_a_pipe_that_breaks_elsewhere_is_a_bug_and_shows_where(tmp_path: Path) -> None:
    program = (
        "import streams.cli as cli\n"
        "def broken(**_): raise BrokenPipeError('of a socket')\n"
        "cli.app = broken; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr.endswith("BrokenPipeError: of a socket\n")
