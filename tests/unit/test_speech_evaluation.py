import os
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.evaluation.figures import arousal_auc
from inference.evaluation.line_forms import Ears
from inference.evaluation.report import EvaluationReport, from_json, to_json
from inference.evaluation.speech import (
    evaluate_speech,
    fit_folds,
    label_figures,
    labels_in,
    predict,
    recordings,
    strangers_in,
    strangers_to,
)
from inference.experts.line import Line
from inference.experts.speech_head import SpeechHead
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import VoiceEncoder
from inference.labels import Emotion
from inference.training.emodb import Category, Clip, find_clips
from inference.training.ravdess_speech import (
    CATEGORIES,
    EMOBOX_FOLDS,
    ActedClip,
    emobox_folds,
    find_acted_clips,
)
from inference.training.speech_corpus import Copy, EmbeddedClips

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AFFECTSTREAM_SHARED", ROOT.parent / "shared"))
SPEECH = SHARED / "data" / "speech"
EVERY = 3
"""Every third recording: all speakers and categories, half a minute."""

NAMES = ("anger", "joy", "neutral")


def test_a_head_is_never_asked_about_a_speaker_that_it_heard() -> None:
    random = np.random.default_rng(16)
    clips = tuple(
        Clip(Path(f"{speaker}a0{take}{category}a.flac"), speaker, category)
        for speaker in ("08", "09", "10", "11", "12", "13")
        for category in Category
        for take in range(2)
    )
    # the embedding tells the speaker and, through the speaker alone, the label
    label_of = dict(zip(("08", "09", "10", "11", "12", "13"), "ababab", strict=True))
    labels = np.array([label_of[clip.speaker] for clip in clips])
    own = {speaker: random.normal(scale=5.0, size=40) for speaker in label_of}
    rows = np.array([own[clip.speaker] for clip in clips]) + random.normal(size=(len(clips), 40))
    corpus = EmbeddedClips(
        clips,
        {copy: rows.astype(np.float32)[None] for copy in Copy},
        {copy: np.zeros((1, len(clips))) for copy in Copy},
        {copy: np.full((1, len(clips)), Line.WIDEBAND) for copy in Copy},
    )
    folds = fit_folds(corpus, labels, ("a", "b"))
    assert np.array_equal(sum(fold.held_out.astype(int) for fold in folds), np.ones(len(clips)))
    for fold in folds:
        known = ~fold.held_out
        seen = fold.head.log_probs(rows[known]).argmax(axis=1)
        assert (seen == (labels[known] == "b")).all()
        held_out = fold.head.log_probs(rows[fold.held_out])
        assert np.array_equal(predict(folds, rows)[fold.held_out], held_out)
        over = {line: fold.head.log_probs(rows[fold.held_out], line) for line in Line}
        lines = np.where(np.arange(len(clips)) % 2, Line.WIDEBAND, Line.TELEPHONE)
        expected = np.where(
            (lines == Line.WIDEBAND)[fold.held_out, None],
            over[Line.WIDEBAND],
            over[Line.TELEPHONE],
        )
        assert np.array_equal(predict(folds, rows, lines)[fold.held_out], expected)


def test_figures_of_a_perfect_head_are_perfect() -> None:
    truth = np.array(NAMES * 4)
    log_probs = np.log(np.full((12, 3), 1e-9) + np.tile(np.eye(3), (4, 1)))
    speakers = np.repeat(["08", "09"], 6)
    figures = label_figures(truth, log_probs, NAMES, speakers)
    assert figures["uar"] == figures["accuracy"] == figures["macro_f1"] == 1.0
    assert figures["nll"] == pytest.approx(0.0, abs=1e-6)
    assert figures["uar_se"] == 0.0
    assert arousal_auc(truth, log_probs, NAMES) == 1.0


def test_speakers_who_differ_make_a_figure_unsure() -> None:
    truth = np.array(NAMES * 4)
    right = np.tile(np.eye(3), (4, 1))
    right[6:] = np.roll(right[6:], 1, axis=1)  # the second speaker is never understood
    figures = label_figures(truth, np.log(right + 1e-9), NAMES, np.repeat(["08", "09"], 6))
    assert figures["uar"] == pytest.approx(0.5)
    assert figures["uar_se"] == pytest.approx(np.sqrt(0.125), abs=0.02)


def test_arousal_leaves_out_what_is_neither_high_nor_low() -> None:
    names = ("anger", "disgust", "sadness")
    log_probs = np.log([[0.8, 0.1, 0.1], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8]])
    assert arousal_auc(np.array(["anger", "disgust", "sadness"]), log_probs, names) == 1.0


def test_emobox_tests_every_actor_of_ravdess_once() -> None:
    actors = sorted(actor for fold in EMOBOX_FOLDS for actor in fold)
    assert actors == [f"{number:02}" for number in range(1, 25)]
    speakers = np.array(["08", *(f"ravdess/{actor}" for actor in actors)])
    tested = np.sum([*emobox_folds(speakers)], axis=0)
    assert tested.tolist() == [0, *[1] * 24], "a speaker of EmoDB is never tested"


def test_a_ravdess_name_tells_actor_and_category(tmp_path: Path) -> None:
    for name in ("03-01-05-01-02-01-12.opus", "03-02-05-01-02-01-12.opus", "03-01-09.wav"):
        (tmp_path / name).touch()
    (clip,) = find_acted_clips(tmp_path)
    assert (clip.actor, clip.category, clip.emotion) == ("12", "angry", Emotion.ANGER)
    assert len(CATEGORIES) == 8


def test_weights_are_not_judged_on_actors_that_they_heard_nor_on_labels_they_lack() -> None:
    shipped = SpeechHead.load()
    acted = [
        ActedClip(Path("a"), actor, word) for actor in ("01", "03") for word in ("sad", "surprised")
    ]
    assert strangers_to(shipped, acted) == [acted[0], acted[2]]  # 03 is another than EmoDB's
    training = {**shipped.config.training, "speakers": ["08", "ravdess/03"]}
    research = replace(shipped, config=msgspec.structs.replace(shipped.config, training=training))
    assert strangers_to(research, acted) == [acted[0]]


def test_the_recipe_learns_what_its_corpus_shows_whatever_the_judged_weights_know() -> None:
    clips = tuple(
        Clip(Path(f"{speaker}a01{category}a.flac"), speaker, category)
        for speaker in ("03", "08", "09")
        for category in Category
    )
    corpus = EmbeddedClips(clips, {}, {}, {})
    assert labels_in(corpus) == tuple(label for label in Emotion if label is not Emotion.SURPRISE)
    shipped = SpeechHead.load()
    two = msgspec.structs.replace(shipped.config, labels=(Emotion.ANGER, Emotion.JOY))
    judged = strangers_in(corpus, replace(shipped, config=two))
    assert [clip.path.stem for clip in np.array(clips, dtype=object)[judged]] == [
        "03a01Wa",
        "03a01Fa",
    ]


@pytest.fixture(scope="module")
def report() -> EvaluationReport:
    if not (SPEECH / "emodb").is_dir():
        pytest.skip(f"no EmoDB in {SPEECH}: set AFFECTSTREAM_SHARED")
    clips = find_clips(SPEECH)[::EVERY]
    heard: list[None] = []
    ears = Ears(VoiceEncoder.load(), VoiceActivity.load(), lambda: heard.append(None))
    report = evaluate_speech(clips, (), SpeechHead.load(), ears, seed=0, draws=1)
    assert len(heard) == recordings(clips, ())
    return report


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_codec_of_a_recording_does_not_give_its_class_away(report: EvaluationReport) -> None:
    leak = report.by.group["format leak"]
    assert leak["rise"] <= 0.05
    assert leak["share_as_opus"] <= 0.25


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_unseen_speakers_are_understood_on_both_lines(report: EvaluationReport) -> None:
    assert report.metrics == report.by.group["wideband"]
    for line in ("wideband", "telephone"):
        assert report.by.group[line]["uar"] >= 0.65
        assert report.by.group[line]["distress_auc"] >= 0.83
        assert report.by.group[line]["arousal_auc"] >= 0.95
        assert report.by.group[f"shipped, held-out speakers, {line}"]["distress_auc"] >= 0.8
    for copy in Copy:
        share = report.by.group[copy.value]["sounds_like_telephone"]
        over_a_line = copy in {Copy.TELEPHONE, Copy.BAD_LINE}
        assert share >= 0.97 if over_a_line else share <= 0.03
    assert from_json(to_json(report)) == report
