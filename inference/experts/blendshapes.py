"""How far each part of a face is moved: MediaPipe's landmarks and blendshapes, on OpenCV.

The graphs are optional third-party weights (`inference.third_party.FACE_LANDMARKER`). They
run on OpenCV's classic engine, whose numbers agree with those of the LiteRT runtime to 1e-3
of a pixel and 1e-5 of a coefficient; OpenCV 5's new engine gives only one of the outputs.
"""

from pathlib import Path
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from inference.experts.face_crop import crop_transform
from inference.experts.face_detector import Box, Face
from inference.experts.jpeg import Picture

SIDE_PX: Final = 256
"""Of the square crop that the landmark graph reads."""
BOX_SCALE: Final = 1.5
"""Side of the crop over the longer side of the face's box, as in MediaPipe's own graph."""
PRESENCE_FLOOR: Final = 0.5
"""Probability of the landmark graph that its crop shows a face."""
EYE_CORNERS: Final = (33, 263)
"""Outer ones: the person's right eye, then the left."""
LEAST_EXTENT_PX: Final = 1.0
_OUTPUTS: Final = ("Identity", "Identity_1")  # points, log odds that a face is there

# fmt: off
POINTS: Final = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168,
    172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276,
    282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380,
    381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466,
    468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)
"""Which of the 478 landmarks the blendshape graph reads, in its order."""
NAMES: Final = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
    "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
    "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen",
    "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)
"""The coefficients in the order of the graph, as MediaPipe calls them."""
# fmt: on

Coefficients = dict[str, float]
"""Name to coefficient in [0, 1]."""


class Blendshapes:
    """Two graphs in a row; one face at a time."""

    def __init__(self, folder: Path) -> None:
        self._landmarks = _graph(folder / "face_landmarks_detector.tflite")
        self._blendshapes = _graph(folder / "face_blendshapes.tflite")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open the verified files of `folder` (see `inference.third_party.folder`)."""
        return cls(folder)

    def read(self, picture: Picture, face: Face) -> Coefficients | None:
        """Coefficients of `face`, or None where the landmark graph sees no face in the crop."""
        points, presence = self.find(picture, face)
        return self.moved(points) if presence >= PRESENCE_FLOOR else None

    def find(self, picture: Picture, face: Face) -> tuple[NDArray[np.float64], float]:
        """Landmarks, (478, 2) in pixels of `picture`, and how probably they lie on a face.

        Looks twice: first where the detector saw the face, then where the first look did.
        MediaPipe does so from frame to frame; a detector's box is a worse frame.
        """
        points, _ = self.look(picture, crop_transform(face.box, face.eyes, SIDE_PX, BOX_SCALE))
        box = _around(points)
        if min(box[2:]) < LEAST_EXTENT_PX:
            return points, 0.0
        return self.look(picture, crop_transform(box, points[EYE_CORNERS, :], SIDE_PX, BOX_SCALE))

    def moved(self, points: NDArray[np.float64]) -> Coefficients:
        """Coefficients of a face whose landmarks, (478, 2), are known."""
        self._blendshapes.setInput(points[None, POINTS, :].astype(np.float32))
        values = self._blendshapes.forward().ravel().astype(np.float64)
        return dict(zip(NAMES, values.tolist(), strict=True))

    def look(
        self, picture: Picture, to_crop: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float]:
        """Landmarks, (478, 2) in pixels of `picture`, and how probably the crop shows a face.

        Args:
            picture: what holds the face.
            to_crop: (2, 3) map to the crop of 256 pixels.
        """
        crop = cv2.warpAffine(picture, to_crop, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR)
        self._landmarks.setInput(
            cv2.dnn.blobFromImage(crop, scalefactor=1 / 255, swapRB=True, ddepth=cv2.CV_32F)
        )
        points, presence = self._landmarks.forward(list(_OUTPUTS))
        in_crop = points.reshape(-1, 3)[:, :2].astype(np.float64)
        turn = to_crop[:, :2]
        moved: NDArray[np.float64] = (in_crop - to_crop[:, 2]) @ np.linalg.inv(turn).T
        return moved, float(expit(presence.item()))


def _around(points: NDArray[np.float64]) -> Box:
    low, high = points.min(axis=0), points.max(axis=0)
    left, top, width, height = np.concatenate([low, high - low]).tolist()
    return left, top, width, height


def _graph(path: Path) -> cv2.dnn.Net:
    return cv2.dnn.readNetFromTFLite(str(path), engine=cv2.dnn.ENGINE_CLASSIC)
