"""Why there is no face, or that there is one, in every window of every clip."""

from pathlib import Path

import pytest

from inference.evaluation.item_windows import sound_windows
from inference.evidence import Absent, Evidence
from inference.experts.face import FaceExpert
from inference.labels import AbsenceReason, Emotion, Modality
from inference.third_party import FACE_LANDMARKER
from inference.training.audio_file import read_audio
from inference.training.manifest import Item
from streams.cli._judging import OPENERS
from tests.face_net import save_net

RIGHT = 0.95
"""Share of the windows of a clip."""
WITH_FACES = (
    "single_face.mp4",
    "several_faces_audio_10s.mp4",
    "multi_face.jpg",
    "bbaf2n.mpg",
    "brbk7n.mpg",
    "lbax4n.mpg",
    "lbbc2a.mpg",
)
WITHOUT_PICTURES = (
    "phone_two_party_30s.wav",
    "two_speakers_19s.wav",
    "stereo_two_channel.wav",
    "mulaw_8k.wav",
    "narrowband_us_20s.wav",
    "jfk.flac",
)
PROFILES = {"several_faces_audio_10s.mp4": (0, 1, 2, 7)}
"""Windows whose largest face looks aside, by eye: landmarks cannot be laid on it."""
READERS = ("detector alone", "rule", "net")


@pytest.fixture(scope="module", params=READERS)
def expert(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> FaceExpert:
    if request.param == "detector alone":
        return FaceExpert.load()
    if request.param == "net":
        return FaceExpert.load(cnn=save_net(tmp_path_factory.mktemp("net")))
    models = tmp_path_factory.mktemp("models")
    (models / FACE_LANDMARKER.name).mkdir()
    for name in FACE_LANDMARKER.files:
        weights = shared_data.parent / "weights" / name
        if not weights.is_file():
            pytest.skip(f"no {weights}")
        (models / FACE_LANDMARKER.name / name).symlink_to(weights)
    return FaceExpert.load(models)


def _answers(expert: FaceExpert, path: Path) -> list[Evidence | Absent | AbsenceReason]:
    """One a window, or the reason why there is no window."""
    item = Item(
        line=1, path=path, text="", label=Emotion.NEUTRAL, speaker=None, language="und", groups={}
    )
    windows = OPENERS[Modality.FACE](item)
    if isinstance(windows, AbsenceReason):
        return [windows]
    return [*expert.assess(windows)]


@pytest.mark.parametrize("name", WITH_FACES)
def test_a_clip_with_faces_shows_one_in_each_window(
    expert: FaceExpert, shared_data: Path, name: str
) -> None:
    answers = _answers(expert, shared_data / "clips" / name)
    aside = PROFILES.get(name, ()) if "rule" in expert.version else ()
    poor = Absent(Modality.FACE, AbsenceReason.POOR_QUALITY)
    right = [
        answer == poor if number in aside else isinstance(answer, Evidence)
        for number, answer in enumerate(answers)
    ]
    assert sum(right) / len(right) >= RIGHT


def test_a_face_that_looks_aside_has_less_confidence(shared_data: Path) -> None:
    (name,) = PROFILES
    answers = _answers(FaceExpert.load(), shared_data / "clips" / name)
    sure = [answer.quality.confidence or 0.0 for answer in answers if isinstance(answer, Evidence)]
    assert len(sure) == len(answers)
    aside = [confidence for number, confidence in enumerate(sure) if number in PROFILES[name]]
    ahead = [confidence for number, confidence in enumerate(sure) if number not in PROFILES[name]]
    assert max(aside) < min(ahead)


def test_a_clip_without_anybody_shows_no_face(expert: FaceExpert, shared_data: Path) -> None:
    answers = _answers(expert, shared_data / "clips" / "no_face.mp4")
    right = [answer == Absent(Modality.FACE, AbsenceReason.NO_FACE) for answer in answers]
    assert sum(right) / len(answers) >= RIGHT


@pytest.mark.parametrize("name", WITHOUT_PICTURES)
def test_a_recording_without_pictures_has_no_camera(
    expert: FaceExpert, shared_data: Path, name: str
) -> None:
    path = shared_data / "clips" / name
    assert _answers(expert, path) == [AbsenceReason.NO_CAMERA]
    heard = expert.assess(sound_windows(read_audio(path)))
    assert heard == [Absent(Modality.FACE, AbsenceReason.NO_CAMERA)] * len(heard)
    assert heard
