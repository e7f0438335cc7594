"""Where faces are in a picture: YuNet through OpenCV."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.experts.jpeg import Picture

WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "face_detector"
MODEL_FILE: Final = "face_detection_yunet_2023mar_int8bq.onnx"
LONGEST_SIDE_PX: Final = 640
"""Larger pictures are shrunk to this for the detector; crops come from the original."""
SCORE_FLOOR: Final = 0.7
OVERLAP: Final = 0.3
"""Of two boxes that share more than this of their union, the surer one stays."""
MOST_CANDIDATES: Final = 50
_ERRORS_ONLY: Final = 2  # of OpenCV's log levels

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels of the picture; may reach over its edge."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face in pixels of the picture.

    Attributes:
        eyes: (2, 2) x and y of the person's right eye, then of the left.
        nose: (2,) x and y of its tip.
        confidence: of the detector, in [0, 1].
    """

    box: Box
    eyes: NDArray[np.float64]
    nose: NDArray[np.float64]
    confidence: float

    @property
    def area(self) -> float:
        """Square pixels of the box."""
        return self.box[2] * self.box[3]

    @property
    def smaller_side(self) -> float:
        """Pixels of the smaller side of the box."""
        return min(self.box[2:])


class FaceDetector:
    """YuNet; one picture at a time, so an answer never depends on its company."""

    def __init__(self, model: Path) -> None:
        size = (LONGEST_SIDE_PX, LONGEST_SIDE_PX)
        with _quiet():
            self._yunet = cv2.FaceDetectorYN.create(
                str(model), "", size, SCORE_FLOOR, OVERLAP, MOST_CANDIDATES
            )

    @classmethod
    def load(cls) -> Self:
        """Open the shipped weights."""
        return cls(WEIGHTS / MODEL_FILE)

    def detect(self, picture: Picture) -> list[Face]:
        """Faces of `picture`, the largest first."""
        height, width = picture.shape[:2]
        scale = min(1.0, LONGEST_SIDE_PX / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        self._yunet.setInputSize(size)
        _, rows = self._yunet.detect(shrunk)
        return sorted(_faces(rows, scale), key=lambda face: (-face.area, face.box))


def _faces(rows: NDArray[Any] | None, scale: float) -> list[Face]:
    """OpenCV gives None, against its own types, where nobody is found."""
    return [] if rows is None else [_face(row.astype(np.float64), scale) for row in rows]


def _face(row: NDArray[np.float64], scale: float) -> Face:
    """A row is box, five points (eyes first, then the nose) and score."""
    left, top, width, height = (row[:4] / scale).tolist()
    return Face(
        box=(left, top, width, height),
        eyes=row[4:8].reshape(2, 2) / scale,
        nose=row[8:10] / scale,
        confidence=float(np.clip(row[14], 0.0, 1.0)),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV 5 from warning that its new engine has no targets to choose from."""
    before = cv2.utils.logging.setLogLevel(_ERRORS_ONLY)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
