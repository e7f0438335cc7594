"""What holds for every face, every rule input, every frame, and every company."""

import os
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.evidence import Absent, Evidence
from inference.experts import face_rule
from inference.experts.blendshapes import NAMES, SIDE_PX
from inference.experts.face import MOST_FRAMES, FaceExpert, spread
from inference.experts.face_crop import crop_transform
from inference.experts.jpeg import decode
from inference.labels import AbsenceReason, Emotion, Modality, Role
from inference.third_party import FACE_LANDMARKER
from inference.units import SECOND_NS
from inference.window import CameraFrame, TextSpan, WindowInput
from tests.face_net import save_net

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AFFECTSTREAM_SHARED", ROOT.parent / "shared"))
CLIP = SHARED / "data" / "clips" / "several_faces_audio_10s.mp4"
WINDOWS = 5
STILL = dict.fromkeys(NAMES, 0.0)


def _jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture)[1].tobytes()


NOISE = _jpeg(np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def _window(*jpegs: bytes) -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=3 * SECOND_NS,
        frames=tuple(CameraFrame(place * SECOND_NS, jpeg) for place, jpeg in enumerate(jpegs)),
    )


@pytest.fixture(scope="module")
def windows() -> list[WindowInput]:
    """Three scenes with faces, one without a picture, one without anybody; all in other sizes."""
    if not CLIP.is_file():
        pytest.skip(f"no {CLIP}: set AFFECTSTREAM_SHARED")
    with av.open(str(CLIP)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    small = [cv2.resize(frame, None, fx=0.7, fy=0.7) for frame in frames]
    return [
        _window(*map(_jpeg, frames[100:160:24])),
        _window(_jpeg(small[25]), b"broken", _jpeg(small[30])),
        _window(_jpeg(frames[0]), _jpeg(frames[75])),
        _window(b"broken"),
        _window(NOISE),
    ]


@pytest.fixture(scope="module", params=["detector alone", "with blendshapes", "with the net"])
def expert(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FaceExpert:
    if request.param == "detector alone":
        return FaceExpert.load(None)
    if request.param == "with the net":
        return FaceExpert.load(None, save_net(tmp_path_factory.mktemp("net")))
    models = tmp_path_factory.mktemp("models")
    (models / FACE_LANDMARKER.name).mkdir()
    for name in FACE_LANDMARKER.files:
        if not (SHARED / "weights" / name).is_file():
            pytest.skip(f"no {name} in {SHARED / 'weights'}: set AFFECTSTREAM_SHARED")
        (models / FACE_LANDMARKER.name / name).symlink_to(SHARED / "weights" / name)
    return FaceExpert.load(models)


@pytest.fixture(scope="module")
def alone(expert: FaceExpert, windows: list[WindowInput]) -> list[Evidence | Absent]:
    return [answer for window in windows for answer in expert.assess([window])]


def _same(one: Evidence | Absent, other: Evidence | Absent) -> bool:
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one == other
    return (
        np.array_equal(one.log_probs, other.log_probs)
        and one.distress_log_odds == other.distress_log_odds
        and one.quality == other.quality
        and one.cues == other.cues
    )


@settings(max_examples=8, deadline=None)
@given(order=st.lists(st.integers(0, WINDOWS - 1), max_size=6))
def test_a_window_is_read_the_same_alone_and_in_any_company(
    expert: FaceExpert,
    windows: list[WindowInput],
    alone: list[Evidence | Absent],
    order: list[int],
) -> None:
    together = expert.assess([windows[index] for index in order])
    assert len(together) == len(order)
    assert all(_same(answer, alone[index]) for index, answer in zip(order, together, strict=True))


def test_words_that_come_or_are_missing_never_change_the_face(
    expert: FaceExpert, windows: list[WindowInput], alone: list[Evidence | Absent]
) -> None:
    spoken = replace(windows[0], words=(TextSpan(0, SECOND_NS, "wonderful", "en"),))
    mute = replace(windows[0], absent={Modality.TEXT: AbsenceReason.NO_TRACK})
    for window in (spoken, mute):
        (answer,) = expert.assess([window])
        assert _same(answer, alone[0])


@given(values=st.lists(st.floats(0, 1), min_size=len(NAMES), max_size=len(NAMES)))
def test_the_rule_says_nothing_among_the_other_labels(values: list[float]) -> None:
    log_probs = face_rule.log_probs(dict(zip(NAMES, values, strict=True)))
    assert np.exp(log_probs).sum() == pytest.approx(1.0)
    others = [
        log_prob
        for label, log_prob in zip(face_rule.LABELS, log_probs, strict=True)
        if label not in {Emotion.JOY, Emotion.SURPRISE}
    ]
    assert others == pytest.approx([others[0]] * 5)
    spoken = log_probs - others[0]
    assert spoken.min() >= face_rule.LEAST - 1e-9
    assert spoken.max() <= face_rule.MOST + 1e-9


@given(low=st.floats(0, 1), more=st.floats(0, 1))
def test_a_wider_smile_is_never_less_joy(low: float, more: float) -> None:
    high = min(1.0, low + more)
    joy = face_rule.LABELS.index(Emotion.JOY)
    faint, wide = (
        face_rule.log_probs(STILL | {"mouthSmileLeft": level, "mouthSmileRight": level})[joy]
        for level in (low, high)
    )
    assert wide >= faint


@given(roll=st.floats(-3, 3), side=st.floats(20, 400))
def test_in_the_crop_the_eyes_are_level_and_the_face_is_in_the_middle(
    roll: float, side: float
) -> None:
    centre = np.array([200.0, 150.0])
    across = side / 5 * np.array([np.cos(roll), np.sin(roll)])
    box = (*(centre - side / 2).tolist(), side, side)
    eyes = np.array([centre - across, centre + across])
    transform = crop_transform(box, eyes, SIDE_PX, 1.5)
    right, left = eyes @ transform[:, :2].T + transform[:, 2]
    assert right[1] == pytest.approx(left[1], abs=1e-6)
    assert right[0] < left[0]
    assert transform[:, :2] @ centre + transform[:, 2] == pytest.approx([SIDE_PX / 2] * 2)


@given(junk=st.binary(max_size=80), keep=st.integers(0, 400))
def test_any_bytes_are_a_picture_or_nothing(junk: bytes, keep: int) -> None:
    for data in (junk, b"\xff\xd8" + junk, NOISE[:keep] + junk):
        picture = decode(data)
        assert picture is None or (picture.ndim == 3 and picture.dtype == np.uint8)


@given(count=st.integers(1, 60))
def test_of_many_frames_the_newest_and_an_even_spread_are_read(count: int) -> None:
    frames = [CameraFrame(number, b"") for number in range(count)]
    read = [frame.captured_ns for frame in spread(frames)]
    assert len(read) == min(count, MOST_FRAMES)
    assert read[-1] == count - 1
    assert read == sorted(set(read))
    gaps = np.diff(read)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1
