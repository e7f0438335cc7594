"""Report the face rule on FER+: nothing of it was or may be fitted there.

Barsoum et al., Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution, ICMI 2016: ten votes on each 48x48 grey face.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.evaluation.metrics import roc_auc
from inference.evaluation.report import Breakdown, EvaluationReport
from inference.experts import face_rule
from inference.experts.blendshapes import Blendshapes
from inference.experts.face_detector import Face
from inference.experts.jpeg import Picture
from inference.labels import Emotion

SPLIT: Final = "Valid"
SIDE_PX: Final = 48
TILES_IN_ROW: Final = 50
TILES: Final = TILES_IN_ROW * TILES_IN_ROW
MARGIN_PX: Final = SIDE_PX // 2
"""Of repeated edge around a tile, which is all face: the landmark graph wants some room."""
VOTED: Final = {
    "neutral": Emotion.NEUTRAL,
    "happiness": Emotion.JOY,
    "surprise": Emotion.SURPRISE,
    "sadness": Emotion.SADNESS,
    "anger": Emotion.ANGER,
    "disgust": Emotion.DISGUST,
    "fear": Emotion.FEAR,
    "contempt": None,
}
"""Columns of labels.csv; contempt is outside the vocabulary and counts as none of it."""
DROPPED: Final = ("unknown", "NF")
RULED: Final = (Emotion.JOY, Emotion.SURPRISE)


class NoFacesError(AffectstreamError):
    """A folder without the files of FER+."""


@dataclass(frozen=True, slots=True)
class VotedFace:
    """A grey tile and what most voters called it.

    Attributes:
        picture: (96, 96, 3) the tile with a margin.
        emotion: None for contempt.
    """

    picture: Picture
    emotion: Emotion | None


def read_faces(folder: Path) -> list[VotedFace]:
    """Faces of the validation split with one clear majority for an expression.

    Raises:
        NoFacesError: `labels.csv` or a mosaic is missing or is not what it should be.
    """
    try:
        with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == SPLIT]
        voted = [(int(row["tile"]), _majority(row)) for row in rows]
    except (OSError, KeyError, ValueError) as exc:
        raise NoFacesError(
            f"{folder}: no labels.csv of FER+ ({exc!r}); point --data at the folder that holds it "
            f"and the mosaics {SPLIT}_00.png, {SPLIT}_01.png"
        ) from exc
    mosaics: dict[int, NDArray[np.uint8]] = {}
    faces: list[VotedFace] = []
    for number, majority in voted:
        if majority is None:
            continue
        page, place = divmod(number, TILES)
        if page not in mosaics:
            mosaics[page] = _mosaic(folder / f"{SPLIT}_{page:02}.png")
        row, column = divmod(place, TILES_IN_ROW)
        top, left = row * SIDE_PX, column * SIDE_PX
        tile = mosaics[page][top : top + SIDE_PX, left : left + SIDE_PX]
        faces.append(VotedFace(_with_margin(tile), VOTED[majority]))
    return faces


def evaluate_face(
    faces: list[VotedFace],
    blendshapes: Blendshapes,
    version: str,
    on_face: Callable[[], None] = lambda: None,
) -> EvaluationReport:
    """One-against-all AUC of each label; a face that was not read gets the prior.

    Args:
        faces: from `read_faces`.
        blendshapes: the optional graphs.
        version: of the expert that uses them.
        on_face: called after each face.
    """
    side = float(SIDE_PX)
    box = Face(
        box=(MARGIN_PX, MARGIN_PX, side, side),
        eyes=np.array([[1.3, 1.35], [1.7, 1.35]]) * side,  # level: tiles are upright
        confidence=1.0,
    )
    scores = np.full((len(faces), len(face_rule.LABELS)), -np.log(len(face_rule.LABELS)))
    read = np.zeros(len(faces), dtype=np.bool_)
    for number, face in enumerate(faces):
        coefficients = blendshapes.read(face.picture, box)
        if coefficients is not None:
            read[number] = True
            scores[number] = face_rule.log_probs(coefficients)
        on_face()
    emotions = [face.emotion for face in faces]
    aucs = _aucs(emotions, scores)
    of_read = _aucs([emotions[number] for number in np.flatnonzero(read)], scores[read])
    return EvaluationReport(
        task="face",
        n=len(faces),
        metrics={
            **{f"{label}_auc": aucs[label] for label in RULED},
            "read_share": float(read.mean()),
        },
        by=Breakdown(
            group={
                "faces that were read": {f"{label}_auc": of_read[label] for label in RULED},
                **{label: {"auc": auc} for label, auc in aucs.items()},
            }
        ),
        versions={"face": version},
    )


def _aucs(emotions: Sequence[Emotion | None], scores: NDArray[np.float64]) -> dict[Emotion, float]:
    return {
        label: roc_auc(np.array([emotion is label for emotion in emotions]), column)
        for label, column in zip(face_rule.LABELS, scores.T, strict=True)
    }


def _majority(row: dict[str, str]) -> str | None:
    """The column with most votes; None for a tie or a majority that names no expression."""
    votes = {name: int(row[name]) for name in (*VOTED, *DROPPED)}
    first, second = sorted(votes, key=lambda name: -votes[name])[:2]
    return None if votes[first] == votes[second] or first in DROPPED else first


def _mosaic(path: Path) -> NDArray[np.uint8]:
    side = SIDE_PX * TILES_IN_ROW
    data = np.fromfile(path, dtype=np.uint8) if path.is_file() else np.zeros(0, dtype=np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else np.zeros((0, 0))
    if picture is None or picture.shape != (side, side):
        raise NoFacesError(f"{path}: expected a picture of {side}x{side} pixels")
    return picture.astype(np.uint8, copy=False)


def _with_margin(tile: NDArray[np.uint8]) -> Picture:
    around = ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX))
    return np.repeat(np.pad(tile, around, mode="edge")[:, :, None], 3, axis=2)
