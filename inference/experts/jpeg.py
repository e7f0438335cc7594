"""A camera frame to a picture, within limits: JPEG only, and no surprise in size."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(height, width, 3), blue, green, red."""

MOST_PIXELS: Final = 4096 * 4096
"""A few hundred bytes may promise gigabytes: larger pictures are not decoded."""

_START: Final = b"\xff\xd8"
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE: Final = frozenset((0x01, 0xFF, *range(0xD0, 0xD8)))
"""Markers without a length: a filler byte and restarts."""


def decode(jpeg: bytes) -> Picture | None:
    """The picture, upright as its EXIF says, or None where it cannot or must not be read."""
    if not 0 < declared_pixels(jpeg) <= MOST_PIXELS:
        return None
    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if picture is None else picture.astype(np.uint8, copy=False)


def declared_pixels(jpeg: bytes) -> int:
    """Width times height as the frame header states, 0 where there is none.

    Source: ITU-T T.81, annex B: segments of marker, two bytes of length and content; that
    of a frame holds precision, height and width.
    """
    if not jpeg.startswith(_START):
        return 0
    place = len(_START)
    while place + 9 <= len(jpeg) and jpeg[place] == 0xFF:  # noqa: PLR2004 - every marker begins so
        marker = jpeg[place + 1]
        if marker in _FRAME_HEADERS:
            height = int.from_bytes(jpeg[place + 5 : place + 7])
            return height * int.from_bytes(jpeg[place + 7 : place + 9])
        if marker in _BARE:
            place += 1 if marker == 0xFF else 2  # noqa: PLR2004 - a filler is one byte
        else:
            place += 2 + int.from_bytes(jpeg[place + 2 : place + 4])
    return 0
