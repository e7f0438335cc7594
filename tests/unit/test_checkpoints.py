"""Checkpoints of transformers become experts, or say plainly why they cannot."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from transformers import BertConfig, BertModel

from inference.evidence import Absent, Evidence, Expert
from inference.experts.huggingface.encoder import AudioEncoder, TextEncoder
from inference.experts.huggingface.face import CROP, CheckpointFaceExpert, crop
from inference.experts.huggingface.labels import SYNONYMS, map_labels
from inference.experts.huggingface.licence import LicenceError
from inference.experts.huggingface.opening import open_expert
from inference.experts.huggingface.opinion import Opinion
from inference.experts.huggingface.sidecar import Sidecar
from inference.experts.huggingface.source import CheckpointError, Source, hub_model, locate
from inference.experts.jpeg import Picture
from inference.experts.sights import Sights
from inference.labels import EMOTIONS, AbsenceReason, Emotion, Modality, Role
from inference.scorer import Scorer
from inference.training.audio_file import read_audio
from inference.units import SECOND_NS
from inference.window import AudioSpan, CameraFrame, TextSpan, WindowInput
from tests import checkpoints

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"
REVISION = "0123456789abcdef" * 2 + "01234567"
IEMOCAP = ("neu", "hap", "ang", "sad")
SAID = "i am so very angry with you about this"


def window(**content: Any) -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=3 * SECOND_NS,
        **content,
    )


def said(text: str, language: str = "en") -> WindowInput:
    return window(words=(TextSpan(0, 3 * SECOND_NS, text, language),))


def opened(modality: Modality, folder: Path, profile: str = "default") -> Any:
    source = Source(str(folder), folder.name, folder)
    return open_expert(modality, source, profile, folder.parent, 1)


def sidecar(folder: Path, **said: Any) -> None:
    (folder / "affectstream.json").write_text(json.dumps(said))


def evidence(expert: Expert, one: WindowInput) -> Evidence:
    (answer,) = expert.assess([one])
    assert isinstance(answer, Evidence)
    return answer


def shares(expert: Expert, one: WindowInput) -> dict[Emotion, float]:
    answer = evidence(expert, one)
    return dict(zip(answer.labels, np.exp(answer.log_probs).tolist(), strict=True))


@dataclass(frozen=True)
class Square:
    """What is read of a face that was found."""

    box: tuple[float, float, float, float]
    confidence: float = 0.9

    @property
    def eyes(self) -> np.ndarray:
        left, top, width, height = self.box
        down = top + 0.4 * height
        return np.array([[left + 0.3 * width, down], [left + 0.7 * width, down]])

    @property
    def nose(self) -> np.ndarray:
        left, top, width, height = self.box
        return np.array([left + 0.5 * width, top + 0.6 * height])

    @property
    def area(self) -> float:
        return self.box[2] * self.box[3]

    @property
    def smaller_side(self) -> float:
        return min(self.box[2:])


class OneFace:
    """Finds one face of a given size in the middle of every picture."""

    def __init__(self, side: float = 80.0) -> None:
        self.side = side

    def detect(self, picture: Picture) -> list[Square]:
        height, width = picture.shape[:2]
        corner = ((width - self.side) / 2, (height - self.side) / 2)
        return [Square((*corner, self.side, self.side))]


def pictures(count: int = 2) -> tuple[CameraFrame, ...]:
    random = np.random.default_rng(7)
    drawn = (random.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(count))
    return tuple(
        CameraFrame(at * SECOND_NS, cv2.imencode(".jpg", one)[1].tobytes())
        for at, one in enumerate(drawn)
    )


@pytest.fixture(scope="module")
def angry() -> WindowInput:
    return window(audio=(AudioSpan(0, read_audio(RECORDINGS / "03a01Wa.flac")),))


# where it lies


@pytest.mark.parametrize("spec", ["owner/name", "owner/name@main", f"owner/name@{REVISION[:7]}"])
def test_a_model_of_the_hub_without_its_commit_is_refused(spec: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="40 hexadecimal digits: owner/name@"):
        locate(spec, tmp_path)


def test_a_pinned_model_lies_where_it_was_fetched_to_and_nothing_downloads_it(
    tmp_path: Path,
) -> None:
    spec = f"owner/name@{REVISION}"
    with pytest.raises(CheckpointError, match="affectstream models pull owner/name@0123"):
        locate(spec, tmp_path)
    model = hub_model(spec)
    assert model is not None
    model.folder(tmp_path).mkdir(parents=True)
    assert locate(spec, tmp_path).folder == tmp_path / "hub" / "owner" / "name" / REVISION


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere: no such folder"):
        locate(str(tmp_path / "nowhere"), tmp_path)


# what its labels mean


def map_of(names: Sequence[str], **said: Any) -> Any:
    several = said.pop("several", False)
    return map_labels("m", Path("m"), dict(enumerate(names)), Sidecar(**said), several=several)


def test_common_names_of_labels_are_understood_whatever_their_case() -> None:
    labels = map_of(["Angry", "calm", "FEARFUL", "happy", "Surprised", "sad", "disgust"])
    assert labels.emotions == EMOTIONS
    assert set(SYNONYMS.values()) == set(EMOTIONS)


def test_the_labels_of_goemotions_lie_under_the_seven() -> None:
    fine = [
        "admiration",
        "amusement",
        "anger",
        "annoyance",
        "approval",
        "caring",
        "confusion",
        "curiosity",
        "desire",
        "disappointment",
        "disapproval",
        "disgust",
        "embarrassment",
        "excitement",
        "fear",
        "gratitude",
        "grief",
        "joy",
        "love",
        "nervousness",
        "neutral",
        "optimism",
        "pride",
        "realization",
        "relief",
        "remorse",
        "sadness",
        "surprise",
    ]
    labels = map_of(fine, several=True)
    assert labels.emotions == EMOTIONS
    assert [len(columns) for columns in labels.columns] == [3, 1, 2, 12, 1, 5, 4]


def test_labels_without_a_meaning_are_named_with_the_way_to_map_or_drop_them() -> None:
    with pytest.raises(CheckpointError, match=r"'LABEL_0', 'contempt'.*affectstream.json.*null"):
        map_of(["contempt", "joy", "LABEL_0", "sad"])


def test_the_sidecar_maps_and_drops_labels() -> None:
    labels = map_of(
        ["contempt", "joy", "LABEL_0"], labels={"Contempt": None, "LABEL_0": Emotion.FEAR}
    )
    assert labels.emotions == (Emotion.FEAR, Emotion.JOY)
    left_out = np.exp(labels.log_probs(np.array([9.0, 0.0, 0.0])))
    assert left_out == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("field", ["labels", "prior"])
def test_a_sidecar_that_names_labels_of_another_checkpoint_is_refused(field: str) -> None:
    value = {"labels": {"glee": Emotion.JOY}, "prior": {"glee": 0.5}}[field]
    with pytest.raises(CheckpointError, match="'glee' is no label of the checkpoint"):
        map_of(["joy", "anger"], **{field: value})


def test_a_prior_has_a_share_for_every_label_that_is_kept() -> None:
    with pytest.raises(CheckpointError, match="no share for 'anger'"):
        map_of(["joy", "anger"], prior={"joy": 0.5})


def test_labels_that_are_all_one_emotion_are_no_choice() -> None:
    with pytest.raises(CheckpointError, match="mean joy of ours"):
        map_of(["joy", "happy"])


def test_an_even_answer_says_nothing_however_many_labels_share_an_emotion() -> None:
    labels = map_of(
        ["calm", "neutral", "sad", "angry", "angry", "contempt"], labels={"contempt": None}
    )
    assert np.exp(labels.log_probs(np.zeros(6))) == pytest.approx([1 / 3] * 3)


def test_what_the_checkpoint_took_for_granted_is_divided_out() -> None:
    prior = {"neutral": 0.8, "anger": 0.2}
    labels = map_of(["neutral", "anger"], prior=prior)
    assert np.exp(labels.log_probs(np.log([0.8, 0.2]))) == pytest.approx([0.5, 0.5])


def test_marks_that_may_hold_together_become_one_distribution() -> None:
    labels = map_of(["joy", "love", "anger"], several=True)
    rest = np.log([1 / 2] * 3)  # every mark as likely as one in three
    assert np.exp(labels.log_probs(rest)) == pytest.approx([0.5, 0.5])
    joy = np.exp(labels.log_probs(np.array([3.0, -9.0, -3.0])))
    assert joy[labels.emotions.index(Emotion.JOY)] > 0.9
    assert np.isfinite(labels.log_probs(np.array([-900.0, -900.0, 900.0]))).all()


# whether it may be loaded


@pytest.mark.parametrize("licence", ["cc-by-nc-4.0", "CC BY-NC-SA 4.0", "other", ""])
def test_a_licence_without_commercial_use_is_for_research_alone(
    licence: str, tmp_path: Path
) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"])
    (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n")
    with pytest.raises(LicenceError, match='profile = "research"'):
        opened(Modality.TEXT, folder)
    assert opened(Modality.TEXT, folder, "research").version.startswith("words+")


def test_a_card_that_cannot_be_read_states_no_licence(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"])
    for text in ("---\nlicense: [\n---\n", "---\n- a\n---\n", "no front matter"):
        (folder / "README.md").write_text(text)
        with pytest.raises(LicenceError, match="no licence is stated"):
            opened(Modality.TEXT, folder)


@pytest.mark.parametrize(
    ("said", "loads"),
    [
        ({"licence": "mit"}, True),
        ({"licence": "their own terms", "commercial_use": True}, True),
        ({"commercial_use": False}, False),
        ({"licence": "cc-by-nc-4.0"}, False),
    ],
)
def test_who_read_the_terms_says_so_in_the_sidecar(
    said: dict[str, Any], *, loads: bool, tmp_path: Path
) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"])
    sidecar(folder, **said)
    if loads:
        assert opened(Modality.TEXT, folder).version.startswith("words+")
    else:
        with pytest.raises(LicenceError, match="does not permit commercial use"):
            opened(Modality.TEXT, folder)


# whether it can be opened


def test_weights_that_could_hold_code_are_not_opened(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"])
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"no \*\.safetensors"):
        opened(Modality.TEXT, folder)


def test_code_of_the_checkpoint_is_never_run(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"])
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "their-own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('run')\n")
    with pytest.raises(CheckpointError, match="transformers cannot open"):
        opened(Modality.TEXT, folder)


def test_a_head_that_would_be_random_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.words_encoder(tmp_path / "bare")
    with pytest.raises(CheckpointError, match="tensors would be random, such as classifier"):
        opened(Modality.TEXT, folder)


def test_damaged_weights_are_an_error_of_one_line(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"])
    (folder / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(CheckpointError, match="words: transformers cannot open") as caught:
        opened(Modality.TEXT, folder)
    assert "\n" not in str(caught.value)


def test_scales_are_no_labels(tmp_path: Path) -> None:
    folder = checkpoints.voice_checkpoint(tmp_path / "voice", ["arousal"])
    with pytest.raises(CheckpointError, match="rates on scales"):
        opened(Modality.SPEECH, folder)


def test_a_voice_at_another_sample_rate_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.voice_checkpoint(tmp_path / "voice", IEMOCAP)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sampling_rate": 48_000}))
    with pytest.raises(CheckpointError, match="48000 samples a second"):
        opened(Modality.SPEECH, folder)


def test_a_sidecar_with_an_unknown_field_is_refused_by_name(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"])
    for said in ({"temperatures": 2.0}, {"temperature": 0.0}, {"labels": {"joy": "glee"}}):
        sidecar(folder, **said)
        with pytest.raises(CheckpointError, match=rf"affectstream.json: .*{next(iter(said))}"):
            opened(Modality.TEXT, folder)


# what it says


def test_a_voice_is_read_as_the_checkpoint_says(tmp_path: Path, angry: WindowInput) -> None:
    probs = (0.1, 0.2, 0.6, 0.1)
    folder = checkpoints.voice_checkpoint(tmp_path / "voice", IEMOCAP, np.log(probs).tolist())
    expert = opened(Modality.SPEECH, folder)
    assert shares(expert, angry) == pytest.approx(
        {Emotion.ANGER: 0.6, Emotion.JOY: 0.2, Emotion.NEUTRAL: 0.1, Emotion.SADNESS: 0.1}
    )
    answer = evidence(expert, angry)
    assert answer.distress_log_odds == pytest.approx(np.log(0.7 / 0.3))
    assert answer.quality.present_share is not None
    assert answer.quality.present_share > 0.5
    assert answer.expert == expert.version


def test_surprise_is_on_neither_side_of_distress(tmp_path: Path) -> None:
    probs = (0.5, 0.3, 0.2)
    labels = ["surprise", "fear", "joy"]
    folder = checkpoints.words_checkpoint(tmp_path / "w", labels, np.log(probs).tolist())
    answer = evidence(opened(Modality.TEXT, folder), said(SAID))
    assert answer.distress_log_odds == pytest.approx(np.log(0.3 / 0.2))


def test_labels_of_one_side_alone_have_no_say_in_distress(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["surprise", "joy"])
    assert evidence(opened(Modality.TEXT, folder), said(SAID)).distress_log_odds is None


def test_silence_noise_and_broken_samples_have_their_reasons(tmp_path: Path) -> None:
    expert = opened(Modality.SPEECH, checkpoints.voice_checkpoint(tmp_path / "voice", IEMOCAP))
    still = np.zeros(48_000, dtype=np.float32)
    broken = np.full(48_000, np.nan, dtype=np.float32)
    answers = expert.assess([window(audio=(AudioSpan(0, one),)) for one in (still, broken)])
    assert answers == [
        Absent(Modality.SPEECH, AbsenceReason.SILENCE),
        Absent(Modality.SPEECH, AbsenceReason.UNDECODABLE),
    ]


def test_a_network_that_gives_no_numbers_fails_where_it_was_asked(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "w", ["joy", "anger"], [float("nan"), 0.0])
    (score,) = Scorer([opened(Modality.TEXT, folder)]).score([said(SAID)], {}).scores
    assert score.modalities[Modality.TEXT].reason is AbsenceReason.FAILED
    assert score.emotions is None


def test_different_words_get_different_answers_and_no_words_are_silence(tmp_path: Path) -> None:
    expert = opened(Modality.TEXT, checkpoints.words_checkpoint(tmp_path / "w", ["joy", "anger"]))
    one = shares(expert, said(SAID))
    other = shares(expert, said("thank you so much it is very good"))
    assert one[Emotion.JOY] != pytest.approx(other[Emotion.JOY], abs=1e-3)
    assert expert.assess([said("  ")]) == [Absent(Modality.TEXT, AbsenceReason.SILENCE)]


def test_one_word_is_an_answer_and_no_verdict(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"], [0.0, 5.0])
    expert = opened(Modality.TEXT, folder)
    assert shares(expert, said("Bad. Bad, bad!")) == pytest.approx(
        {Emotion.ANGER: 0.5, Emotion.JOY: 0.5}
    )
    assert shares(expert, said(SAID))[Emotion.ANGER] > 0.9


def test_of_a_long_text_the_newest_words_are_read(tmp_path: Path) -> None:
    expert = opened(Modality.TEXT, checkpoints.words_checkpoint(tmp_path / "w", ["joy", "anger"]))
    tail = " ".join(["we they was and it is"] * 8)
    assert shares(expert, said(f"angry {tail}")) == shares(expert, said(f"happy {tail}"))
    assert shares(expert, said(f"{tail} angry")) != shares(expert, said(f"{tail} happy"))


def test_words_in_a_language_that_it_does_not_read_are_there_and_say_nothing(
    tmp_path: Path,
) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"], [0.0, 5.0])
    answer = evidence(opened(Modality.TEXT, folder), said(SAID, "de-DE"))
    assert np.exp(answer.log_probs) == pytest.approx([0.5, 0.5])
    assert answer.distress_log_odds is None
    assert answer.cues[0].cue == "words in another language: this expert reads en"
    sidecar(folder, languages=["de", "en-GB"])
    assert shares(opened(Modality.TEXT, folder), said(SAID, "de-DE"))[Emotion.ANGER] > 0.9
    sidecar(folder, languages=["multilingual"])
    assert shares(opened(Modality.TEXT, folder), said(SAID, "fr"))[Emotion.ANGER] > 0.9


def test_a_face_is_read_and_its_pictures_are_averaged(tmp_path: Path) -> None:
    expert = opened(Modality.FACE, checkpoints.face_checkpoint(tmp_path / "f", ["happy", "angry"]))
    expert = replace(expert, sights=Sights(OneFace()))
    together = evidence(expert, window(frames=pictures(2))).log_probs
    single = [evidence(expert, window(frames=(one,))).log_probs for one in pictures(2)]
    assert not np.allclose(single[0], single[1], atol=1e-4)
    mean = np.mean(single, axis=0)
    assert together == pytest.approx(mean - np.logaddexp.reduce(mean))


class Counting:
    """A reader, and how often it read."""

    def __init__(self, reader: Any) -> None:
        self.reads = 0
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def read(self, item: Any) -> Opinion:
        self.reads += 1
        opinion: Opinion = self._reader.read(item)
        return opinion


def test_pictures_that_later_windows_show_again_are_read_once(tmp_path: Path) -> None:
    expert = opened(Modality.FACE, checkpoints.face_checkpoint(tmp_path / "f", ["happy", "angry"]))
    first = window(frames=pictures(2))
    reader = Counting(expert.reader)
    expert = replace(expert, sights=Sights(OneFace()), reader=reader)
    answer = evidence(expert, first)
    again = evidence(expert, replace(first, start_ns=SECOND_NS // 2, end_ns=4 * SECOND_NS))
    assert reader.reads == 2
    assert np.array_equal(answer.log_probs, again.log_probs)


def test_words_that_later_windows_hold_unchanged_are_read_once(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "w", ["happy", "angry"])
    expert = opened(Modality.TEXT, folder)
    reader = Counting(expert.reader)
    expert = replace(expert, reader=reader)
    answer = evidence(expert, said(SAID))
    again = evidence(expert, replace(said(SAID), start_ns=SECOND_NS, end_ns=4 * SECOND_NS))
    assert reader.reads == 1
    assert np.array_equal(answer.log_probs, again.log_probs)
    evidence(expert, said(f"{SAID} again"))
    assert reader.reads == 2


def test_faces_have_their_reasons_of_absence(tmp_path: Path) -> None:
    expert = opened(Modality.FACE, checkpoints.face_checkpoint(tmp_path / "f", ["happy", "angry"]))

    def reason(seen: CheckpointFaceExpert, *frames: CameraFrame) -> AbsenceReason:
        (answer,) = seen.assess([window(frames=frames)])
        assert isinstance(answer, Absent)
        return answer.reason

    assert reason(expert) is AbsenceReason.NO_CAMERA
    assert reason(expert, CameraFrame(0, b"\xff\xd8no")) is AbsenceReason.UNDECODABLE
    assert reason(expert, *pictures(1)) is AbsenceReason.NO_FACE
    small = replace(expert, sights=Sights(OneFace(30.0)))
    assert reason(small, *pictures(1)) is AbsenceReason.POOR_QUALITY


def test_colours_reach_the_network_red_first(tmp_path: Path) -> None:
    expert = opened(Modality.FACE, checkpoints.face_checkpoint(tmp_path / "f", ["happy", "angry"]))
    red = np.zeros((16, 16, 3), dtype=np.uint8)
    red[..., 2] = 255  # pictures are blue, green, red
    values = expert.reader.prepare(red)["pixel_values"][0]
    assert values[0].mean() == pytest.approx(1.0)
    assert values[2].mean() == pytest.approx(-1.0)


def test_a_crop_is_square_and_repeats_the_edge_of_the_picture() -> None:
    picture = np.arange(100 * 80 * 3, dtype=np.uint32).reshape(100, 80, 3).astype(np.uint8)
    square = crop(picture, Square((-20.0, 10.0, 40.0, 50.0)))
    assert square.shape == (60, 60, 3)
    assert 50 * CROP == 60
    assert (square[:, :30] == square[:, :1]).all()


# what the sidecar does


def test_without_a_fitted_temperature_the_weight_is_limited(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"], [0.0, 2.0])
    bare = evidence(opened(Modality.TEXT, folder), said(SAID))
    assert bare.weight_limit == 0.3
    sidecar(folder, weight_limit=0.9)
    assert evidence(opened(Modality.TEXT, folder), said(SAID)).weight_limit == 0.3
    sidecar(folder, temperature=2.0)
    fitted = evidence(opened(Modality.TEXT, folder), said(SAID))
    assert fitted.weight_limit == 1.5
    sidecar(folder, temperature=2.0, weight_limit=0.9)
    assert evidence(opened(Modality.TEXT, folder), said(SAID)).weight_limit == 0.9


def test_the_temperature_divides_the_log_odds_and_changes_the_version(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"], [0.0, 2.0])
    before = opened(Modality.TEXT, folder)
    sidecar(folder, temperature=2.0)
    after = opened(Modality.TEXT, folder)
    assert before.version != after.version
    hot, cool = (evidence(one, said(SAID)).distress_log_odds for one in (before, after))
    assert (hot, cool) == (pytest.approx(2.0), pytest.approx(1.0))


def test_a_sidecar_is_read_as_it_was_written(tmp_path: Path) -> None:
    own = Sidecar(temperature=1.5, labels={"x": None, "y": Emotion.FEAR}, commercial_use=False)
    own.save(tmp_path)
    assert Sidecar.read(tmp_path) == own


# encoders


def test_what_a_preprocessor_pads_is_not_heard(tmp_path: Path) -> None:
    folder = checkpoints.whisper(tmp_path / "whisper")
    encoder = AudioEncoder.open(Source("w", "w", folder), 1)
    samples = np.random.default_rng(3).normal(0, 0.1, 16_000).astype(np.float32)
    hidden = encoder.network(
        {key: value for key, value in encoder.prepare(samples).items() if key != "attention_mask"}
    ).last_hidden_state[0]
    assert len(hidden) == 100  # of 2 s; the first half was heard
    heard = hidden[:50].numpy()
    expected = np.concatenate((heard.mean(axis=0), heard.std(axis=0)))
    assert encoder.embed(samples) == pytest.approx(expected, abs=1e-5)


def test_an_encoder_may_lack_a_pooler_and_nothing_else(tmp_path: Path) -> None:
    folder = checkpoints.words_encoder(tmp_path / "words")
    source = Source("w", "w", folder)
    whole = TextEncoder.open(source, 1).embed(SAID)
    bare = BertModel.from_pretrained(folder, add_pooling_layer=False)
    bare.save_pretrained(folder)
    assert np.array_equal(TextEncoder.open(source, 1).embed(SAID), whole)
    config = BertConfig.from_pretrained(folder)
    config.num_hidden_layers = 2
    config.save_pretrained(folder)
    with pytest.raises(CheckpointError, match=r"random, such as encoder\.layer\.1"):
        TextEncoder.open(source, 1)
