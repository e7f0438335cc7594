import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.evaluation.face import evaluate_face, read_faces
from inference.experts.blendshapes import Blendshapes
from inference.experts.face_cnn import FaceCnn, FaceNet
from inference.training.ferplus import EXPRESSIONS, NoFacesError, VotedTiles
from tests.face_net import WIDTHS, config

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AFFECTSTREAM_SHARED", ROOT.parent / "shared"))
FACES = SHARED / "data" / "face"
COLUMNS = (
    "split,tile,name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
EVERY = 8


def _write(folder: Path, *rows: str) -> None:
    (folder / "labels.csv").write_text("\n".join((COLUMNS, *rows)) + "\n")
    mosaic = np.zeros((2400, 2400), dtype=np.uint8)
    mosaic[48:96, 96:144] = 200  # tile 52: second row, third column
    (folder / "Valid_00.png").write_bytes(cv2.imencode(".png", mosaic)[1].tobytes())


def test_only_clear_majorities_for_an_expression_are_judged(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "Train,0,a.png,0,9,0,0,0,0,0,0,0,0",
        "Valid,0,b.png,5,5,0,0,0,0,0,0,0,0",
        "Valid,1,c.png,1,2,0,0,0,0,0,0,7,0",
        "Valid,2,d.png,0,0,0,0,0,0,0,0,0,9",
        "Valid,52,e.png,1,8,0,0,0,0,0,0,1,0",
        "Valid,53,f.png,1,0,0,0,0,0,0,6,1,0",
    )
    faces = read_faces(tmp_path)
    assert [EXPRESSIONS[at] for at in faces.majorities] == ["joy", "contempt"]
    assert [int(tile.mean()) for tile in faces.tiles] == [200, 0]


def test_a_folder_without_faces_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoFacesError, match="--data"):
        read_faces(tmp_path)
    _write(tmp_path, "Valid,0,b.png,9,0,0,0,0,0,0,0,0,0")
    (tmp_path / "Valid_00.png").write_bytes(b"no picture")
    with pytest.raises(NoFacesError, match="2400x2400"):
        read_faces(tmp_path)


class Lookup(FaceCnn):
    """Says of a tile what its first pixel names."""

    def log_probs(self, crops: np.ndarray) -> np.ndarray:
        probs = np.full((len(crops), len(EXPRESSIONS)), 0.01)
        probs[np.arange(len(crops)), crops[:, 0, 0]] = 0.93
        return np.log(probs)


def test_the_net_is_judged_over_eight_labels_and_on_its_say_in_distress() -> None:
    truth = np.arange(16) % 8
    votes = np.pad(9 * np.eye(8, dtype=np.int64)[truth], ((0, 0), (0, 2)))
    tiles = np.zeros((16, 48, 48), dtype=np.uint8)
    tiles[:, 0, 0] = truth
    tiles[0, 0, 0] = EXPRESSIONS.index("neutral")  # one of two angry faces is called so
    report = evaluate_face(
        VotedTiles(tiles, votes),
        None,
        Lookup(FaceNet(WIDTHS, len(EXPRESSIONS)), config()),
        {"net": "lookup"},
    )
    assert report.n == 16
    assert report.metrics["accuracy"] == pytest.approx(15 / 16)
    assert report.metrics["uar"] == pytest.approx(15 / 16)
    assert report.by.group["net, anger"] == {"n": 2.0, "recall": 0.5}
    assert report.by.group["net, contempt"]["recall"] == 1.0
    seven = report.by.group["net, seven labels, each as likely"]
    assert seven["n"] == 14
    assert {"nll", "ece", "expected_ece", "macro_f1", "distress_auc"} <= set(report.metrics)
    assert report.metrics["distress_auc"] == pytest.approx((7 + 0.5) / 8), "it ties with calm"
    assert "joy_auc" not in report.metrics, "the rule was not asked"


@pytest.mark.slow
def test_the_rule_finds_joy_and_surprise_among_strangers() -> None:
    if not FACES.is_dir():
        pytest.skip(f"no FER+ in {FACES}: set AFFECTSTREAM_SHARED")
    for name in ("face_landmarks_detector.tflite", "face_blendshapes.tflite"):
        if not (SHARED / "weights" / name).is_file():
            pytest.skip(f"no {name} in {SHARED / 'weights'}: set AFFECTSTREAM_SHARED")
    faces = read_faces(FACES)
    assert len(faces) == 3_396
    some = faces.of(np.arange(0, len(faces), EVERY))
    report = evaluate_face(some, Blendshapes.load(SHARED / "weights"), None, {"face": "rule"})
    assert report.metrics["read_share"] > 0.84
    assert report.metrics["joy_auc"] > 0.88
    assert report.metrics["surprise_auc"] > 0.84
    silent = report.by.group["rule, silent on others"]
    assert silent["joy_auc"] < report.metrics["joy_auc"], "what is not read cannot be ranked"
    assert report.by.group["rule, anger"]["auc"] < 0.65, "then the card understates it"
