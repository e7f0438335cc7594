"""Faces cut out of somebody's own pictures, as the expert for faces will see them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.experts.face import SMALLEST_PX
from inference.experts.face_crop import grey_crop
from inference.experts.face_detector import FaceDetector
from inference.experts.jpeg import Picture
from inference.training.ferplus import EXPRESSIONS, NO_EXPRESSION, SIDE_PX, VotedTiles
from inference.training.own_speech import OwnRecordings

VOTES: Final = 10
"""That a label of a manifest counts as: all those that a face of FER+ has, for one expression."""
UNREADABLE: Final = "unreadable"
NO_FACE: Final = "without a face"
TOO_SMALL: Final = f"with a face under {SMALLEST_PX} pixels"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFaces:
    """The largest face of each picture of one manifest that shows one.

    Attributes:
        faces: in the order of the manifest; all votes are for the label of the row.
        speakers: (faces,) who is seen, with the name of the manifest before it.
        left_out: how many pictures gave none, by the reason.
        about: which manifest that was.
    """

    faces: VotedTiles
    speakers: NDArray[np.str_]
    left_out: Mapping[str, int]
    about: str

    @property
    def told(self) -> str:
        """What became of the pictures, for people."""
        count = sum(self.left_out.values())
        reasons = ", ".join(f"{number} {why}" for why, number in sorted(self.left_out.items()))
        told = f"{self.about}: {count} of {count + len(self.faces)} pictures left out"
        return f"{told} ({reasons})" if count else told


def cut_faces(
    rows: OwnRecordings, detector: FaceDetector, on_picture: Callable[[], None] = lambda: None
) -> OwnFaces:
    """Find and cut the largest face of each picture; pictures without one are counted.

    Args:
        rows: of a manifest whose `path` names pictures.
        detector: the one of the expert.
        on_picture: called after each picture.
    """
    tiles: list[NDArray[np.uint8]] = []
    votes: list[list[int]] = []
    speakers: list[str] = []
    left_out: Counter[str] = Counter()
    for row in rows.clips:
        found = _largest_face(row.path, detector)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            tiles.append(found)
            votes.append([VOTES * (name == row.emotion) for name in (*EXPRESSIONS, *NO_EXPRESSION)])
            speakers.append(row.speaker)
        on_picture()
    return OwnFaces(
        faces=VotedTiles(
            np.array(tiles, dtype=np.uint8).reshape(-1, SIDE_PX, SIDE_PX),
            np.array(votes, dtype=np.int64).reshape(-1, len(EXPRESSIONS) + len(NO_EXPRESSION)),
        ),
        speakers=np.array(speakers, dtype=np.str_),
        left_out=left_out,
        about=rows.about,
    )


def _largest_face(path: Path, detector: FaceDetector) -> NDArray[np.uint8] | str:
    """(48, 48) grey, or why there is none."""
    picture = _read(path)
    if picture is None:
        return UNREADABLE
    faces = detector.detect(picture)
    if not faces:
        return NO_FACE
    return grey_crop(picture, faces[0]) if faces[0].smaller_side >= SMALLEST_PX else TOO_SMALL


def _read(path: Path) -> Picture | None:
    """In whatever format OpenCV knows, upright as its EXIF says; None where it knows none."""
    try:
        picture = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):  # of an empty file too
        return None
    return None if picture is None else picture.astype(np.uint8, copy=False)
