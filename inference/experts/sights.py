"""Camera frames that pass decoder, detector and readers once, however many windows show them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from inference.experts.face_detector import Face, FaceDetector
from inference.experts.jpeg import Picture, decode
from inference.experts.recent import Recent, digest
from inference.window import CameraFrame

MOST_FRAMES: Final = 512
"""Windows of 3 s that begin each second share two thirds of their frames: at two frames a second
this is what the newest windows of 85 cameras show, in about 5 MB."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a picture showed.

    Attributes:
        faces: None where the picture cannot be decoded.
        readings: what was asked of which face, by the name of the question and the box.
    """

    faces: tuple[Face, ...] | None
    readings: dict[tuple[str, tuple[float, ...]], Any] = field(default_factory=dict)


class Seen:
    """A frame of one window, whose faces were found.

    Attributes:
        captured_ns: event time.
        faces: the largest first.
    """

    def __init__(self, frame: CameraFrame, found: _Found, picture: Picture | None) -> None:
        self.captured_ns = frame.captured_ns
        self.faces = found.faces or ()
        self._frame = frame
        self._readings = found.readings
        self._picture = picture

    @property
    def picture(self) -> Picture:
        """Decoded again if the frame was met in an earlier window; not kept beyond this one."""
        if self._picture is None:
            self._picture = decode(self._frame.jpeg)
        if self._picture is None:
            raise ValueError("no faces are found in a frame that cannot be decoded")
        return self._picture

    def once(self, question: str, face: Face, read: Callable[[Picture, Face], T]) -> T:
        """What `read` makes of one of `faces`; found again where the frame was asked before.

        Args:
            question: names `read`, which must be the same for the same name.
            face: one of `faces`.
            read: gives a few numbers, nothing by which a person could be recognised.
        """
        key = (question, face.box)
        if key not in self._readings:
            self._readings[key] = read(self.picture, face)
        reading: T = self._readings[key]
        return reading


class Sights:
    """Frames and their faces, found again by the bytes of the frame.

    Kept are boxes, landmarks of the detector and the numbers that were read of each face, of the
    newest frames only: no picture and nothing by which a person could be recognised.

    Args:
        detector: finds faces.
        most: frames to remember.
    """

    def __init__(self, detector: FaceDetector, most: int = MOST_FRAMES) -> None:
        self._detector = detector
        self._found: Recent[_Found] = Recent(most)

    def see(self, frame: CameraFrame) -> Seen | None:
        """The frame with its faces, the largest first; None where it cannot be decoded."""
        key = digest(frame.jpeg)
        picture = None
        found = self._found.find(key)
        if found is None:
            picture = decode(frame.jpeg)
            faces = None if picture is None else tuple(self._detector.detect(picture))
            found = _Found(faces)
            self._found.keep(key, found)
        return None if found.faces is None else Seen(frame, found, picture)
