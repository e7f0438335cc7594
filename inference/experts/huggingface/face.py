"""Faces read by an image classification checkpoint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from transformers import AutoModelForImageClassification
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from inference.evidence import Absent, Evidence, Quality
from inference.experts.face import SMALLEST_PX, spread
from inference.experts.face_detector import Face, FaceDetector
from inference.experts.face_track import FaceTrack, follow
from inference.experts.huggingface.classifier import Classifier
from inference.experts.huggingface.network import open_preprocessor
from inference.experts.huggingface.opinion import Reader, mean_opinion
from inference.experts.huggingface.source import Source
from inference.experts.jpeg import Picture
from inference.experts.sights import Seen, Sights
from inference.labels import AbsenceReason, Modality
from inference.window import WindowInput

CROP: Final = 1.2
"""Side of the square that is read, over the longer side of the face's box: chin and brows are
inside, as in the corpora of cut faces that such checkpoints are trained on."""
FULL_LEVEL_PX: Final = 112
"""Smaller side from which the size of a face is no limit (level 1), as for the shipped expert."""


@dataclass(frozen=True, slots=True)
class CheckpointFaceExpert:
    """YuNet finds faces; the largest track is cut out of every picture and read.

    The opinions of the pictures are averaged. Nobody is recognised.
    """

    sights: Sights
    reader: Reader[Picture]

    @property
    def modality(self) -> Modality:
        """Face."""
        return Modality.FACE

    @property
    def version(self) -> str:
        """Name and digest of the weights."""
        return self.reader.version

    @property
    def look_back_ns(self) -> int:
        """None: the window's own pictures are all that is read."""
        return 0

    def assess(self, windows: Sequence[WindowInput]) -> list[Evidence | Absent]:
        """Read each window by itself; see `inference.evidence.Expert`."""
        return [self._assess(window) for window in windows]

    def _assess(self, window: WindowInput) -> Evidence | Absent:
        if not window.frames:
            return Absent(Modality.FACE, AbsenceReason.NO_CAMERA)
        frames = [self.sights.see(frame) for frame in spread(window.frames)]
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
        large = [
            crop(seen[number].picture, face)
            for number, face in sorted(track.faces.items())
            if face.smaller_side >= SMALLEST_PX
        ]
        if not large:
            return Absent(Modality.FACE, AbsenceReason.POOR_QUALITY)
        opinion = mean_opinion([self.reader.read(picture) for picture in large])
        return Evidence(
            modality=Modality.FACE,
            expert=self.version,
            labels=self.reader.labels,
            log_probs=opinion.log_probs,
            distress_log_odds=opinion.distress_log_odds,
            quality=track_quality(window, seen, track),
            weight_limit=self.reader.weight_limit,
        )


def open_face_classifier(source: Source, threads: int) -> CheckpointFaceExpert:
    """An image classification checkpoint as an expert. Raises CheckpointError."""
    reader: Classifier[Picture] = Classifier.open(
        AutoModelForImageClassification, source, _picture_preparer(source), threads
    )
    return CheckpointFaceExpert(Sights(FaceDetector.load(), blendshapes=None), reader)


def crop(picture: Picture, face: Face) -> Picture:
    """The square around `face`, (side, side, 3); over the edge the edge is repeated."""
    left, top, width, height = face.box
    half = CROP * max(width, height) / 2
    centre = np.array([left + width / 2, top + height / 2])
    first, last = np.round(centre - half).astype(int), np.round(centre + half).astype(int)
    columns, rows = (
        np.clip(np.arange(begin, end), 0, limit - 1)
        for begin, end, limit in zip(first, last, picture.shape[1::-1], strict=True)
    )
    square: Picture = picture[rows][:, columns]
    return square


def track_quality(window: WindowInput, seen: Sequence[Seen], track: FaceTrack) -> Quality:
    """How long one face is there, how large, how recently, how sure the detector was.

    Args:
        window: that is scored.
        seen: pictures that were decoded.
        track: of one face, through at least one of them.
    """
    faces = track.faces.values()
    age_ns = window.end_ns - seen[max(track.faces)].captured_ns
    return Quality(
        present_share=len(faces) / len(seen),
        level=min(1.0, float(np.mean([face.smaller_side for face in faces])) / FULL_LEVEL_PX),
        freshness=float(np.clip(1 - age_ns / (window.end_ns - window.start_ns), 0.0, 1.0)),
        confidence=float(np.mean([face.confidence for face in faces])),
    )


def _picture_preparer(source: Source) -> Callable[[Picture], dict[str, Any]]:
    """From a picture to the tensors of the network of `source`.

    The processors on Pillow give the same numbers everywhere; those on torchvision would
    need another package.
    """
    processor = open_preprocessor(AutoImageProcessor, source, backend="pil")

    def prepare(picture: Picture) -> dict[str, Any]:
        red_first = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return dict(processor(red_first, return_tensors="pt", input_data_format="channels_last"))

    return prepare
