"""Models of the hub come by their commit, whole or not at all; the hub is one of this test."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from inference.experts.huggingface.source import CheckpointError, locate
from streams.cli.models_pull import pull as pull_here
from tests import checkpoints

TREE = Path(__file__).parents[2]
REVISION = "0123456789abcdef0123456789abcdef01234567"
SPEC = f"owner/words@{REVISION}"


def answer_from(folder: Path) -> type[BaseHTTPRequestHandler]:
    """What the hub says of one model with one revision."""

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            names = sorted(file.name for file in folder.iterdir())
            if path == f"/api/models/owner/words/revision/{REVISION}":
                told = {"id": "owner/words", "sha": REVISION}
                self._send(json.dumps(told | {"siblings": [{"rfilename": n} for n in names]}))
            elif path == f"/api/models/owner/words/tree/{REVISION}":
                entries = [
                    {"type": "file", "path": n, "size": len((folder / n).read_bytes()), "oid": n}
                    for n in names
                ]
                self._send(json.dumps(entries))
            elif path.startswith(f"/owner/words/resolve/{REVISION}/"):
                self._send((folder / path.rpartition("/")[2]).read_bytes())
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RevisionNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _send(self, body: bytes | str) -> None:
            content = body.encode() if isinstance(body, str) else body
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", REVISION)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    return Hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """Address of a hub that has SPEC, with a file of code beside it."""
    folder = checkpoints.words_checkpoint(tmp_path / "there", ["joy", "anger"])
    (folder / "modeling.py").write_text("raise SystemExit\n")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    server = ThreadingHTTPServer(("127.0.0.1", 0), answer_from(folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def pull(hub: str, cwd: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", "models", "pull", *arguments],
        cwd=cwd,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(TREE),
            "HOME": str(cwd),
            "HF_ENDPOINT": hub,
            "COLUMNS": "400",
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_pinned_model_is_pulled_without_code_and_then_lies_where_scoring_looks(
    hub: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = pull(hub, tmp_path, AFFECTSTREAM_TEXT_MODEL=SPEC)
    assert done.returncode == 0, done.stderr
    assert "licence: apache-2.0" in done.stderr
    folder = locate(SPEC, tmp_path / ".models").folder
    names = {path.name for path in folder.iterdir()}
    assert {"model.safetensors", "config.json", "README.md", "vocab.txt"} <= names
    assert names.isdisjoint({"modeling.py", "pytorch_model.bin", ".cache"})
    pull_here(SPEC, models_dir=tmp_path / ".models")  # no hub is asked again
    assert "already in" in capsys.readouterr().err


def test_what_the_hub_does_not_have_is_an_error_and_leaves_nothing(
    hub: str, tmp_path: Path
) -> None:
    other = f"owner/words@{'f' * 40}"
    done = pull(hub, tmp_path, other)
    assert done.returncode == 1
    assert f"{other}: the hub did not give it" in done.stderr
    assert not (tmp_path / ".models").exists() or not list(
        (tmp_path / ".models").rglob("*.safetensors")
    )


@pytest.mark.parametrize("spec", ["owner/words", "./words"])
def test_only_a_commit_of_the_hub_can_be_pulled(spec: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"owner/name@revision|40 hexadecimal digits"):
        pull_here(spec, models_dir=tmp_path)
