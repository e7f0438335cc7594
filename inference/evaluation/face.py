"""Report the readers of faces on FER+: nothing of the fixed rule was or may be fitted there.

Barsoum et al., Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution, ICMI 2016: ten votes on each 48x48 grey face.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.figures import figures
from inference.evaluation.metrics import roc_auc
from inference.evaluation.report import COUNT, Breakdown, EvaluationReport, Metrics
from inference.experts import face_rule
from inference.experts.blendshapes import PRESENCE_FLOOR, Blendshapes
from inference.experts.face_cnn import FaceCnn
from inference.experts.face_detector import Face
from inference.experts.jpeg import Picture
from inference.labels import EMOTIONS, Emotion
from inference.training.ferplus import EXPRESSIONS, SIDE_PX, VotedTiles, read_tiles

MARGIN_PX: Final = SIDE_PX
"""Of repeated edge around a tile, which is all face: the landmark graph wants some room."""
RULED: Final = (Emotion.JOY, Emotion.SURPRISE)
RULE: Final = "rule"
NET: Final = "net"

Names = NDArray[np.str_]
Floats = NDArray[np.float64]


def read_faces(folder: Path) -> VotedTiles:
    """Faces of the validation split with one clear majority for an expression.

    Raises:
        NoFacesError: `labels.csv` or a mosaic is missing or is not what it should be.
    """
    tiles = read_tiles(folder, "Valid")
    return tiles.of(tiles.majorities >= 0)


def evaluate_face(
    faces: VotedTiles,
    blendshapes: Blendshapes | None,
    cnn: FaceCnn | None,
    versions: dict[str, str],
    on_face: Callable[[], None] = lambda: None,
) -> EvaluationReport:
    """What the rule and the research net make of `faces`, each where it is given.

    The rule has one-against-all AUCs. Every tile is known to be a face, so it judges each,
    where the expert would leave those out on which the landmark graph sees no face; figures
    without them, and with the prior in their place, stand beside. The net has every figure
    over its labels, its own choice counting, and the recall of each; faces that show another
    one, contempt where it learnt from somebody's own pictures alone, are left out of them.

    Args:
        faces: from `read_faces`.
        blendshapes: the optional graphs of the rule.
        cnn: the research net.
        versions: of what reads, for the report.
        on_face: called after each face of each reader.
    """
    truth = np.array(EXPRESSIONS)[faces.majorities]
    metrics: Metrics = {}
    groups: dict[str, Metrics] = {}
    if blendshapes is not None:
        scores, read = _ruled(faces, blendshapes, on_face)
        metrics |= _rule_figures(truth, scores) | {"read_share": float(read.mean())}
        groups |= _rule_groups(truth, scores, read)
    if cnn is not None:
        said, labels = _said(faces, cnn, on_face), cnn.config.labels
        named = np.isin(truth, labels)
        said, shown = said[named], truth[named]
        metrics |= figures(shown, said, labels, distress_log_odds=cnn.distress_log_odds(said))
        groups |= _net_groups(shown, said, cnn)
    return EvaluationReport(
        task="face",
        n=len(faces),
        metrics=metrics,
        by=Breakdown(group=groups),
        versions=versions,
    )


def _ruled(
    faces: VotedTiles, blendshapes: Blendshapes, on_face: Callable[[], None]
) -> tuple[Floats, NDArray[np.bool_]]:
    """(n, 7) log-probabilities of the rule, and which faces the expert would have read."""
    scores, read = [], []
    for tile in faces.tiles:
        points, presence = blendshapes.find(_with_margin(tile), TILE_FACE)
        scores.append(face_rule.log_probs(blendshapes.moved(points)))
        read.append(presence >= PRESENCE_FLOOR)
        on_face()
    return np.array(scores), np.array(read)


def _said(faces: VotedTiles, cnn: FaceCnn, on_face: Callable[[], None]) -> Floats:
    """(n, labels) log-probabilities of the net."""
    said = []
    for tile in faces.tiles:
        said.append(cnn.log_probs(tile[None])[0])
        on_face()
    return np.array(said)


def _rule_figures(truth: Names, scores: Floats) -> Metrics:
    aucs = _aucs(truth, scores)
    return {f"{label}_auc": aucs[label] for label in RULED if label in aucs}


def _rule_groups(truth: Names, scores: Floats, read: NDArray[np.bool_]) -> dict[str, Metrics]:
    """Of the faces that the expert would have read, and with it silent on others; by label."""
    silent = np.where(read[:, None], scores, -np.log(len(EMOTIONS)))
    return {
        f"{RULE}, faces read": {
            COUNT: float(read.sum()),
            **(_rule_figures(truth[read], scores[read]) if read.any() else {}),
        },
        f"{RULE}, silent on others": {COUNT: float(len(read)), **_rule_figures(truth, silent)},
        **{f"{RULE}, {label}": {"auc": auc} for label, auc in _aucs(truth, scores).items()},
    }


def _net_groups(truth: Names, said: Floats, cnn: FaceCnn) -> dict[str, Metrics]:
    """Over the vocabulary alone, each label as likely; then the recall of each of the net's."""
    called = np.array(cnn.config.labels)[said.argmax(axis=1)]
    known = np.isin(truth, list(EMOTIONS))
    even = figures(truth[known], cnn.emotions(said[known]), tuple(map(str, EMOTIONS)))
    recalls = {
        f"{NET}, {label}": {
            COUNT: float((truth == label).sum()),
            "recall": float((called[truth == label] == label).mean()),
        }
        for label in cnn.config.labels
        if (truth == label).any()
    }
    return {f"{NET}, seven labels, each as likely": {COUNT: float(known.sum()), **even}, **recalls}


def _aucs(truth: Names, scores: Floats) -> dict[Emotion, float]:
    """Of each label that some faces show and others do not."""
    return {
        label: roc_auc(truth == label, column)
        for label, column in zip(face_rule.LABELS, scores.T, strict=True)
        if 0 < np.count_nonzero(truth == label) < len(truth)
    }


def _with_margin(tile: NDArray[np.uint8]) -> Picture:
    return np.repeat(np.pad(tile, MARGIN_PX, mode="edge")[:, :, None], 3, axis=2)


TILE_FACE: Final = Face(
    box=(MARGIN_PX, MARGIN_PX, SIDE_PX, SIDE_PX),
    eyes=MARGIN_PX + np.array([[0.3, 0.4], [0.66, 0.4]]) * SIDE_PX,
    nose=MARGIN_PX + np.array([0.48, 0.6]) * SIDE_PX,
    confidence=1.0,
)
"""Where the face is in a tile, which is one: the detector is not asked."""
