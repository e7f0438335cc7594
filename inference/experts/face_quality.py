"""How well a face can be read: its size, its sharpness, and how far it is turned away."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.experts.face_detector import Face

FULL_LEVEL_PX: Final = 112
"""Smaller side from which the size of a face is no limit (level 1)."""
FULL_SHARPNESS: Final = 0.08
"""Of the ratio in `sharpness`: what a Gaussian blur of one pixel on the crop leaves of faces in
focus (.06 to .10 in the clips of the tests). By then a reader begins to fail: on 1132 faces of FER+
blurs of .7, 1, 1.4, 2 and 3 pixels cost the research net 0, 2, 6, 15 and 35 of 83 points of
accuracy, and their mean sharpness is .99, .86, .59, .38 and .24."""
LEAST_CONTRAST: Final = 8.0
"""Grey levels of standard deviation; noise on a flat crop is no detail."""


def level(smaller_side_px: float, sharp: float) -> float:
    """Size times sharpness, in [0, 1]: neither makes up for want of the other.

    Args:
        smaller_side_px: of the face's box.
        sharp: of its crop, from `sharpness`.
    """
    return min(1.0, smaller_side_px / FULL_LEVEL_PX) * min(1.0, sharp)


def sharpness(crop: NDArray[np.uint8]) -> float:
    """How much of the contrast of a grey 48x48 crop is in fine detail, in [0, 1].

    Source: variance of the Laplacian (Pech-Pacheco et al. 2000). Departures: over the
    variance of the crop, so that light and contrast drop out; over `FULL_SHARPNESS`; its
    root, which falls about as the accuracy of a reader does. Blur takes more from fine than
    from coarse detail, so more of it never raises the ratio. The outermost pixels are left
    out: what they border on is not known.
    """
    grey = crop.astype(np.float64)
    detail = float(cv2.Laplacian(grey, cv2.CV_64F)[1:-1, 1:-1].var())
    contrast = max(float(grey.var()), LEAST_CONTRAST**2)
    return min(1.0, float(np.sqrt(detail / contrast / FULL_SHARPNESS)))


def facing(face: Face) -> float:
    """1 for a face that looks into the camera, towards 0 the further it is turned aside.

    Cosine of the angle whose tangent is how far the tip of the nose lies beside the middle of
    the eyes, over half their distance: a nose stands out about as far as an eye lies beside it.
    """
    right, left = face.eyes
    across = left - right
    apart = float(np.hypot(*across))
    if apart == 0:
        return 0.0
    beside = float((face.nose - (right + left) / 2) @ across) / apart
    return float(1 / np.hypot(1.0, beside / (apart / 2)))
