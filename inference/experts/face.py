"""The face expert: whom the camera shows, and what the largest face does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np

from inference import third_party
from inference.evidence import Absent, Cue, Evidence, Quality
from inference.experts import face_rule
from inference.experts.blendshapes import NAMES, Blendshapes, Coefficients
from inference.experts.face_detector import FaceDetector
from inference.experts.face_track import FaceTrack, follow
from inference.experts.sights import Seen, Sights
from inference.labels import EMOTIONS, AbsenceReason, Modality
from inference.third_party import FACE_LANDMARKER, BundleState
from inference.window import CameraFrame, WindowInput

MOST_FRAMES: Final = 6
"""Of a window with more, this many are read, evenly spread and the newest among them."""
SMALLEST_PX: Final = 40
"""Smaller side of a face that can be read; below it a smile is a pixel or two."""
FULL_LEVEL_PX: Final = 112
"""Smaller side from which the size of a face is no limit (level 1)."""


class FaceExpert:
    """YuNet finds faces; landmarks, blendshapes and a fixed rule read the largest track.

    Without the optional weights it says who is there, how large and how surely, with evidence
    that is vacuous: uniform over the labels and silent on distress. Nobody is recognised.
    """

    modality: Final = Modality.FACE
    look_back_ns: Final = 0

    def __init__(self, detector: FaceDetector, blendshapes: Blendshapes | None) -> None:
        self._sights = Sights(detector, blendshapes)
        self._blendshapes = blendshapes

    @classmethod
    def load(cls, models_dir: Path | None = None) -> Self:
        """Open the detector, and the optional weights if they lie in `models_dir`.

        Raises:
            BundleError: the optional weights are there, but their bytes are not the pinned ones.
        """
        detector = FaceDetector.load()
        if models_dir is None:
            return cls(detector, None)
        if third_party.state(FACE_LANDMARKER, models_dir) is BundleState.MISSING:
            return cls(detector, None)
        folder = third_party.folder(FACE_LANDMARKER, models_dir)
        return cls(detector, Blendshapes.load(folder))

    @property
    def version(self) -> str:
        """Which of the two experts this is."""
        if self._blendshapes is None:
            return "face-yunet-2023mar"
        return "face-yunet-2023mar+blendshapes-v2+rule-1"

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        """Read each window by itself, in order; see `inference.evidence.Expert`."""
        return [self._assess(window) for window in windows]

    def _assess(self, window: WindowInput) -> Evidence | Absent:
        if not window.frames:
            return Absent(Modality.FACE, AbsenceReason.NO_CAMERA)
        frames = [self._sights.see(frame) for frame in spread(window.frames)]
        seen = [one for one in frames if one is not None]
        if not seen:
            return Absent(Modality.FACE, AbsenceReason.UNDECODABLE)
        tracks = follow([one.faces for one in seen])
        if not tracks:
            return Absent(Modality.FACE, AbsenceReason.NO_FACE)
        return self._assess_track(window, seen, tracks[0])

    def _assess_track(
        self, window: WindowInput, seen: Sequence[Seen], track: FaceTrack
    ) -> Evidence | Absent:
        """The evidence of one face that was followed through the pictures."""
        if max(face.smaller_side for face in track.faces.values()) < SMALLEST_PX:
            return Absent(Modality.FACE, AbsenceReason.POOR_QUALITY)
        quality = _quality(window, seen, track)
        if self._blendshapes is None:
            return self._vacuous(quality)
        moves = _moves(seen, track)
        if not moves:
            return Absent(Modality.FACE, AbsenceReason.POOR_QUALITY)
        return self._read(moves, quality)

    def _vacuous(self, quality: Quality) -> Evidence:
        return Evidence(
            modality=Modality.FACE,
            expert=self.version,
            labels=EMOTIONS,
            log_probs=np.full(len(EMOTIONS), -np.log(len(EMOTIONS))),
            distress_log_odds=None,
            quality=quality,
            weight_limit=face_rule.WEIGHT_LIMIT,
        )

    def _read(self, moves: Mapping[int, Coefficients], quality: Quality) -> Evidence:
        """The rule on the mean of the track; the cue at the picture that shows it best.

        Args:
            moves: coefficients by event time in nanoseconds.
            quality: of the track.
        """
        mean = {name: float(np.mean([one[name] for one in moves.values()])) for name in NAMES}
        cues: tuple[Cue, ...] = ()
        if (cue := face_rule.cue(mean)) is not None:
            at_ns = max(moves, key=lambda at: face_rule.log_probs(moves[at]).max())
            cues = (Cue(modality=Modality.FACE, cue=cue, at_ns=at_ns),)
        return Evidence(
            modality=Modality.FACE,
            expert=self.version,
            labels=face_rule.LABELS,
            log_probs=face_rule.log_probs(mean),
            distress_log_odds=None,
            quality=quality,
            weight_limit=face_rule.WEIGHT_LIMIT,
            cues=cues,
        )


def spread(frames: Sequence[CameraFrame]) -> list[CameraFrame]:
    """At most `MOST_FRAMES` of `frames`, evenly spread, the newest among them."""
    if len(frames) <= MOST_FRAMES:
        return list(frames)
    places = np.linspace(len(frames) - 1, 0, MOST_FRAMES, endpoint=False).round().astype(int)
    return [frames[place] for place in sorted(places.tolist())]


def _moves(seen: Sequence[Seen], track: FaceTrack) -> dict[int, Coefficients]:
    """Coefficients by event time, where the face is large enough and was read."""
    found = {
        seen[number].captured_ns: seen[number].moves(face)
        for number, face in track.faces.items()
        if face.smaller_side >= SMALLEST_PX
    }
    return {at_ns: moved for at_ns, moved in found.items() if moved is not None}


def _quality(window: WindowInput, seen: Sequence[Seen], track: FaceTrack) -> Quality:
    faces = track.faces.values()
    age_ns = window.end_ns - seen[max(track.faces)].captured_ns
    return Quality(
        present_share=len(faces) / len(seen),
        level=min(1.0, float(np.mean([face.smaller_side for face in faces])) / FULL_LEVEL_PX),
        freshness=float(np.clip(1 - age_ns / (window.end_ns - window.start_ns), 0.0, 1.0)),
        confidence=float(np.mean([face.confidence for face in faces])),
    )
