"""Learning from pictures of one's own: whom they show, how they count, and who may use it."""

from collections import Counter
from pathlib import Path

import av
import cv2
import msgspec
import numpy as np
import pytest

import inference.training.face_material as material_module
from inference.evaluation.face import evaluate_face
from inference.experts.face import FaceExpert
from inference.experts.face_cnn import FaceCnn, FaceNet
from inference.experts.face_crop import grey_crop
from inference.experts.face_detector import FaceDetector
from inference.experts.huggingface.licence import LicenceError
from inference.labels import EMOTIONS, Emotion, Modality
from inference.panel import Choice, load_expert
from inference.training.face import LEAST_STEPS, Plan, usual_epochs
from inference.training.face_card import CARD_FILE
from inference.training.face_material import (
    OWN_COPIES,
    OWN_LICENCE,
    NotEnoughFacesError,
    gather,
)
from inference.training.ferplus import EXPRESSIONS, VotedTiles
from inference.training.manifest import ManifestError
from inference.training.own_faces import (
    NO_FACE,
    TOO_SMALL,
    UNREADABLE,
    VOTES,
    OwnFaces,
    cut_faces,
)
from inference.training.own_speech import OwnRecordings, read_own
from streams.cli.train_face import face
from tests.face_net import WIDTHS, config

CALL = Path(__file__).parents[2] / "streams" / "demo" / "conversation.webm"
COLUMNS = (
    "split,tile,name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
PUBLISHED = 60


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """(288, 360, 3) somebody who looks into a camera."""
    with av.open(str(CALL)) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector.load()


@pytest.fixture
def manifest(tmp_path: Path, picture: np.ndarray) -> Path:
    """Seven people with one picture for each label, and three pictures that show no face."""
    for number, _ in enumerate(EMOTIONS):
        lit = np.clip(picture * (0.7 + 0.1 * number), 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), lit)
    cv2.imwrite(str(tmp_path / "wall.jpg"), np.full((200, 200, 3), 90, dtype=np.uint8))
    cv2.imwrite(str(tmp_path / "far.png"), cv2.resize(picture, None, fx=0.3, fy=0.3))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "empty.jpg").touch()
    rows = [
        f"{number}.png,{'happy' if label is Emotion.JOY else label},p{person},train"
        for person in range(7)
        for number, label in enumerate(EMOTIONS)
    ]
    rows += [f"{name},joy,p0,train" for name in ("wall.jpg", "far.png", "broken.jpg", "empty.jpg")]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(("path,label,speaker,split", *rows, "missing.png,joy,p9,test")))
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """FER+ with faces of noise."""
    folder = tmp_path / "ferplus"
    folder.mkdir()
    mosaic = np.random.default_rng(1).integers(0, 256, (2400, 2400), dtype=np.uint8)
    (folder / "Train_00.png").write_bytes(cv2.imencode(".png", mosaic)[1].tobytes())
    rows = [
        f"Train,{tile},{tile}.png,{','.join(str(10 * (tile % 8 == at)) for at in range(8))},0,0"
        for tile in range(PUBLISHED)
    ]
    (folder / "labels.csv").write_text("\n".join((COLUMNS, *rows)) + "\n")
    return folder


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material_module, "FEWEST_FACES", 14)
    monkeypatch.setattr(material_module, "FEWEST_OF_A_LABEL", 2)


def _own(labels: list[Emotion], speakers: list[str]) -> OwnFaces:
    """Flat tiles, each with its own number as grey level."""
    votes = [[VOTES * (name == label) for name in (*EXPRESSIONS, "?", "?")] for label in labels]
    levels = np.arange(len(labels), dtype=np.uint8)[:, None, None]
    return OwnFaces(
        faces=VotedTiles(levels + np.zeros((1, 48, 48), np.uint8), np.array(votes)),
        speakers=np.array(speakers),
        left_out={},
        about="mine.csv",
    )


def _numbers(faces: VotedTiles) -> list[int]:
    return faces.tiles[:, 0, 0].tolist()


def test_a_face_is_cut_as_the_expert_cuts_it_and_all_votes_are_for_its_label(
    manifest: Path, detector: FaceDetector, picture: np.ndarray
) -> None:
    cv2.imwrite(str(manifest.parent / "0.png"), picture)
    rows = read_own(manifest, {"happy": Emotion.JOY}, "train")
    own = cut_faces(rows, detector)
    assert np.array_equal(own.faces.tiles[0], grey_crop(picture, detector.detect(picture)[0]))
    shown = [EXPRESSIONS[at] for at in own.faces.majorities]
    assert shown == [clip.emotion for clip in rows.clips[: len(shown)]]
    assert own.faces.shares.max(axis=1) == pytest.approx(1.0)
    assert own.speakers[-1] == "mine/p6"


def test_pictures_without_a_face_that_can_be_read_are_counted_by_reason(
    manifest: Path, detector: FaceDetector
) -> None:
    seen: list[None] = []
    rows = read_own(manifest, {"happy": Emotion.JOY}, "train")
    own = cut_faces(rows, detector, lambda: seen.append(None))
    assert own.left_out == {UNREADABLE: 2, NO_FACE: 1, TOO_SMALL: 1}
    assert len(seen) == len(rows.clips) == len(own.faces) + 4
    assert "4 of 53 pictures left out (2 unreadable, 1 with a face under 40 pixels" in own.told


def test_a_face_is_cut_the_same_alone_and_in_company(
    manifest: Path, detector: FaceDetector
) -> None:
    rows = read_own(manifest, {"happy": Emotion.JOY}, "train")
    together = cut_faces(rows, detector)
    alone = cut_faces(OwnRecordings(rows.clips[3:4], rows.about), detector)
    assert np.array_equal(alone.faces.tiles[0], together.faces.tiles[3])


def test_own_faces_count_several_times_and_nobody_is_learnt_and_held_out(corpus: Path) -> None:
    labels = [Emotion.JOY, Emotion.ANGER] * 10
    own = _own(labels, [f"mine/{number // 2}" for number in range(20)])
    bare, both = gather(corpus), gather(corpus, [own])
    added = _numbers(both.learnt.of(np.arange(len(bare.learnt), len(both.learnt))))
    kept = _numbers(both.held_out.of(np.arange(len(bare.held_out), len(both.held_out))))
    assert set(Counter(added).values()) == {OWN_COPIES}
    assert sorted({*added, *kept}) == list(range(20))
    assert len(kept) == 4
    assert not {number // 2 for number in added} & {number // 2 for number in kept}
    assert both.counts["faces"] == len(bare.learnt) + 16
    assert both.counts["own_held_out_faces"] == 4


def test_rows_that_name_nobody_are_held_out_by_label(few_are_enough: None) -> None:
    labels = [label for label in EMOTIONS for _ in range(10)]
    material = gather(None, [_own(labels, [f"mine/line {at}" for at in range(70)])])
    assert np.bincount(material.held_out.majorities).tolist() == [2] * 7
    assert np.bincount(material.learnt.majorities).tolist() == [8] * 7


def test_a_label_that_one_person_shows_is_learnt(corpus: Path) -> None:
    labels = [Emotion.JOY] * 11 + [Emotion.FEAR]
    own = _own(labels, [f"mine/{number:02}" for number in range(12)])
    assert 11 in _numbers(gather(corpus, [own]).learnt)


def test_one_person_beside_the_corpus_is_learnt_and_alone_is_refused(
    corpus: Path, few_are_enough: None
) -> None:
    own = _own(list(EMOTIONS) * 3, ["mine/anna"] * 21)
    assert gather(corpus, [own]).counts["own_held_out_faces"] == 0
    with pytest.raises(NotEnoughFacesError, match="all 21 faces are of one person"):
        gather(None, [own])


def test_too_little_without_the_corpus_is_an_error_with_numbers(tmp_path: Path) -> None:
    own = _own([Emotion.JOY, Emotion.FEAR] * 5, [f"mine/{number}" for number in range(10)])
    with pytest.raises(NotEnoughFacesError, match=r"8 faces .*anger 0.* joy 4.*at least 1000, and"):
        gather(None, [own])
    many = _own([Emotion.JOY] * 2_000, [f"mine/{number}" for number in range(2_000)])
    with pytest.raises(NotEnoughFacesError, match=r"joy 1600.* 20 of each label"):
        gather(None, [many])
    with pytest.raises(NotEnoughFacesError, match="no picture shows a face"):
        gather(tmp_path, [_own([], [])])
    with pytest.raises(ManifestError, match="name --data, --add or both"):
        gather(None)


def test_few_faces_are_seen_more_often() -> None:
    assert usual_epochs(25_000) == Plan().epochs
    assert usual_epochs(1_280) * 10 == LEAST_STEPS
    assert usual_epochs(5) == LEAST_STEPS


def test_own_pictures_alone_make_a_net_that_the_default_profile_may_load(
    manifest: Path, tmp_path: Path, few_are_enough: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "net"
    face(add=[manifest], labels="happy=joy", split="train", out=out, epochs=1)
    assert "4 of 53 pictures left out" in " ".join(capsys.readouterr().err.split())
    cnn = FaceCnn.load(out)
    assert cnn.config.labels == EMOTIONS
    assert cnn.config.licence == OWN_LICENCE
    assert cnn.config.training["faces"] + cnn.config.training["held_out_faces"] == 49
    assert "FER" not in (out / "config.json").read_text() + (out / CARD_FILE).read_text()
    assert cnn.version in (out / CARD_FILE).read_text()
    choice = Choice(profile="default", models_dir=tmp_path, models={Modality.FACE: str(out)})
    expert = load_expert(choice, Modality.FACE)
    assert isinstance(expert, FaceExpert)
    assert cnn.version in expert.version
    again = tmp_path / "again"
    face(add=[manifest], labels="happy=joy", split="train", out=again, epochs=1)
    assert FaceCnn.load(again).version == cnn.version


def test_own_pictures_beside_the_corpus_stay_for_research(
    manifest: Path, corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "net"
    face(data=corpus, add=[manifest], labels="happy=joy", split="train", out=out, epochs=1)
    cnn = FaceCnn.load(out)
    assert cnn.config.labels == EXPRESSIONS
    assert cnn.config.name == "face-cnn-ferplus-own"
    assert "mine.csv" in cnn.config.data
    assert cnn.config.training["own_copies"] == OWN_COPIES
    card = (out / CARD_FILE).read_text()
    assert "For research only" in card
    assert f"each seen {OWN_COPIES} times as often" in card
    choice = Choice(profile="default", models_dir=tmp_path, models={Modality.FACE: str(out)})
    with pytest.raises(LicenceError, match="research only"):
        load_expert(choice, Modality.FACE)


def test_a_net_without_contempt_is_judged_on_the_faces_that_it_can_name() -> None:
    whole = config()
    known = msgspec.structs.replace(
        whole,
        labels=EMOTIONS,
        log_prior=whole.log_prior[: len(EMOTIONS)],
        distress_weights=whole.distress_weights[: len(EMOTIONS)],
    )
    cnn = FaceCnn(FaceNet(WIDTHS, len(EMOTIONS)).eval(), known)
    votes = np.eye(10, dtype=np.int64)[np.arange(16) % 8] * VOTES
    tiles = np.random.default_rng(1).integers(0, 256, (16, 48, 48), dtype=np.uint8)
    report = evaluate_face(VotedTiles(tiles, votes), None, cnn, {})
    assert "net, contempt" not in report.by.group
    assert report.by.group["net, seven labels, each as likely"]["n"] == 14
    assert {"accuracy", "distress_auc"} <= set(report.metrics)
