"""Recordings of somebody's own, named by a manifest, to train on beside a corpus."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inference.labels import Emotion
from inference.training.manifest import read_manifest


@dataclass(frozen=True, slots=True)
class OwnRecording:
    """One row of a manifest."""

    path: Path
    speaker: str
    """With the name of the manifest before it: `calls/anna`."""
    emotion: Emotion

    @property
    def word(self) -> str:
        """The emotion: a manifest has no other words."""
        return self.emotion.value


@dataclass(frozen=True, slots=True)
class OwnRecordings:
    """The rows of one manifest, and which manifest that was."""

    clips: tuple[OwnRecording, ...]
    about: str


def read_own(
    manifest: Path, labels: Mapping[str, Emotion | None], split: str | None = None
) -> OwnRecordings:
    """The rows of `manifest`, in its order; see `read_manifest`.

    A row that names no speaker is a speaker of its own. Raises ManifestError.
    """
    rows = read_manifest(manifest, "path", labels=labels, split=split)
    clips = tuple(
        OwnRecording(
            item.path, f"{manifest.stem}/{item.speaker or f'line {item.line}'}", item.label
        )
        for item in rows.items
        if item.path is not None
    )
    return OwnRecordings(clips, rows.about["manifest"])
