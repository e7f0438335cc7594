"""RAVDESS speech (Livingstone and Russo 2018): names, labels, the folds of EmoBox.

CC BY-NC-SA 4.0: heard to judge weights and to make those for research, never any that ship.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.labels import Emotion

CORPUS: Final = "ravdess"
CATEGORIES: Final = (
    "neutral",
    "calm",
    "happy",
    "sad",
    "angry",
    "fearful",
    "disgust",
    "surprised",
)
"""In the order of their codes, from 01."""
EMOTION_OF: Final = {
    "neutral": Emotion.NEUTRAL,
    "calm": Emotion.NEUTRAL,
    "happy": Emotion.JOY,
    "sad": Emotion.SADNESS,
    "angry": Emotion.ANGER,
    "fearful": Emotion.FEAR,
    "disgust": Emotion.DISGUST,
    "surprised": Emotion.SURPRISE,
}
EMOBOX_FOLDS: Final = (
    ("01", "11", "20", "21"),
    ("04", "10", "12", "14"),
    ("08", "09", "19", "23"),
    ("03", "05", "07", "24"),
    ("02", "15", "16", "18"),
    ("06", "13", "17", "22"),
)
"""Actors that are tested together in EmoBox (Ma et al. 2024)."""

_NAME: Final = re.compile(r"03-01-(?P<code>0[1-8])-0[12]-0[12]-0[12]-(?P<actor>\d\d)")
_SUFFIXES: Final = frozenset({".flac", ".opus", ".wav"})


@dataclass(frozen=True, slots=True)
class ActedClip:
    """One acted sentence."""

    path: Path
    actor: str
    category: str

    @property
    def emotion(self) -> Emotion:
        """The category in the vocabulary of the product; calm is neutral."""
        return EMOTION_OF[self.category]

    @property
    def speaker(self) -> str:
        """The actor, told apart from the speakers of other corpora."""
        return f"{CORPUS}/{self.actor}"

    @property
    def word(self) -> str:
        """The category."""
        return self.category


def find_acted_clips(folder: Path) -> tuple[ActedClip, ...]:
    """Every RAVDESS speech recording below `folder`, in order of name; maybe none."""
    clips: dict[str, ActedClip] = {}
    for path in sorted(folder.rglob("03-01-*")):
        match = _NAME.fullmatch(path.stem)
        if match and path.suffix in _SUFFIXES:
            category = CATEGORIES[int(match["code"]) - 1]
            clips.setdefault(path.stem, ActedClip(path, match["actor"], category))
    return tuple(clips[name] for name in sorted(clips))


def emobox_folds(speakers: NDArray[np.str_]) -> Iterator[NDArray[np.bool_]]:
    """(rows,) which rows are tested, for each of `EMOBOX_FOLDS` and (rows,) `speaker` names."""
    for tested in EMOBOX_FOLDS:
        yield np.isin(speakers, [f"{CORPUS}/{actor}" for actor in tested])
