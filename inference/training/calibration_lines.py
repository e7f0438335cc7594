"""Lines to calibrate on: of GoEmotions, somebody's own, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference.labels import EMOTIONS, Emotion
from inference.training.goemotions import read_comments
from inference.training.manifest import read_manifest
from inference.training.speech_material import NoMaterialError

GOEMOTIONS: Final = "GoEmotions dev split, CC BY 4.0"


@dataclass(frozen=True, slots=True)
class LineMaterial:
    """Lines, each with its one label, and where they are from."""

    lines: tuple[tuple[str, Emotion], ...]
    data: str


def gather_lines(
    goemotions: Path | None,
    own: Sequence[Path] = (),
    *,
    labels: Mapping[str, Emotion | None] | None = None,
    split: str | None = None,
) -> LineMaterial:
    """Development lines of GoEmotions that have one label, and the lines of manifests.

    Args:
        goemotions: folder with ekman_dev.tsv; None takes `own` alone.
        own: manifests with the columns `text` and `label`.
        labels: what their other names of labels mean; see `read_manifest`.
        split: which of their rows; None takes all.

    Raises:
        NoMaterialError: there is nothing.
        ManifestError: a manifest cannot be used.
    """
    if goemotions is None and not own:
        raise NoMaterialError("no lines to calibrate on: name --text, --add-text or both")
    lines: list[tuple[str, Emotion]] = []
    sources: list[str] = []
    if goemotions is not None:
        comments = read_comments(goemotions, "dev")
        lines += [
            (text, EMOTIONS[int(marks.argmax())])
            for text, marks in zip(comments.texts, comments.labels, strict=True)
            if marks.sum() == 1
        ]
        sources.append(GOEMOTIONS)
    for manifest in own:
        rows = read_manifest(manifest, "text", labels=labels, split=split)
        lines += [(item.text, item.label) for item in rows.items]
        sources.append(rows.about["manifest"])
    return LineMaterial(tuple(lines), "; ".join(sources))
