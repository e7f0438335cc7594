"""Faces read by an image classification checkpoint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from transformers import AutoModelForImageClassification
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from inference.evidence import Absent, Evidence
from inference.experts.face import look, track_quality
from inference.experts.face_detector import Face, FaceDetector
from inference.experts.huggingface.classifier import Classifier
from inference.experts.huggingface.network import open_preprocessor
from inference.experts.huggingface.opinion import Opinion, Reader, mean_opinion
from inference.experts.huggingface.source import Source
from inference.experts.jpeg import Picture
from inference.experts.sights import Sights
from inference.labels import AbsenceReason, Modality
from inference.window import WindowInput

CROP: Final = 1.2
"""Side of the square that is read, over the longer side of the face's box: chin and brows are
inside, as in the corpora of cut faces that such checkpoints are trained on."""


@dataclass(frozen=True, slots=True)
class CheckpointFaceExpert:
    """YuNet finds faces; the largest track is cut out of every picture and read.

    The opinions of the pictures are averaged; each picture is read once, however many windows
    show it. Nobody is recognised.
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
        shown = look(window, self.sights)
        if isinstance(shown, Absent):
            return shown
        opinions = [
            seen.once("checkpoint", face, self._read) for seen, face in shown.readable.items()
        ]
        if not opinions:
            return Absent(Modality.FACE, AbsenceReason.POOR_QUALITY)
        opinion = mean_opinion(opinions)
        return Evidence(
            modality=Modality.FACE,
            expert=self.version,
            labels=self.reader.labels,
            log_probs=opinion.log_probs,
            distress_log_odds=opinion.distress_log_odds,
            quality=track_quality(window, shown.seen, shown.track),
            weight_limit=self.reader.weight_limit,
        )

    def _read(self, picture: Picture, face: Face) -> Opinion:
        return self.reader.read(crop(picture, face))


def open_face_classifier(source: Source, threads: int) -> CheckpointFaceExpert:
    """An image classification checkpoint as an expert. Raises CheckpointError."""
    reader: Classifier[Picture] = Classifier.open(
        AutoModelForImageClassification, source, _picture_preparer(source), threads
    )
    return CheckpointFaceExpert(Sights(FaceDetector.load()), reader)


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
