import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.evaluation.face import NoFacesError, evaluate_face, read_faces
from inference.experts.blendshapes import Blendshapes
from inference.labels import Emotion

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AFFECTSTREAM_SHARED", ROOT.parent / "shared"))
FACES = SHARED / "data" / "face"
COLUMNS = (
    "split,tile,name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
EVERY = 4


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
    assert [face.emotion for face in faces] == [Emotion.JOY, None]
    assert [int(face.picture.mean()) for face in faces] == [200, 0]
    assert faces[0].picture.shape == (96, 96, 3)


def test_a_folder_without_faces_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoFacesError, match="--data"):
        read_faces(tmp_path)
    _write(tmp_path, "Valid,0,b.png,9,0,0,0,0,0,0,0,0,0")
    (tmp_path / "Valid_00.png").write_bytes(b"no picture")
    with pytest.raises(NoFacesError, match="2400x2400"):
        read_faces(tmp_path)


@pytest.mark.slow
def test_the_rule_finds_joy_and_surprise_among_strangers() -> None:
    if not FACES.is_dir():
        pytest.skip(f"no FER+ in {FACES}: set AFFECTSTREAM_SHARED")
    for name in ("face_landmarks_detector.tflite", "face_blendshapes.tflite"):
        if not (SHARED / "weights" / name).is_file():
            pytest.skip(f"no {name} in {SHARED / 'weights'}: set AFFECTSTREAM_SHARED")
    faces = read_faces(FACES)
    assert len(faces) == 3_396
    report = evaluate_face(faces[::EVERY], Blendshapes.load(SHARED / "weights"), "rule")
    assert report.metrics["read_share"] > 0.7
    read = report.by.group["faces that were read"]
    assert read["joy_auc"] > 0.88
    assert read["surprise_auc"] > 0.82
    assert report.by.group["anger"]["auc"] < 0.65, "then the card understates it"
