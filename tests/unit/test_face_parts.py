import cv2
import numpy as np
import pytest

from inference.experts import face_rule
from inference.experts.blendshapes import NAMES, POINTS
from inference.experts.face_detector import Face
from inference.experts.face_track import follow, overlap
from inference.experts.jpeg import MOST_PIXELS, declared_pixels, decode
from inference.labels import Emotion

STILL = dict.fromkeys(NAMES, 0.0)
SMILING = STILL | {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.9}
STARTLED = STILL | {
    "eyeWideLeft": 0.5,
    "eyeWideRight": 0.5,
    "jawOpen": 0.7,
    "browInnerUp": 0.9,
    "browOuterUpLeft": 0.8,
    "browOuterUpRight": 0.8,
}


def _face(left: float, top: float, side: float) -> Face:
    eyes = np.array([[left + 0.3 * side, top + 0.4 * side], [left + 0.7 * side, top + 0.4 * side]])
    nose = np.array([left + 0.5 * side, top + 0.6 * side])
    return Face(box=(left, top, side, side), eyes=eyes, nose=nose, confidence=0.9)


def _jpeg(height: int = 48, width: int = 64) -> bytes:
    noise = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def _best(coefficients: dict[str, float]) -> Emotion:
    return face_rule.LABELS[int(face_rule.log_probs(coefficients).argmax())]


def test_a_smile_speaks_for_joy_and_a_startled_face_for_surprise() -> None:
    assert _best(SMILING) is Emotion.JOY
    assert _best(STARTLED) is Emotion.SURPRISE
    assert face_rule.cue(SMILING) == "smiles"
    assert face_rule.cue(STARTLED) == "eyes, jaw or brows wide open"
    assert face_rule.cue(STILL) is None


def test_the_graph_reads_146_landmarks_and_names_52_coefficients() -> None:
    assert len(POINTS) == len(set(POINTS)) == 146
    assert max(POINTS) < 478
    assert len(set(NAMES)) == 52


def test_the_largest_face_is_followed_even_when_another_is_nearer_for_a_moment() -> None:
    steady = [_face(100 + 4 * number, 50, 80) for number in range(5)]
    passer_by = _face(400, 40, 120)
    pictures = [[face] for face in steady]
    pictures[2] = [passer_by, steady[2]]
    tracks = follow(pictures)
    assert list(tracks[0].faces.values()) == steady
    assert tracks[1].faces == {2: passer_by}


def test_every_face_is_in_one_track_and_once_a_picture() -> None:
    random = np.random.default_rng(8)
    pictures = [
        [_face(*random.uniform(0, 300, 2), random.uniform(30, 90)) for _ in range(3)]
        for _ in range(6)
    ]
    tracks = follow(pictures)
    found = [(number, id(face)) for track in tracks for number, face in track.faces.items()]
    assert sorted(found) == sorted((n, id(face)) for n in range(6) for face in pictures[n])
    areas = [track.total_area for track in tracks]
    assert areas == sorted(areas, reverse=True)
    assert follow([]) == follow([[], []]) == []


def test_overlap_is_one_with_itself_and_none_apart() -> None:
    assert overlap(_face(0, 0, 10), _face(0, 0, 10)) == pytest.approx(1.0)
    assert overlap(_face(0, 0, 10), _face(20, 0, 10)) == 0.0
    assert overlap(_face(0, 0, 10), _face(5, 0, 10)) == pytest.approx(1 / 3)


def test_a_jpeg_is_decoded_and_its_size_known_before() -> None:
    jpeg = _jpeg(48, 64)
    assert declared_pixels(jpeg) == 48 * 64
    picture = decode(jpeg)
    assert picture is not None
    assert picture.shape == (48, 64, 3)


def test_a_few_bytes_that_promise_gigabytes_are_not_decoded() -> None:
    jpeg = bytearray(_jpeg())
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = b"\xff\xff\xff\xff"
    assert declared_pixels(bytes(jpeg)) > MOST_PIXELS
    assert decode(bytes(jpeg)) is None


def test_other_formats_are_not_decoded() -> None:
    picture = np.zeros((32, 32, 3), dtype=np.uint8)
    assert decode(cv2.imencode(".png", picture)[1].tobytes()) is None
