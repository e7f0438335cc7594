from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from inference.experts.speech_head import CALM_DISTRESS
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import EMBEDDING_SIZE, VoiceEncoder
from inference.labels import Emotion
from inference.training.emodb import HELD_OUT_SPEAKERS, Category, Clip, find_clips
from inference.training.speech import (
    DRAWS,
    INVERSE_PENALTY,
    MAX_ITERATIONS,
    Copy,
    EmbeddedClips,
    TooFewVoicesError,
    embed_clips,
    fit_calibrated,
    fit_linear,
    train_speech,
)

SIZE = 8
SPEAKERS = ("03", "08", "09", "10", "16")
RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"


def _corpus(strangers_shift: float = 0.0) -> EmbeddedClips:
    """Clips whose embedding shows the category, three of each a speaker.

    Those of the held-out speakers are moved by `strangers_shift`.
    """
    random = np.random.default_rng(15)
    centres = dict(zip(Category, random.normal(size=(len(Category), SIZE)), strict=True))
    clips = tuple(
        Clip(Path(f"{speaker}a0{take}{category}a.flac"), speaker, category)
        for speaker in SPEAKERS
        for category in Category
        for take in range(3)
    )
    shift = np.array([strangers_shift * (clip.speaker in HELD_OUT_SPEAKERS) for clip in clips])
    rows = np.array([centres[clip.category] for clip in clips])
    return EmbeddedClips(
        clips,
        {
            copy: (rows + random.normal(scale=0.7, size=(2, *rows.shape)) + shift[:, None]).astype(
                np.float32
            )
            for copy in Copy
        },
        {copy: random.normal(-8.0, 3.0, (2, len(clips))) + shift for copy in Copy},
    )


def test_nothing_of_the_demo_speakers_reaches_weights_temperatures_or_references() -> None:
    plain, moved = (
        train_speech(_corpus(strangers_shift=shift), "0" * 64, seed=0) for shift in (0.0, 100.0)
    )
    for head, other in ((plain.emotion, moved.emotion), (plain.distress, moved.distress)):
        assert np.array_equal(head.coefficients, other.coefficients)
        assert np.array_equal(head.mean, other.mean)
        assert head.temperature == other.temperature
    assert plain.config == moved.config
    assert plain.config.training["speakers"] == ["08", "09", "10"]


def test_trained_heads_find_what_the_embedding_shows() -> None:
    corpus = _corpus()
    head = train_speech(corpus, "0" * 64, seed=0)
    strangers = np.isin(corpus.speakers, list(HELD_OUT_SPEAKERS))
    log_probs = head.log_probs(corpus.embeddings[Copy.WIDEBAND][0, strangers])
    found = np.array(head.config.labels)[log_probs.argmax(axis=1)]
    assert (found == corpus.emotions[strangers]).mean() > 0.6


def test_heads_remember_the_encoder_and_its_form() -> None:
    head = train_speech(_corpus(), "1" * 64, seed=0, backend="torch-float")
    assert (head.config.backend, head.config.encoder_sha256) == ("torch-float", "1" * 64)


def test_the_numbers_kept_of_a_binary_fit_say_what_scikit_learn_says() -> None:
    corpus = _corpus()
    rows = corpus.embeddings[Copy.WIDEBAND][0].astype(np.float64)
    head = fit_linear(corpus.embeddings[Copy.WIDEBAND][0], corpus.distress, CALM_DISTRESS)
    scaler = StandardScaler().fit(rows)
    model = LogisticRegression(
        C=INVERSE_PENALTY, class_weight="balanced", max_iter=MAX_ITERATIONS
    ).fit(scaler.transform(rows), corpus.distress)
    expected = model.predict_proba(scaler.transform(rows))
    assert np.exp(head.log_probs(rows)) == pytest.approx(expected, abs=1e-9)


def test_labels_travel_by_name_not_by_the_order_of_the_classes() -> None:
    corpus = _corpus()
    rows = corpus.embeddings[Copy.NOISY][0]
    names = ["joy", "anger", "sadness", "fear", "neutral", "disgust"]
    shuffled = fit_linear(rows, corpus.emotions, names).log_probs(rows)
    ordered = fit_linear(rows, corpus.emotions, sorted(names)).log_probs(rows)
    columns = [names.index(name) for name in sorted(names)]
    assert shuffled[:, columns] == pytest.approx(ordered, abs=1e-12)


def test_boredom_is_neutral_and_disgust_is_distress() -> None:
    corpus = _corpus()
    bored, disgusted = (
        np.array([clip.category is category for clip in corpus.clips])
        for category in (Category.BOREDOM, Category.DISGUST)
    )
    assert set(corpus.emotions[bored]) == {Emotion.NEUTRAL.value}
    assert set(corpus.distress[bored]) == {"calm"}
    assert set(corpus.distress[disgusted]) == {"distress"}


def test_what_a_clip_goes_through_does_not_depend_on_the_others() -> None:
    clips = find_clips(RECORDINGS)
    encoder, voice_activity = VoiceEncoder.load(), VoiceActivity.load()
    heard: list[None] = []
    both = embed_clips(clips, encoder, voice_activity, 7, on_clip=lambda: heard.append(None))
    last = embed_clips(clips[1:], encoder, voice_activity, 7)
    other = embed_clips(clips[1:], encoder, voice_activity, 8)
    once = embed_clips(clips[1:], encoder, voice_activity, 7, draws=1)
    assert len(heard) == len(clips) == 2
    for copy in Copy:
        assert both.embeddings[copy].shape == (DRAWS, 2, EMBEDDING_SIZE)
        assert np.array_equal(both.embeddings[copy][:, 1:], last.embeddings[copy])
        assert np.array_equal(both.efforts_db[copy][:, 1:], last.efforts_db[copy])
        assert np.array_equal(once.embeddings[copy], last.embeddings[copy][:1])
        assert not np.array_equal(other.embeddings[copy], last.embeddings[copy])
        assert not np.array_equal(last.embeddings[copy][0], last.embeddings[copy][1])


def test_a_label_that_one_speaker_alone_shows_cannot_be_calibrated() -> None:
    corpus = _corpus()
    rows = corpus.embeddings[Copy.WIDEBAND][0]
    kept = (corpus.emotions != "fear") | (corpus.speakers == "08")
    with pytest.raises(TooFewVoicesError, match="fear: 1 speakers"):
        fit_calibrated(
            rows[kept], corpus.emotions[kept], corpus.speakers[kept], ("anger", "fear", "joy")
        )
