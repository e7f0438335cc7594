"""GoEmotions in its seven-class grouping: short comments with one or more labels.

Demszky et al., GoEmotions: A Dataset of Fine-Grained Emotions, ACL 2020. CC BY 4.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS, Emotion

Split = Literal["train", "dev", "test"]

_DISTRESS = np.array([label in DISTRESS for label in EMOTIONS])
_CALM = np.array([label in NOT_DISTRESS for label in EMOTIONS])


class NoCommentsError(AffectstreamError):
    """A folder without the files of GoEmotions, or with lines that are not theirs."""


@dataclass(frozen=True, slots=True)
class Comments:
    """Lines with labels.

    Attributes:
        texts: as written.
        labels: (texts, labels) bool in the order of `EMOTIONS`, at least one True a row.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.bool_]

    @property
    def single_lines(self) -> list[tuple[str, Emotion]]:
        """Lines with exactly one label, and that label."""
        return [
            (text, EMOTIONS[int(marks.argmax())])
            for text, marks in zip(self.texts, self.labels, strict=True)
            if marks.sum() == 1
        ]

    @property
    def single(self) -> NDArray[np.bool_]:
        """(texts,) lines with exactly one label."""
        single: NDArray[np.bool_] = self.labels.sum(axis=1) == 1
        return single

    @property
    def distressed(self) -> NDArray[np.bool_]:
        """(texts,) lines with any label of distress."""
        distressed: NDArray[np.bool_] = np.any(self.labels[:, _DISTRESS], axis=1)
        return distressed

    @property
    def judged(self) -> NDArray[np.bool_]:
        """(texts,) lines that count for distress: all but those of surprise without it."""
        calm: NDArray[np.bool_] = ~np.any(self.labels[:, ~_CALM], axis=1)
        return self.distressed | calm

    def of(self, kept: NDArray[np.bool_]) -> "Comments":
        """Those lines that are `kept`, (texts,)."""
        texts = tuple(text for text, keep in zip(self.texts, kept, strict=True) if keep)
        return Comments(texts, self.labels[kept])


def joined(parts: Sequence[Comments]) -> Comments:
    """All lines of `parts`, one after the other."""
    texts = tuple(text for part in parts for text in part.texts)
    none = np.zeros((0, len(EMOTIONS)), dtype=np.bool_)
    return Comments(texts, np.concatenate([none, *(part.labels for part in parts)]))


def read_comments(folder: Path, split: Split) -> Comments:
    """Read `ekman_{split}.tsv` of `folder`: text, label numbers with commas, comment id.

    Raises:
        NoCommentsError: a file is missing or a line does not parse.
    """
    path = folder / f"ekman_{split}.tsv"
    try:
        names = (folder / "ekman_labels.txt").read_text(encoding="utf-8").split()
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as exc:
        raise NoCommentsError(
            f"{folder}: {exc.strerror}: {exc.filename}; name the folder that holds "
            "ekman_train.tsv, ekman_dev.tsv, ekman_test.tsv and ekman_labels.txt"
        ) from exc
    texts: list[str] = []
    labels = np.zeros((len(lines), len(EMOTIONS)), dtype=np.bool_)
    for number, line in enumerate(filter(None, lines), start=1):
        try:
            text, marked, _ = line.split("\t")
            for mark in marked.split(","):
                labels[len(texts), EMOTIONS.index(Emotion(names[int(mark)]))] = True
        except (ValueError, IndexError) as exc:
            raise NoCommentsError(
                f"{path}, line {number}: expected text, label numbers and id between tabs ({exc})"
            ) from exc
        texts.append(text)
    return Comments(tuple(texts), labels[: len(texts)])
