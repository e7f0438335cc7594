"""Bad media, told in one line: the file, what is wrong, exit 1."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from streams.cli import main
from tests.media import tone, write_pictures, write_sound

# cyclopts takes a test for somebody who forgot to pass arguments; ours stand in sys.argv
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command sets up logging for its process, which here is that of the tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["affectstream", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def empty(folder: Path) -> Path:
    path = folder / "empty.wav"
    path.touch()
    return path


def text_named_mp4(folder: Path) -> Path:
    path = folder / "notes.mp4"
    path.write_text("These are my notes.\n" * 50)
    return path


def mp4_without_its_index(folder: Path) -> Path:
    whole = write_pictures(folder / "whole.mp4", sound_rate_hz=16_000).read_bytes()
    path = folder / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    return path


def header_alone(folder: Path) -> Path:
    whole = write_sound(folder / "whole.wav", tone(1.0, 16_000)[None], 16_000).read_bytes()
    path = folder / "header.wav"
    path.write_bytes(whole[:44])
    return path


def missing(folder: Path) -> Path:
    return folder / "none.wav"


@pytest.mark.parametrize(
    "bad", [empty, text_named_mp4, mp4_without_its_index, header_alone, missing]
)
@pytest.mark.parametrize("command", ["ingest", "score"])
def test_bad_media_is_one_line_and_exit_1(
    bad: object,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert callable(bad)
    path = bad(tmp_path)
    assert run(monkeypatch, command, path) == 1
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"affectstream: {path}: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--channels", "a,b,c"], "--channels names 3, the file has 1 channels"),
        (["--video-of", "customer"], "there is no video"),
        (["--transcript", "none.stm"], "none.stm: cannot be read"),
        (["--speed", "fast"], "--speed fast"),
        (["--start", "tomorrow"], "--start tomorrow"),
        (["--fps", "0"], "--fps 0"),
        (["--conversation", "a/b"], "--conversation 'a/b'"),
    ],
)
def test_what_does_not_fit_the_file_is_one_line_and_exit_1(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = write_sound(tmp_path / "call.wav", tone(1.0, 16_000)[None], 16_000)
    assert run(monkeypatch, "ingest", path, *arguments) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert says in line


def test_without_kafka_the_last_line_says_what_to_set(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "call.wav", tone(1.0, 16_000)[None], 16_000)
    # a process of its own: kafka-python leaves sockets behind where nobody answers
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "ingest", path],
        env={**os.environ, "AFFECTSTREAM_KAFKA": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "AFFECTSTREAM_KAFKA" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_no_file_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "ingest") == 1
    assert "at least one media file" in capfd.readouterr().err
