"""FER+: grey faces from the web, each with ten votes for an expression.

Barsoum, Zhang, Canton Ferrer and Zhang, Training Deep Networks for Facial Expression
Recognition with Crowd-Sourced Label Distribution, ICMI 2016. The votes are MIT; the images
of FER2013 were collected from the web and carry no commercial grant.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.labels import Emotion

Split = Literal["Train", "Valid"]

SIDE_PX: Final = 48
TILES_IN_ROW: Final = 50
TILES: Final = TILES_IN_ROW * TILES_IN_ROW
"""Of one mosaic, row by row."""
CONTEMPT: Final = "contempt"
"""An expression outside the vocabulary."""
VOTED: Final = {
    "anger": Emotion.ANGER.value,
    "disgust": Emotion.DISGUST.value,
    "fear": Emotion.FEAR.value,
    "happiness": Emotion.JOY.value,
    "neutral": Emotion.NEUTRAL.value,
    "sadness": Emotion.SADNESS.value,
    "surprise": Emotion.SURPRISE.value,
    "contempt": CONTEMPT,
}
"""Columns of labels.csv to our names: the vocabulary in its order, then contempt."""
EXPRESSIONS: Final = tuple(VOTED.values())
NO_EXPRESSION: Final = ("unknown", "NF")
"""Columns of voters who could not say, and of those who saw no face."""
STRAY_VOTES: Final = 1
"""As many votes for an expression say nothing, as the authors of FER+ count them."""

Tiles = NDArray[np.uint8]
"""(n, 48, 48) grey faces."""


class NoFacesError(AffectstreamError):
    """A folder without the files of FER+."""


@dataclass(frozen=True, slots=True)
class VotedTiles:
    """Faces, and what voters called them.

    Attributes:
        tiles: (n, 48, 48) grey.
        votes: (n, 10) for each of `EXPRESSIONS`, then of `NO_EXPRESSION`.
    """

    tiles: Tiles
    votes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tiles)

    def of(self, kept: NDArray[np.bool_] | NDArray[np.integer]) -> "VotedTiles":
        """Those that a mask or an array of places picks."""
        return VotedTiles(self.tiles[kept], self.votes[kept])

    @property
    def majorities(self) -> NDArray[np.int64]:
        """(n,) place among `EXPRESSIONS` of the one with most votes.

        -1 for a tie, and where most could not say or saw no face.
        """
        most = self.votes.max(axis=1)
        tied = (self.votes == most[:, None]).sum(axis=1) > 1
        first = self.votes.argmax(axis=1)
        clear: NDArray[np.int64] = np.where(tied | (first >= len(EXPRESSIONS)), -1, first)
        return clear

    @property
    def shares(self) -> NDArray[np.float64]:
        """(n, 8) share of each expression; zero where nothing can be learnt from a face.

        Source: Barsoum et al. 2016 and their code: single votes are dropped; so are faces
        that most could not name or took for none; the rest is shared by the expressions.
        """
        votes = np.where(self.votes > STRAY_VOTES, self.votes, 0)
        named, unnamed = votes[:, : len(EXPRESSIONS)], votes[:, len(EXPRESSIONS) :]
        kept = (named.max(axis=1) > unnamed.max(axis=1))[:, None]
        return np.where(kept, named / np.maximum(named.sum(axis=1, keepdims=True), 1), 0.0)


def read_tiles(folder: Path, split: Split) -> VotedTiles:
    """Every face of `split`, in the order of `labels.csv`.

    Raises:
        NoFacesError: `labels.csv` or a mosaic is missing or is not what it should be.
    """
    try:
        with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == split]
        places = [int(row["tile"]) for row in rows]
        votes = [[int(row[name]) for name in (*VOTED, *NO_EXPRESSION)] for row in rows]
    except (OSError, KeyError, ValueError) as exc:
        raise NoFacesError(
            f"{folder}: no labels.csv of FER+ ({exc!r}); point --data at the folder that holds it "
            f"and the mosaics {split}_00, {split}_01 and so on (.png or .jpg)"
        ) from exc
    if not rows:
        raise NoFacesError(f"{folder / 'labels.csv'}: no face of the split {split}")
    pages = {page: _mosaic(folder, f"{split}_{page:02}") for page in {at // TILES for at in places}}
    return VotedTiles(
        np.stack([pages[place // TILES][place % TILES] for place in places]), np.array(votes)
    )


def _mosaic(folder: Path, name: str) -> Tiles:
    """(2500, 48, 48) the tiles of one mosaic."""
    found = [path for path in (folder / f"{name}.png", folder / f"{name}.jpg") if path.is_file()]
    data = np.fromfile(found[0], dtype=np.uint8) if found else np.zeros(0, dtype=np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
    side = SIDE_PX * TILES_IN_ROW
    if picture is None or picture.shape != (side, side):
        raise NoFacesError(f"{folder / name}: expected a .png or .jpg of {side}x{side} pixels")
    cut = picture.astype(np.uint8, copy=False).reshape(TILES_IN_ROW, SIDE_PX, TILES_IN_ROW, SIDE_PX)
    return np.ascontiguousarray(cut.swapaxes(1, 2)).reshape(TILES, SIDE_PX, SIDE_PX)
