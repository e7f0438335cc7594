"""What a text expert is trained and calibrated on: comments, and lines of one's own."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from inference.errors import AffectstreamError
from inference.labels import EMOTIONS
from inference.training.goemotions import Comments, joined, read_comments
from inference.training.manifest import Item

OWN_COPIES: Final = 4
"""A line of one's own counts as four comments: it comes from where the expert will work."""
CALIBRATION_SHARE: Final = 0.2
"""Of one's own lines, for calibration instead of training."""
FEWEST_LINES: Final = 1_000
FEWEST_OF_A_LABEL: Final = 20
"""What lines of one's own must hold where there are no comments."""


class NotEnoughLinesError(AffectstreamError):
    """Too few lines to train on."""


@dataclass(frozen=True, slots=True)
class TextMaterial:
    """Lines to train on, lines to calibrate on, and what to call both together."""

    train: Comments
    develop: Comments
    data: str


def gather(folder: Path | None, own: tuple[Item, ...] = (), *, seed: int = 0) -> TextMaterial:
    """Comments of `folder`, lines of one's own, or both.

    Args:
        folder: GoEmotions, as `read_comments` expects it.
        own: rows of a manifest of words.
        seed: decides which of them are kept for calibration.

    Raises:
        NoCommentsError: the corpus is not there.
        NotEnoughLinesError: there is no corpus, and `own` is too little without it.
    """
    train, develop, names = [], [], []
    if folder is not None:
        train.append(read_comments(folder, "train"))
        develop.append(read_comments(folder, "dev"))
        names.append("goemotions")
    else:
        _check_enough(own)
    if own:
        labels = np.array([[label is item.label for label in EMOTIONS] for item in own])
        lines = Comments(tuple(item.text for item in own), labels)
        kept = np.random.default_rng(seed).random(len(own)) < CALIBRATION_SHARE
        train += [lines.of(~kept)] * OWN_COPIES
        develop.append(lines.of(kept))
        names.append("own")
    return TextMaterial(joined(train), joined(develop), "+".join(names))


def _check_enough(own: tuple[Item, ...]) -> None:
    counts = Counter(item.label for item in own)
    rare = [label for label in EMOTIONS if counts[label] < FEWEST_OF_A_LABEL]
    if len(own) < FEWEST_LINES or rare:
        told = ", ".join(f"{label} {counts[label]}" for label in EMOTIONS)
        raise NotEnoughLinesError(
            f"{len(own)} lines of your own ({told}); without --data there must be at least "
            f"{FEWEST_LINES}, and {FEWEST_OF_A_LABEL} of each label. Name GoEmotions with --data "
            "and add yours to it with --add"
        )
