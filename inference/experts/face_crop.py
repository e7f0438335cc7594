"""From a face in a picture to the upright square that the readers of faces look at."""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.experts.face_detector import Box, Face
from inference.experts.jpeg import Picture

GREY_SIDE_PX: Final = 48
"""Of the crop that the research net reads and sharpness is measured on, as in FER+."""
GREY_BOX_SCALE: Final = 1.0
"""Side of that crop over the longer side of the box. So a face lies in it as in a tile of FER+: on
216 of those the detector's box had a median of 46.9 of 48 pixels, in the middle of the tile."""


def crop_transform(
    box: Box, eyes: NDArray[np.float64], side_px: int, box_scale: float
) -> NDArray[np.float64]:
    """(2, 3) affine map from pixels of the picture to a crop in which the eyes are level.

    Args:
        box: left, top, width, height of what lies in the middle of the crop.
        eyes: (2, 2) x and y of the person's right eye, then of the left.
        side_px: of the crop.
        box_scale: side of the crop over the longer side of the box.
    """
    left, top, width, height = box
    right_eye, left_eye = eyes
    roll = np.arctan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0])
    scale = side_px / (box_scale * max(width, height))
    turn = scale * np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    centre = np.array([left + width / 2, top + height / 2])
    shift = side_px / 2 - turn @ centre
    return np.column_stack([turn, shift])


def grey_crop(picture: Picture, face: Face) -> NDArray[np.uint8]:
    """(48, 48) grey levels of `face`; what lies outside the picture repeats its edge.

    A larger face is cut out at a whole multiple and averaged down, so that it is not aliased.
    """
    side = GREY_BOX_SCALE * max(face.box[2:])
    finer = max(1, math.ceil(side / GREY_SIDE_PX))
    cut = cv2.warpAffine(
        picture,
        crop_transform(face.box, face.eyes, finer * GREY_SIDE_PX, GREY_BOX_SCALE),
        (finer * GREY_SIDE_PX, finer * GREY_SIDE_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    crop = cv2.resize(cut, (GREY_SIDE_PX, GREY_SIDE_PX), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
