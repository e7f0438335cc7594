"""The same face in several pictures: by place alone, never by identity."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from inference.experts.face_detector import Face

SAME_PLACE: Final = 0.3
"""Share of their union that two boxes of one face have in common from picture to picture."""


@dataclass(slots=True)
class FaceTrack:
    """One face through the pictures of a window.

    Attributes:
        faces: by number of the picture.
    """

    faces: dict[int, Face] = field(default_factory=dict)

    @property
    def newest(self) -> Face:
        """The face in the last picture that shows it."""
        return self.faces[max(self.faces)]

    @property
    def total_area(self) -> float:
        """Square pixels over all pictures."""
        return sum(face.area for face in self.faces.values())


def follow(pictures: Sequence[Sequence[Face]]) -> list[FaceTrack]:
    """Join faces that stay in place, the largest track (in total area) first.

    Greedy: in each picture the larger face chooses first among the tracks.
    """
    tracks: list[FaceTrack] = []
    for number, faces in enumerate(pictures):
        for face in sorted(faces, key=lambda one: -one.area):
            free = [track for track in tracks if number not in track.faces]
            best = max(free, key=lambda track: overlap(track.newest, face), default=None)
            if best is None or overlap(best.newest, face) < SAME_PLACE:
                best = FaceTrack()
                tracks.append(best)
            best.faces[number] = face
    return sorted(tracks, key=lambda track: -track.total_area)


def overlap(one: Face, other: Face) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    left = max(one.box[0], other.box[0])
    top = max(one.box[1], other.box[1])
    right = min(one.box[0] + one.box[2], other.box[0] + other.box[2])
    bottom = min(one.box[1] + one.box[3], other.box[1] + other.box[3])
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    return shared / (one.area + other.area - shared)
