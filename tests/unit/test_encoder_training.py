"""From somebody's own table to an expert that a setting can name."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.evidence import Evidence
from inference.experts.huggingface.encoder import TextEncoder
from inference.experts.huggingface.encoder_head import EncoderHead
from inference.experts.huggingface.licence import LicenceError
from inference.experts.huggingface.source import CheckpointError, locate
from inference.experts.voice_activity import VoiceActivity
from inference.labels import Emotion, Modality, Role
from inference.panel import Choice, load_experts
from inference.training.audio_file import read_audio
from inference.training.encoder import (
    MOST_FOLDS,
    embed_voices,
    embed_words,
    fit_encoder_head,
)
from inference.training.head_fit import NothingToLearnError, fit_head
from inference.training.manifest import Manifest, ManifestError, read_manifest
from inference.units import SECOND_NS
from inference.window import AudioSpan, TextSpan, WindowInput
from streams.cli.train_encoder import encoder as train_encoder
from tests import checkpoints

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"
GLAD = ("thank you so much", "i am so very happy and glad", "it is a very good thing", "glad")
CROSS = ("i am so very angry", "you angry bad thing", "it is not good with you", "furious bad")


def window(**content: object) -> WindowInput:
    return WindowInput(
        tenant="acme",
        run="live",
        conversation="c-1",
        participant="p-1",
        role=Role.CUSTOMER,
        start_ns=0,
        end_ns=3 * SECOND_NS,
        **content,  # type: ignore[arg-type]
    )


def lines(folder: Path, *, header: str = "text,label,speaker") -> Path:
    rows = [
        f"{text},{label},{'abcd'[place]}"
        for label, texts in (("happy", GLAD), ("anger", CROSS))
        for place, text in enumerate(texts)
    ]
    path = folder / "own.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def material(folder: Path) -> Manifest:
    return read_manifest(lines(folder), "text", labels={"happy": Emotion.JOY})


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A folder that `affectstream train encoder` wrote, on words."""
    train_encoder(
        modality="text",
        encoder=str(checkpoints.words_encoder(tmp_path / "bert")),
        manifest=lines(tmp_path),
        out=tmp_path / "own",
        labels="happy=joy",
    )
    return tmp_path / "own"


def test_a_table_of_lines_becomes_an_expert_that_a_setting_names(trained: Path) -> None:
    choice = Choice(
        profile="default", models_dir=trained.parent, models={Modality.TEXT: str(trained)}
    )
    expert = load_experts(choice)[1]
    assert expert.version.startswith("text-bert-1+")
    glad, cross = (
        expert.assess([window(words=(TextSpan(0, SECOND_NS, text, "fr"),))])[0]
        for text in (GLAD[1], CROSS[0])
    )
    assert isinstance(glad, Evidence)
    assert isinstance(cross, Evidence)
    assert glad.labels == (Emotion.ANGER, Emotion.JOY)
    assert glad.log_probs[1] > cross.log_probs[1]
    assert glad.distress_log_odds is not None
    assert cross.distress_log_odds is not None
    assert glad.distress_log_odds < cross.distress_log_odds
    assert glad.weight_limit == 1.5


def test_training_twice_gives_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    train_encoder(
        modality="text",
        encoder=str(tmp_path / "bert"),
        manifest=tmp_path / "own.csv",
        out=tmp_path / "again",
        labels="happy=joy",
    )
    names = [path.name for path in trained.iterdir()]
    assert len(names) == 2
    for name in names:
        assert (trained / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_head_remembers_its_encoder_and_refuses_another(trained: Path) -> None:
    checkpoints.voice_encoder(trained.parent / "bert")
    choice = Choice(
        profile="default", models_dir=trained.parent, models={Modality.TEXT: str(trained)}
    )
    with pytest.raises(CheckpointError, match=r"was fitted on encoder .* train the head again"):
        load_experts(choice)


def test_a_head_reads_its_own_modality(trained: Path) -> None:
    choice = Choice(
        profile="default", models_dir=trained.parent, models={Modality.SPEECH: str(trained)}
    )
    with pytest.raises(CheckpointError, match="reads text, not speech"):
        load_experts(choice)


def test_licences_of_the_material_and_of_the_encoder_both_count(trained: Path) -> None:
    choice = Choice(
        profile="default", models_dir=trained.parent, models={Modality.TEXT: str(trained)}
    )
    config = json.loads((trained / "config.json").read_text())
    (trained / "config.json").write_text(json.dumps(config | {"licence": "CC-BY-NC-4.0"}))
    with pytest.raises(LicenceError, match=r"own: CC-BY-NC-4\.0: no commercial use"):
        load_experts(choice)
    (trained / "config.json").write_text(json.dumps(config))
    (trained.parent / "bert" / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    with pytest.raises(LicenceError, match="bert: licence cc-by-nc-4"):
        load_experts(choice)
    others = {Modality.SPEECH: "shipped", Modality.FACE: "shipped"}
    assert load_experts(replace(choice, profile="research", models={**choice.models, **others}))


def test_damaged_heads_are_refused(trained: Path) -> None:
    (trained / "encoder_head.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="no usable head on an encoder"):
        EncoderHead.load(trained)


def test_without_speakers_equal_lines_are_left_out_together(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,label\nThank you!,joy\nthank you,joy\nyou bad thing,anger\n")
    words = read_manifest(path, "text")
    reader = TextEncoder.open(locate(str(checkpoints.words_encoder(tmp_path / "b")), tmp_path), 1)
    embedded = embed_words(words.items, reader)
    assert len(embedded.labels) == 4  # written and recognised; the same where they are equal
    assert len(set(embedded.folds[embedded.labels == "joy"].tolist())) == 1


def test_many_people_are_left_out_in_groups(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    rows = [f"thank you,joy,p{number}" for number in range(3 * MOST_FOLDS)]
    path.write_text("\n".join(["text,label,speaker", *rows]) + "\n")
    reader = TextEncoder.open(locate(str(checkpoints.words_encoder(tmp_path / "b")), tmp_path), 1)
    embedded = embed_words(read_manifest(path, "text").items, reader)
    assert len(set(embedded.folds.tolist())) == MOST_FOLDS


def test_material_that_teaches_nothing_is_refused(tmp_path: Path) -> None:
    source = locate(str(checkpoints.words_encoder(tmp_path / "bert")), tmp_path)
    reader = TextEncoder.open(source, 1)
    table = material(tmp_path)

    def fit(items: tuple[int, ...]) -> EncoderHead:
        part = replace(table, items=tuple(table.items[at] for at in items))
        embedded = embed_words(part.items, reader)
        return fit_encoder_head(embedded, Modality.TEXT, source, part, "own")

    with pytest.raises(NothingToLearnError, match="rows with joy"):
        fit((0, 1))
    with pytest.raises(NothingToLearnError, match="anger: 1 of 2 people or folds"):
        fit((0, 1, 4))


def voices(folder: Path, header: str = "path,label,speaker") -> Path:
    """The two recordings under four names: two people, each calm and angry."""
    rows = []
    for speaker in "ab":
        for name, label in (("03a01Nc", "neutral"), ("03a01Wa", "anger")):
            shutil.copy(RECORDINGS / f"{name}.flac", folder / f"{speaker}{label}.flac")
            rows.append(f"{speaker}{label}.flac,{label},{speaker}")
    path = folder / "own.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("make", [checkpoints.voice_encoder, checkpoints.whisper])
def test_a_table_of_voices_becomes_an_expert(make: object, tmp_path: Path) -> None:
    assert callable(make)
    train_encoder(
        modality="speech",
        encoder=str(make(tmp_path / "ears")),
        manifest=voices(tmp_path),
        out=tmp_path / "own",
    )
    choice = Choice(
        profile="default", models_dir=tmp_path, models={Modality.SPEECH: str(tmp_path / "own")}
    )
    expert = load_experts(choice)[0]
    answers = [
        expert.assess([window(audio=(AudioSpan(0, read_audio(RECORDINGS / f"{name}.flac")),))])[0]
        for name in ("03a01Wa", "03a01Nc")
    ]
    angry, calm = answers
    assert isinstance(angry, Evidence)
    assert isinstance(calm, Evidence)
    assert angry.labels == (Emotion.ANGER, Emotion.NEUTRAL)
    assert angry.log_probs[0] > calm.log_probs[0]


def test_voices_need_speakers(tmp_path: Path) -> None:
    table = read_manifest(voices(tmp_path, "path,label,who"), "path")

    class Never:
        def embed(self, item: np.ndarray) -> np.ndarray:
            raise AssertionError(item)

    with pytest.raises(ManifestError, match="line 2: no speaker"):
        embed_voices(table.items, Never(), VoiceActivity.load())


def test_a_head_is_as_sure_as_it_is_right_of_people_that_it_never_met() -> None:
    random = np.random.default_rng(8)
    truth = random.integers(0, 3, 600)
    vectors = (np.eye(3)[truth] * 2 + random.normal(0, 1, (600, 3))).astype(np.float32)
    names = ("anger", "joy", "neutral")
    labels = np.array(names)[truth]
    head = fit_head(vectors[:300], labels[:300], (np.arange(300) % 5).astype(str), names)
    log_probs = head.log_probs(vectors[300:])
    sure = np.exp(log_probs).max(axis=1).mean()
    right = (log_probs.argmax(axis=1) == truth[300:]).mean()
    assert right > 0.75
    assert sure == pytest.approx(right, abs=0.06)
