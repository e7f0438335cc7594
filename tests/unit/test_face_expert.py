import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from inference.evidence import Absent, Evidence, Quality
from inference.experts.blendshapes import BOX_SCALE, POINTS, SIDE_PX, Blendshapes
from inference.experts.face import SMALLEST_PX, FaceExpert
from inference.experts.face_cnn import FaceCnn
from inference.experts.face_crop import crop_transform, grey_crop
from inference.experts.face_detector import Face, FaceDetector
from inference.experts.jpeg import Picture, decode
from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality, Role
from inference.third_party import FACE_LANDMARKER, BundleError
from inference.units import SECOND_NS
from inference.window import CameraFrame, WindowInput
from tests.face_net import save_net

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AFFECTSTREAM_SHARED", ROOT.parent / "shared"))
CLIPS = SHARED / "data" / "clips"


def _pictures(name: str, every: int = 12, most: int = 5) -> list[Picture]:
    path = CLIPS / name
    if not path.is_file():
        pytest.skip(f"no {path}: set AFFECTSTREAM_SHARED")
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return [frame.astype(np.uint8) for frame in frames[::every][:most]]


def _window(jpegs: Sequence[bytes]) -> WindowInput:
    step = 3 * SECOND_NS // (len(jpegs) + 1)
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=3 * SECOND_NS,
        frames=tuple(CameraFrame(step * (place + 1), jpeg) for place, jpeg in enumerate(jpegs)),
    )


def _jpegs(pictures: Sequence[Picture]) -> list[bytes]:
    return [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]


def _only(expert: FaceExpert, jpegs: Sequence[bytes]) -> Evidence | Absent:
    (answer,) = expert.assess([_window(jpegs)])
    return answer


@pytest.fixture(scope="module")
def expert() -> FaceExpert:
    return FaceExpert.load(None)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / FACE_LANDMARKER.name).mkdir()
    for name in FACE_LANDMARKER.files:
        if not (SHARED / "weights" / name).is_file():
            pytest.skip(f"no {name} in {SHARED / 'weights'}: set AFFECTSTREAM_SHARED")
        shutil.copy(SHARED / "weights" / name, folder / FACE_LANDMARKER.name)
    return folder


def test_noise_shows_nobody(expert: FaceExpert) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert _only(expert, _jpegs([noise])) == Absent(Modality.FACE, AbsenceReason.NO_FACE)


def test_bytes_that_no_decoder_reads_are_undecodable_but_spoil_no_other_frame(
    expert: FaceExpert,
) -> None:
    assert _only(expert, [b"", b"\xff\xd8no"]) == Absent(Modality.FACE, AbsenceReason.UNDECODABLE)
    noise = np.zeros((64, 64, 3), dtype=np.uint8)
    mixed = _only(expert, [b"broken", *_jpegs([noise])])
    assert mixed == Absent(Modality.FACE, AbsenceReason.NO_FACE)


def test_a_window_without_frames_has_no_camera(expert: FaceExpert) -> None:
    assert _only(expert, []) == Absent(Modality.FACE, AbsenceReason.NO_CAMERA)


def test_a_clip_without_anybody_shows_nobody(expert: FaceExpert) -> None:
    jpegs = _jpegs(_pictures("no_face.mp4"))
    assert _only(expert, jpegs) == Absent(Modality.FACE, AbsenceReason.NO_FACE)


def test_without_the_optional_weights_a_face_is_seen_and_nothing_is_said(
    expert: FaceExpert,
) -> None:
    answer = _only(expert, _jpegs(_pictures("single_face.mp4")))
    assert isinstance(answer, Evidence)
    assert answer.labels == EMOTIONS
    assert np.exp(answer.log_probs) == pytest.approx(np.full(7, 1 / 7))
    assert answer.distress_log_odds is None
    assert answer.weight_limit == 0.3
    assert answer.cues == ()
    assert answer.quality.present_share == 1.0
    assert answer.quality.level == 1.0
    assert answer.quality.confidence is not None
    assert answer.quality.confidence > 0.8


def test_a_face_that_is_too_small_is_poor_quality(expert: FaceExpert) -> None:
    pictures = _pictures("single_face.mp4", most=2)
    small = [cv2.resize(one, None, fx=0.22, fy=0.22).astype(np.uint8) for one in pictures]
    found = FaceDetector.load().detect(small[0])
    assert found
    assert found[0].smaller_side < SMALLEST_PX
    assert _only(expert, _jpegs(small)) == Absent(Modality.FACE, AbsenceReason.POOR_QUALITY)


def test_of_several_faces_the_largest_track_is_read(expert: FaceExpert) -> None:
    (picture,) = _pictures("single_face.mp4", most=1)
    face = FaceDetector.load().detect(picture)[0]
    half = cv2.resize(picture, None, fx=0.5, fy=0.5).astype(np.uint8)
    canvas = np.zeros((picture.shape[0], picture.shape[1] * 3 // 2, 3), dtype=np.uint8)
    canvas[:, : picture.shape[1]] = picture
    canvas[: half.shape[0], picture.shape[1] :] = half
    both = FaceDetector.load().detect(canvas)
    assert len(both) == 2
    assert both[0].area > both[1].area
    assert both[0].box == pytest.approx(face.box, abs=face.box[2] * 0.1)
    answer = _only(expert, _jpegs([canvas]))
    assert isinstance(answer, Evidence)
    assert answer.quality.level == 1.0


def test_boxes_are_in_pixels_of_the_original_picture() -> None:
    (picture,) = _pictures("single_face.mp4", most=1)
    large = cv2.resize(picture, None, fx=3, fy=3).astype(np.uint8)
    detector = FaceDetector.load()
    face, magnified = detector.detect(picture)[0], detector.detect(large)[0]
    assert np.array(magnified.box) / 3 == pytest.approx(face.box, abs=6)
    assert magnified.eyes / 3 == pytest.approx(face.eyes, abs=6)


def test_a_smiling_face_is_joy_with_a_small_weight_and_no_word_on_distress(
    models_dir: Path,
) -> None:
    expert = FaceExpert.load(models_dir)
    answer = _only(expert, _jpegs(_pictures("single_face.mp4")))
    assert isinstance(answer, Evidence)
    assert answer.labels[int(answer.log_probs.argmax())] is Emotion.JOY
    assert answer.distress_log_odds is None
    assert answer.weight_limit == 0.3
    assert [cue.cue for cue in answer.cues] == ["smiles"]
    assert not answer.cues[0].quotes
    assert answer.cues[0].at_ns is not None
    assert 0 <= answer.cues[0].at_ns < 3 * SECOND_NS
    assert expert.version != FaceExpert.load(None).version


def test_a_crop_without_a_face_has_no_blendshapes(models_dir: Path) -> None:
    picture = np.full((200, 200, 3), 90, dtype=np.uint8)
    eyes, nose = np.array([[80.0, 90.0], [120.0, 90.0]]), np.array([100.0, 110.0])
    face = Face((50, 50, 100, 100), eyes, nose, 0.9)
    assert Blendshapes.load(models_dir / FACE_LANDMARKER.name).read(picture, face) is None


def test_opencv_gives_the_numbers_of_the_graphs_own_runtime(models_dir: Path) -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    folder = models_dir / FACE_LANDMARKER.name
    graphs = Blendshapes.load(folder)
    (picture,) = _pictures("single_face.mp4", most=1)
    face = FaceDetector.load().detect(picture)[0]
    to_crop = crop_transform(face.box, face.eyes, SIDE_PX, BOX_SCALE)
    first, presence = graphs.look(picture, to_crop)
    assert presence > 0.9
    (points, _), moved = graphs.find(picture, face), graphs.read(picture, face)
    assert moved is not None

    def run(name: str, given: np.ndarray) -> np.ndarray:
        interpreter = litert.Interpreter(str(folder / name), num_threads=1)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    crop = cv2.cvtColor(cv2.warpAffine(picture, to_crop, (256, 256)), cv2.COLOR_BGR2RGB)
    given = (crop[None] / 255).astype(np.float32)
    expected = run("face_landmarks_detector.tflite", given).reshape(478, 3)[:, :2]
    in_crop = first @ to_crop[:, :2].T + to_crop[:, 2]
    assert in_crop == pytest.approx(expected, abs=1e-3)
    chosen = points[None, POINTS, :].astype(np.float32)
    assert list(moved.values()) == pytest.approx(
        run("face_blendshapes.tflite", chosen).ravel().tolist(), abs=1e-5
    )


def test_the_net_reads_in_place_of_the_rule_and_has_a_say_in_distress(
    models_dir: Path, tmp_path: Path
) -> None:
    expert = FaceExpert.load(models_dir, cnn=save_net(tmp_path))
    net = FaceCnn.load(tmp_path)
    pictures = _pictures("single_face.mp4")
    answer = _only(expert, _jpegs(pictures))
    assert isinstance(answer, Evidence)
    assert answer.labels == EMOTIONS
    assert np.exp(answer.log_probs).sum() == pytest.approx(1.0)
    assert answer.distress_log_odds is not None
    assert answer.weight_limit == 1.5
    assert expert.version == f"face-yunet-2023mar+{net.version}"
    assert answer.quality == _quality_of(FaceExpert.load(None), _jpegs(pictures))


def test_the_net_says_the_mean_of_what_it_says_of_each_frame_and_shows_the_strongest(
    tmp_path: Path,
) -> None:
    expert, net = FaceExpert.load(None, save_net(tmp_path, seed=5)), FaceCnn.load(tmp_path)
    jpegs = _jpegs(_pictures("several_faces_audio_10s.mp4", every=1, most=3))
    crops = []
    for jpeg in jpegs:
        picture = decode(jpeg)
        assert picture is not None
        crops.append(grey_crop(picture, FaceDetector.load().detect(picture)[0]))
    each = np.stack([net.log_probs(crop[None])[0] for crop in crops])  # as if alone
    mean = each.mean(axis=0) - np.logaddexp.reduce(each.mean(axis=0))
    answer = _only(expert, jpegs)
    assert isinstance(answer, Evidence)
    assert answer.log_probs == pytest.approx(net.emotions(mean), abs=1e-9)
    assert answer.distress_log_odds == pytest.approx(net.distress_log_odds(mean), abs=1e-9)
    shown = int(answer.log_probs.argmax())
    if EMOTIONS[shown] is Emotion.NEUTRAL:
        assert answer.cues == ()
    else:
        (cue,) = answer.cues
        strongest = int(net.emotions(each)[:, shown].argmax())
        assert EMOTIONS[shown] in cue.cue
        assert cue.at_ns == _window(jpegs).frames[strongest].captured_ns


def test_a_face_that_is_too_small_is_not_read_by_the_net_either(tmp_path: Path) -> None:
    expert = FaceExpert.load(None, save_net(tmp_path))
    pictures = _pictures("single_face.mp4", most=2)
    small = [cv2.resize(one, None, fx=0.22, fy=0.22).astype(np.uint8) for one in pictures]
    assert _only(expert, _jpegs(small)) == Absent(Modality.FACE, AbsenceReason.POOR_QUALITY)


def test_a_blurred_face_has_a_lower_level(
    expert: FaceExpert,
) -> None:
    pictures = _pictures("single_face.mp4", most=2)
    blurred = [cv2.GaussianBlur(one, (0, 0), 8.0).astype(np.uint8) for one in pictures]
    clear, dull = (_quality_of(expert, _jpegs(each)) for each in (pictures, blurred))
    assert clear.level is not None
    assert dull.level is not None
    assert dull.level < 0.6 < clear.level


def _quality_of(expert: FaceExpert, jpegs: Sequence[bytes]) -> Quality:
    answer = _only(expert, jpegs)
    assert isinstance(answer, Evidence)
    return answer.quality


def test_changed_optional_weights_are_an_error_and_missing_ones_are_not(tmp_path: Path) -> None:
    assert FaceExpert.load(tmp_path).version == FaceExpert.load(None).version
    (tmp_path / FACE_LANDMARKER.name).mkdir()
    for name in FACE_LANDMARKER.files:
        (tmp_path / FACE_LANDMARKER.name / name).write_bytes(b"other")
    with pytest.raises(BundleError, match="affectstream models fetch"):
        FaceExpert.load(tmp_path)
