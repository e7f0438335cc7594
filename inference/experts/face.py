"""The face expert: whom the camera shows, and what the largest face does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference import third_party
from inference.evidence import Absent, Cue, Evidence, Features, Quality
from inference.experts import face_quality, face_rule
from inference.experts.blendshapes import NAMES, Blendshapes, Coefficients
from inference.experts.face_cnn import FaceCnn
from inference.experts.face_crop import grey_crop
from inference.experts.face_detector import Face, FaceDetector
from inference.experts.face_track import FaceTrack, follow
from inference.experts.jpeg import Picture
from inference.experts.sights import Seen, Sights
from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality
from inference.third_party import FACE_LANDMARKER, BundleState
from inference.window import CameraFrame, WindowInput

MOST_FRAMES: Final = 6
"""Of a window with more, this many are read, evenly spread and the newest among them."""
FACE_SPACE: Final = f"blendshapes-{len(NAMES)}"
"""Of `Features`: the coefficients in the order of `NAMES`."""
SMALLEST_PX: Final = 40
"""Smaller side of a face that can be read; below it a smile is a pixel or two."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A window in which a camera shows somebody.

    Attributes:
        seen: the pictures that were decoded.
        track: the largest face, followed through them.
    """

    seen: Sequence[Seen]
    track: FaceTrack

    @property
    def readable(self) -> dict[Seen, Face]:
        """Where the face is large enough, in order of time."""
        return {
            self.seen[number]: face
            for number, face in sorted(self.track.faces.items())
            if face.smaller_side >= SMALLEST_PX
        }


class FaceExpert:
    """YuNet finds faces; the largest track is read by whichever reader was loaded.

    By default that is landmarks, blendshapes and a fixed rule; in a research profile a net
    trained on FER+. Without either it says who is there, how large and how surely, with
    evidence that is vacuous: uniform over the labels and silent on distress. Nobody is
    recognised.
    """

    modality: Final = Modality.FACE
    look_back_ns: Final = 0

    def __init__(
        self,
        detector: FaceDetector,
        blendshapes: Blendshapes | None = None,
        cnn: FaceCnn | None = None,
    ) -> None:
        self._sights = Sights(detector)
        self._blendshapes = blendshapes
        self._cnn = cnn

    @classmethod
    def load(cls, models_dir: Path | None = None, cnn: Path | None = None) -> Self:
        """Open the detector, and a reader.

        Args:
            models_dir: where the optional weights of the fixed rule may lie.
            cnn: folder of the research net, which then reads in place of the rule.

        Raises:
            BundleError: the optional weights are there, but their bytes are not the pinned ones.
            FaceCnnError: `cnn` holds no usable net.
        """
        detector = FaceDetector.load()
        if cnn is not None:
            return cls(detector, cnn=FaceCnn.load(cnn))
        if models_dir is None:
            return cls(detector)
        if third_party.state(FACE_LANDMARKER, models_dir) is BundleState.MISSING:
            return cls(detector)
        folder = third_party.folder(FACE_LANDMARKER, models_dir)
        return cls(detector, Blendshapes.load(folder))

    @property
    def version(self) -> str:
        """Which of the three experts this is."""
        if self._cnn is not None:
            return f"face-yunet-2023mar+{self._cnn.version}"
        if self._blendshapes is None:
            return "face-yunet-2023mar"
        return "face-yunet-2023mar+blendshapes-v2-twice+rule-1"

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        """Read each window by itself, in order; see `inference.evidence.Expert`."""
        return [self._assess(window) for window in windows]

    def _assess(self, window: WindowInput) -> Evidence | Absent:
        shown = look(window, self._sights)
        return shown if isinstance(shown, Absent) else self._assess_track(window, shown)

    def _assess_track(self, window: WindowInput, shown: Shown) -> Evidence | Absent:
        """The evidence of one face that was followed through the pictures."""
        readable = shown.readable
        if not readable:
            return Absent(Modality.FACE, AbsenceReason.POOR_QUALITY)
        quality = track_quality(window, shown.seen, shown.track)
        if self._cnn is not None:
            return self._read_crops(self._cnn, readable, quality)
        if self._blendshapes is None:
            return self._vacuous(quality)
        moves = _moves(self._blendshapes, readable)
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
            features=_features(moves),
        )

    def _read_crops(self, cnn: FaceCnn, faces: Mapping[Seen, Face], quality: Quality) -> Evidence:
        """The net on the mean of the track; the cue at the picture that shows it best.

        Args:
            cnn: the net.
            faces: of the track, by the picture that shows it; at least one.
            quality: of the track.
        """

        def opinion(picture: Picture, face: Face) -> NDArray[np.float64]:
            log_probs: NDArray[np.float64] = cnn.log_probs(grey_crop(picture, face)[None])[0]
            return log_probs

        each = np.stack([seen.once("net", face, opinion) for seen, face in faces.items()])
        mean = cnn.over_track(each)
        log_probs = cnn.emotions(mean)
        shown = EMOTIONS[int(log_probs.argmax())]
        cues: tuple[Cue, ...] = ()
        if shown is not Emotion.NEUTRAL:
            strongest = int(cnn.emotions(each)[:, EMOTIONS.index(shown)].argmax())
            cue = f"an expression that most would call {shown}"
            cues = (Cue(modality=Modality.FACE, cue=cue, at_ns=list(faces)[strongest].captured_ns),)
        return Evidence(
            modality=Modality.FACE,
            expert=self.version,
            labels=EMOTIONS,
            log_probs=log_probs,
            distress_log_odds=float(cnn.distress_log_odds(mean)),
            quality=quality,
            cues=cues,
        )


def look(window: WindowInput, sights: Sights) -> Shown | Absent:
    """Find the largest face of a window, or say why there is none."""
    if not window.frames:
        return Absent(Modality.FACE, AbsenceReason.NO_CAMERA)
    frames = [sights.see(frame) for frame in spread(window.frames)]
    seen = [one for one in frames if one is not None]
    if not seen:
        return Absent(Modality.FACE, AbsenceReason.UNDECODABLE)
    tracks = follow([one.faces for one in seen])
    if not tracks:
        return Absent(Modality.FACE, AbsenceReason.NO_FACE)
    return Shown(seen, tracks[0])


def spread(frames: Sequence[CameraFrame]) -> list[CameraFrame]:
    """At most `MOST_FRAMES` of `frames`, evenly spread, the newest among them."""
    if len(frames) <= MOST_FRAMES:
        return list(frames)
    places = np.linspace(len(frames) - 1, 0, MOST_FRAMES, endpoint=False).round().astype(int)
    return [frames[place] for place in sorted(places.tolist())]


def _moves(blendshapes: Blendshapes, faces: Mapping[Seen, Face]) -> dict[int, Coefficients]:
    """Coefficients by event time, where landmarks were found."""
    found = {
        seen.captured_ns: seen.once("moves", face, blendshapes.read) for seen, face in faces.items()
    }
    return {at_ns: moved for at_ns, moved in found.items() if moved is not None}


def track_quality(window: WindowInput, seen: Sequence[Seen], track: FaceTrack) -> Quality:
    """Means over the track; a face that is turned aside lowers the detector's confidence.

    Args:
        window: that is scored.
        seen: pictures that were decoded.
        track: of one face, through at least one of them.
    """
    age_ns = window.end_ns - seen[max(track.faces)].captured_ns
    levels = [
        face_quality.level(face.smaller_side, seen[number].once("sharpness", face, _sharpness))
        for number, face in track.faces.items()
    ]
    sure = [face.confidence * face_quality.facing(face) for face in track.faces.values()]
    return Quality(
        present_share=len(track.faces) / len(seen),
        level=float(np.mean(levels)),
        freshness=float(np.clip(1 - age_ns / (window.end_ns - window.start_ns), 0.0, 1.0)),
        confidence=float(np.mean(sure)),
    )


def _features(moves: Mapping[int, Coefficients]) -> Features:
    frames = np.array([[one[name] for name in NAMES] for one in moves.values()], dtype=np.float32)
    return Features(space=FACE_SPACE, vector=frames.mean(axis=0), tokens=frames)


def _sharpness(picture: Picture, face: Face) -> float:
    return face_quality.sharpness(grey_crop(picture, face))
