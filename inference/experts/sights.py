"""Camera frames that pass decoder, detector and landmarks once, however many windows show them."""

from dataclasses import dataclass, field
from typing import Final

from inference.experts.blendshapes import Blendshapes, Coefficients
from inference.experts.face_detector import Face, FaceDetector
from inference.experts.jpeg import Picture, decode
from inference.experts.recent import Recent, digest
from inference.window import CameraFrame

MOST_FRAMES: Final = 512
"""Windows of 3 s that begin each second share two thirds of their frames: at two frames a second
this is what the newest windows of 85 cameras show, in about 5 MB."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a picture showed.

    Attributes:
        faces: None where the picture cannot be decoded.
        moves: coefficients of the faces that were asked for, by box.
    """

    faces: tuple[Face, ...] | None
    moves: dict[tuple[float, ...], Coefficients | None] = field(default_factory=dict)


class Seen:
    """A frame of one window, whose faces were found.

    Attributes:
        captured_ns: event time.
        faces: the largest first.
    """

    def __init__(
        self,
        frame: CameraFrame,
        found: _Found,
        picture: Picture | None,
        blendshapes: Blendshapes | None,
    ) -> None:
        self.captured_ns = frame.captured_ns
        self.faces = found.faces or ()
        self._frame = frame
        self._moves = found.moves
        self._picture = picture
        self._blendshapes = blendshapes

    @property
    def picture(self) -> Picture:
        """Decoded again if the frame was met in an earlier window; not kept beyond this one."""
        if self._picture is None:
            self._picture = decode(self._frame.jpeg)
        if self._picture is None:
            raise ValueError("no faces are found in a frame that cannot be decoded")
        return self._picture

    def moves(self, face: Face) -> Coefficients | None:
        """Blendshape coefficients of one of `faces`, None where there are none to be had."""
        if self._blendshapes is None:
            return None
        if face.box not in self._moves:
            self._moves[face.box] = self._blendshapes.read(self.picture, face)
        return self._moves[face.box]


class Sights:
    """Frames and their faces, found again by the bytes of the frame.

    Kept are boxes, eyes and coefficients of expression, of the newest frames only: no picture
    and nothing by which a person could be recognised.

    Args:
        detector: finds faces.
        blendshapes: reads them; None reads none.
        most: frames to remember.
    """

    def __init__(
        self, detector: FaceDetector, blendshapes: Blendshapes | None, most: int = MOST_FRAMES
    ) -> None:
        self._detector = detector
        self._blendshapes = blendshapes
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
        return None if found.faces is None else Seen(frame, found, picture, self._blendshapes)
