"""What makes a face hard to read lowers its quality, and never raises it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.experts.face_crop import GREY_SIDE_PX, grey_crop
from inference.experts.face_detector import Face, FaceDetector
from inference.experts.face_quality import facing, level, sharpness
from inference.experts.jpeg import Picture
from tests.media import first_picture

BLURS = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08)
"""Standard deviations over the width of the face."""
SHARES = st.floats(0, 1)


def _face(eyes: np.ndarray, nose: np.ndarray, side: float = 100.0) -> Face:
    return Face(box=(0.0, 0.0, side, side), eyes=eyes, nose=nose, confidence=0.9)


def _people(shared_data: Path) -> list[tuple[Picture, Face]]:
    """Every face of four clips that can be read."""
    names = ("single_face.mp4", "bbaf2n.mpg", "lbax4n.mpg", "multi_face.jpg")
    detector = FaceDetector.load()
    pictures = [first_picture(shared_data / "clips" / name) for name in names]
    found = [(picture, face) for picture in pictures for face in detector.detect(picture)]
    assert len(found) >= 7
    return found


def _blurred(picture: Picture, sigma_px: float) -> Picture:
    if sigma_px == 0:
        return picture
    return cv2.GaussianBlur(picture, (0, 0), sigma_px).astype(np.uint8)


@given(side=st.floats(1, 300), more=st.floats(0, 300), sharp=SHARES, sharper=SHARES)
def test_a_larger_or_sharper_face_never_has_a_lower_level(
    side: float, more: float, sharp: float, sharper: float
) -> None:
    low, high = sorted((sharp, sharper))
    assert 0 <= level(side, low) <= level(side + more, high) <= 1


def test_more_blur_never_makes_a_face_sharper(shared_data: Path) -> None:
    for picture, face in _people(shared_data):
        levels = [
            sharpness(grey_crop(_blurred(picture, blur * face.box[2]), face)) for blur in BLURS
        ]
        assert levels == sorted(levels, reverse=True)
        assert levels[2] == 1.0, "a hundredth of the width takes no expression away"
        assert levels[-1] < 0.6, "a twelfth does"


def test_light_and_contrast_do_not_count_as_sharpness() -> None:
    crop = np.random.default_rng(2).integers(0, 256, (48, 48), dtype=np.uint8)
    crop = cv2.GaussianBlur(crop, (0, 0), 4.0)
    crop = cv2.normalize(crop, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    dim = (crop // 2 + 60).astype(np.uint8)
    assert sharpness(crop) == pytest.approx(sharpness(dim), abs=0.03)
    assert 0 < sharpness(crop) < 1


def test_noise_on_a_flat_crop_is_no_detail() -> None:
    flat = np.full((48, 48), 90, dtype=np.uint8)
    assert sharpness(flat) == 0.0
    flat[::7, ::5] += 1
    assert sharpness(flat) < 0.5


@given(roll=st.floats(-3, 3), turn=st.floats(-2, 2), further=st.floats(1, 3))
def test_the_further_a_face_is_turned_the_less_it_faces_the_camera_however_it_is_tilted(
    roll: float, turn: float, further: float
) -> None:
    tilt = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    eyes = np.array([[-20.0, 0.0], [20.0, 0.0]])

    def turned(beside: float) -> float:
        return facing(_face(eyes @ tilt + 50, np.array([20 * beside, 25.0]) @ tilt + 50))

    assert turned(0.0) == pytest.approx(1.0)
    assert 0 < turned(turn * further) <= turned(turn) + 1e-12 <= 1 + 1e-9
    assert turned(turn) == pytest.approx(turned(-turn))


def test_eyes_in_one_place_face_nowhere() -> None:
    assert facing(_face(np.full((2, 2), 5.0), np.array([5.0, 9.0]))) == 0.0


def test_half_a_face_behind_a_mask_makes_the_detector_less_sure(shared_data: Path) -> None:
    detector = FaceDetector.load()
    for name in ("single_face.mp4", "bbaf2n.mpg", "lbax4n.mpg"):
        picture = first_picture(shared_data / "clips" / name)
        (bare,) = detector.detect(picture)
        left, top, width, height = map(int, bare.box)
        covered = picture.copy()
        covered[top + height // 2 : top + height, left : left + width] = (200, 180, 150)
        for masked in detector.detect(covered):
            assert masked.confidence < bare.confidence


def test_a_crop_is_upright_and_as_large_whatever_the_face() -> None:
    picture = np.zeros((400, 400, 3), dtype=np.uint8)
    picture[100:300, 100:200] = 200  # the person's right half of the face is bright
    right, left = np.array([160.0, 180.0]), np.array([240.0, 180.0])
    upright = Face(
        (100.0, 100.0, 200.0, 200.0), np.array([right, left]), np.array([200.0, 220.0]), 1.0
    )
    crop = grey_crop(picture, upright)
    assert crop.shape == (GREY_SIDE_PX, GREY_SIDE_PX)
    turn = cv2.getRotationMatrix2D((200.0, 200.0), 30.0, 1.0)
    eyes = np.array([right, left]) @ turn[:, :2].T + turn[:, 2]
    tilted = Face(upright.box, eyes, upright.nose, 1.0)
    turned = cv2.warpAffine(picture, turn, (400, 400)).astype(np.uint8)
    middle = slice(8, 40), slice(8, 40)
    assert np.abs(grey_crop(turned, tilted)[middle].astype(int) - crop[middle]).mean() < 6
