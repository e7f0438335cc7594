"""Where a checkpoint lies: in a folder, or as a pinned revision that was fetched from the hub."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference.errors import AffectstreamError

HUB: Final = "hub"
"""Folder under the models folder: `hub/OWNER/NAME/REVISION`."""
SIDECAR: Final = "affectstream.json"
CONFIG: Final = "config.json"
HEAD: Final = "encoder_head.safetensors"
"""Tells a head of our own on an encoder from what transformers saved."""
READ: Final = ("*.safetensors", "*.json", "*.txt", "*.model")
"""What a checkpoint computes with: tensors without code, and plain text."""
CARD: Final = "README.md"
PULLED: Final = (*READ, CARD)

_PIN: Final = re.compile(r"[0-9a-f]{40}")
_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class CheckpointError(AffectstreamError):
    """A checkpoint that is not there, or that cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class HubModel:
    """One revision of a model on the hub, which never changes.

    Attributes:
        name: `owner/name`.
        revision: 40 hexadecimal digits of the commit.
    """

    name: str
    revision: str

    def folder(self, models_dir: Path) -> Path:
        """Where `affectstream models pull` puts it."""
        return models_dir / HUB / self.name / self.revision


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint on this machine.

    Attributes:
        spec: as it was named in the settings.
        name: for people; the revision or the folder's name is in it.
    """

    spec: str
    name: str
    folder: Path


def hub_model(spec: str) -> HubModel | None:
    """The hub's model that `spec` names; None where it names a folder.

    Raises:
        CheckpointError: a model of the hub without a pinned revision.
    """
    name, at, revision = spec.partition("@")
    if Path(spec).is_dir() or not _HUB_NAME.fullmatch(name):
        return None
    if not _PIN.fullmatch(revision):
        what = f"{revision!r} may move" if at else "there is no such folder"
        raise CheckpointError(
            f"{spec}: {what}; a model of the hub is named with its commit, 40 hexadecimal "
            f"digits: {name}@0123…cdef"
        )
    return HubModel(name, revision)


def locate(spec: str, models_dir: Path) -> Source:
    """Find a checkpoint on this machine; nothing is ever downloaded here.

    Args:
        spec: a folder, or `owner/name@revision`.
        models_dir: where fetched models lie.

    Raises:
        CheckpointError: it is not pinned, or not there.
    """
    model = hub_model(spec)
    if model is None:
        folder = Path(spec)
        if not folder.is_dir():
            raise CheckpointError(
                f"{spec}: no such folder; name a folder, or a model of the hub as "
                "owner/name@revision"
            )
        return Source(spec, folder.resolve().name, folder)
    folder = model.folder(models_dir)
    if not folder.is_dir():
        raise CheckpointError(f"{spec}: not in {folder}; run: affectstream models pull {spec}")
    return Source(spec, f"{model.name}@{model.revision[:8]}", folder)


def fingerprint(folder: Path) -> str:
    """SHA-256, in hex, of everything that a checkpoint computes with; the sidecar is apart."""
    digest = hashlib.sha256()
    found = {path for pattern in READ for path in folder.glob(pattern)}
    for path in sorted(found - {folder / SIDECAR}):
        with path.open("rb") as file:
            digest.update(path.name.encode() + b"\0")
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
