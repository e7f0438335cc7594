from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from inference.experts.distress_head import CALM_DISTRESS
from inference.experts.line import Line
from inference.experts.linear_head import LinearHead
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import EMBEDDING_SIZE, VoiceEncoder
from inference.labels import EMOTIONS, Emotion
from inference.training.emodb import HELD_OUT_SPEAKERS, Category, Clip, find_clips
from inference.training.heard_cache import HeardCache
from inference.training.linear_fit import MAX_ITERATIONS, fit_linear
from inference.training.own_speech import OwnRecording
from inference.training.ravdess_speech import ActedClip
from inference.training.speech import (
    INVERSE_PENALTY,
    Rows,
    TooFewVoicesError,
    fit_distress,
    fit_emotion,
    labels_of,
    shades_of,
    train_speech,
)
from inference.training.speech_corpus import (
    DRAWS,
    MANY_RECORDINGS,
    NO_CACHE,
    Copy,
    EmbeddedClips,
    embed_clips,
    usual_draws,
)
from inference.training.utterance import Utterance

SIZE = 8
SPEAKERS = ("03", "08", "09", "10", "16")
RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"


TELEPHONES = {Copy.TELEPHONE, Copy.BAD_LINE}


def _corpus(strangers_shift: float = 0.0, own: Sequence[Utterance] = ()) -> EmbeddedClips:
    """Clips whose embedding shows the emotion, three of each a speaker.

    Those of the held-out speakers are moved by `strangers_shift`; `own` are appended.
    """
    random = np.random.default_rng(15)
    centres = dict(zip(EMOTIONS, random.normal(size=(len(EMOTIONS), SIZE)), strict=True))
    clips = (
        *(
            Clip(Path(f"{speaker}a0{take}{category}a.flac"), speaker, category)
            for speaker in SPEAKERS
            for category in Category
            for take in range(3)
        ),
        *own,
    )
    demo = np.array([isinstance(c, Clip) and c.speaker in HELD_OUT_SPEAKERS for c in clips])
    shift = strangers_shift * demo
    rows = np.array([centres[clip.emotion] for clip in clips])

    def noisy(copy: Copy) -> np.ndarray:
        # a row's noise does not depend on how many follow it
        scale = 1.4 if copy in TELEPHONES else 0.7
        noise = np.array(
            [random_of(copy, row).normal(scale=scale, size=(2, SIZE)) for row in range(len(rows))]
        )
        return (rows + noise.swapaxes(0, 1) + shift[:, None]).astype(np.float32)

    return EmbeddedClips(
        clips,
        {copy: noisy(copy) for copy in Copy},
        {copy: random.normal(-8.0, 3.0, (2, len(clips))) + shift for copy in Copy},
        {
            copy: np.full((2, len(clips)), Line.TELEPHONE if copy in TELEPHONES else Line.WIDEBAND)
            for copy in Copy
        },
    )


def random_of(copy: Copy, row: int) -> np.random.Generator:
    return np.random.default_rng([list(Copy).index(copy), row])


def _surprised(*speakers: str) -> tuple[OwnRecording, ...]:
    return tuple(
        OwnRecording(Path(f"{speaker}-{take}.wav"), f"calls/{speaker}", Emotion.SURPRISE)
        for speaker in speakers
        for take in range(3)
    )


def test_nothing_of_the_demo_speakers_reaches_weights_temperatures_or_references() -> None:
    plain, moved = (
        train_speech(_corpus(strangers_shift=shift), "0" * 64, seed=0) for shift in (0.0, 100.0)
    )
    for head, other in (
        (plain.emotion, moved.emotion),
        (plain.distress.sides, moved.distress.sides),
    ):
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


def test_the_numbers_kept_of_a_fit_say_what_scikit_learn_says() -> None:
    corpus = _corpus()
    rows = corpus.embeddings[Copy.WIDEBAND][0].astype(np.float64)
    calm = np.isin(corpus.emotions, ["joy", "neutral"])
    for labels, names in (
        (corpus.emotions, np.unique(corpus.emotions)),
        (np.where(calm, "a", "b"), ["a", "b"]),
    ):
        head = fit_linear(corpus.embeddings[Copy.WIDEBAND][0], labels, [*names], INVERSE_PENALTY)
        scaler = StandardScaler().fit(rows)
        model = LogisticRegression(
            C=INVERSE_PENALTY, class_weight="balanced", max_iter=MAX_ITERATIONS
        ).fit(scaler.transform(rows), labels)
        expected = model.predict_proba(scaler.transform(rows))
        assert np.exp(head.log_probs(rows)) == pytest.approx(expected, abs=1e-9)


def test_labels_travel_by_name_not_by_the_order_of_the_classes() -> None:
    corpus = _corpus()
    rows = corpus.embeddings[Copy.NOISY][0]
    names = ["joy", "anger", "sadness", "fear", "neutral", "disgust"]
    shuffled = fit_linear(rows, corpus.emotions, names, INVERSE_PENALTY).log_probs(rows)
    ordered = fit_linear(rows, corpus.emotions, sorted(names), INVERSE_PENALTY).log_probs(rows)
    columns = [names.index(name) for name in sorted(names)]
    assert shuffled[:, columns] == pytest.approx(ordered, abs=1e-12)


def test_boredom_is_neutral_and_calm_but_told_apart_from_it() -> None:
    corpus = _corpus()
    bored = np.array([clip.word == "boredom" for clip in corpus.clips])
    assert set(corpus.emotions[bored]) == {Emotion.NEUTRAL.value}
    assert set(corpus.shades[bored]) == {"boredom"}
    assert shades_of(corpus, ~corpus.for_the_demo) == (
        "anger",
        "boredom",
        "disgust",
        "fear",
        "joy",
        "neutral",
        "sadness",
    )
    head = train_speech(corpus, "0" * 64, seed=0).distress
    probability = np.exp(head.log_probs(corpus.embeddings[Copy.WIDEBAND][0]))[:, 1]
    assert head.labels == CALM_DISTRESS
    assert probability[bored].mean() < 0.5 < probability[corpus.emotions == "disgust"].mean()


def test_words_of_a_corpus_are_shades_only_where_they_are_neutral() -> None:
    own = (ActedClip(Path("a"), "01", "sad"), ActedClip(Path("b"), "01", "calm"))
    assert _corpus(own=own).shades[-2:].tolist() == ["sadness", "calm"]


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
        expected = Line.TELEPHONE if copy in TELEPHONES else Line.WIDEBAND
        assert (both.lines[copy] == expected).all()
        assert np.array_equal(once.embeddings[copy], last.embeddings[copy][:1])
        assert not np.array_equal(other.embeddings[copy], last.embeddings[copy])
        assert not np.array_equal(last.embeddings[copy][0], last.embeddings[copy][1])


def test_a_label_that_one_speaker_alone_shows_cannot_be_calibrated() -> None:
    corpus = _corpus()
    kept = (corpus.emotions != "fear") | (corpus.speakers == "08")
    kept &= np.isin(corpus.emotions, ["anger", "fear", "joy"])
    rows = Rows.of(corpus, corpus.emotions, kept)
    for fit in (fit_emotion, fit_distress):
        with pytest.raises(TooFewVoicesError, match="fear: 1 speaker"):
            fit(rows, ("anger", "fear", "joy"))


@pytest.mark.parametrize("names", [("anger", "fear"), ("joy", "neutral")])
def test_distress_needs_its_contrast(names: tuple[str, ...]) -> None:
    corpus = _corpus()
    rows = Rows.of(corpus, corpus.emotions, np.isin(corpus.emotions, names))
    with pytest.raises(TooFewVoicesError, match="is told from its contrast"):
        fit_distress(rows, names)


def test_each_line_has_a_temperature_drawn_to_the_shared_one_by_its_recordings() -> None:
    corpus = _corpus()
    kept = ~corpus.for_the_demo
    copies = (Copy.WIDEBAND, Copy.TELEPHONE)
    rows = np.concatenate([corpus.embeddings[copy][0, kept] for copy in copies])
    random = np.random.default_rng(17)
    scales = np.repeat([1.0, 4.0], kept.sum())[:, None]
    rows = (rows + random.normal(size=rows.shape) * scales).astype(np.float32)
    labels, speakers = np.tile(corpus.emotions[kept], 2), np.tile(corpus.speakers[kept], 2)
    lines = np.concatenate([corpus.lines[copy][0, kept] for copy in copies])
    names = [emotion.value for emotion in EMOTIONS if emotion is not Emotion.SURPRISE]

    def fitted(recordings: int) -> LinearHead:
        numbers = np.arange(len(rows)) % recordings
        return fit_emotion(Rows(rows, labels, speakers, lines, numbers), names)

    few, many = fitted(2), fitted(len(rows))
    assert few.temperature == many.temperature
    for line, harder in ((Line.WIDEBAND, False), (Line.TELEPHONE, True)):
        own, shared = many.temperature_of(line), many.temperature
        assert (own > shared) is harder  # telephone rows are noisier: less can be claimed
        assert abs(few.temperature_of(line) - shared) < abs(own - shared) / 5


def test_a_label_of_ones_own_is_learnt_if_two_speakers_show_it() -> None:
    alone, two = (_corpus(own=_surprised(*names)) for names in (("anna",), ("anna", "ben")))
    assert Emotion.SURPRISE not in labels_of(alone, ~alone.for_the_demo)
    assert Emotion.SURPRISE not in train_speech(alone, "0" * 64, seed=0).config.labels
    head = train_speech(two, "0" * 64, seed=0)
    assert head.config.labels == EMOTIONS
    assert head.config.training["speakers"][-2:] == ["calls/anna", "calls/ben"]


def test_surprise_is_on_neither_side_of_distress() -> None:
    plain, surprised = (
        train_speech(_corpus(own=own), "0" * 64, seed=0) for own in ((), _surprised("anna", "ben"))
    )
    assert np.array_equal(plain.distress.sides.coefficients, surprised.distress.sides.coefficients)
    assert plain.distress.temperature == surprised.distress.temperature


def test_own_speakers_and_actors_are_no_demo_speakers_whatever_they_are_called() -> None:
    own = (
        OwnRecording(Path("a.wav"), "calls/03", Emotion.JOY),
        ActedClip(Path("b.wav"), "16", "angry"),
    )
    assert not _corpus(own=own).for_the_demo[-2:].any()


def test_one_label_or_one_side_of_distress_is_no_material() -> None:
    clips = _surprised("anna", "ben")
    only = EmbeddedClips(
        clips,
        {copy: np.zeros((1, len(clips), SIZE), dtype=np.float32) for copy in Copy},
        {copy: np.zeros((1, len(clips))) for copy in Copy},
        {copy: np.full((1, len(clips)), Line.WIDEBAND) for copy in Copy},
    )
    with pytest.raises(TooFewVoicesError, match="two speakers each show surprise"):
        train_speech(only, "0" * 64, seed=0)


def test_plenty_of_recordings_are_heard_once() -> None:
    clips = _surprised(*map(str, range(MANY_RECORDINGS // 3)))
    assert usual_draws(clips) == DRAWS
    assert usual_draws((*clips, *_surprised("x"))) == 1


def test_a_training_that_was_broken_off_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    encoder, voice_activity = _CountingEncoder(), VoiceActivity.load()
    own = OwnRecording(RECORDINGS / "03a01Nc.flac", "calls/anna", Emotion.NEUTRAL)
    clips = (*find_clips(RECORDINGS), own)
    cache = HeardCache(tmp_path)

    def embedded(*clips: Utterance, cache: HeardCache = NO_CACHE) -> EmbeddedClips:
        encoder.asked = 0
        return embed_clips(clips, encoder, voice_activity, 7, draws=1, cache=cache)  # type: ignore[arg-type]

    expected = embedded(*clips)
    assert encoder.asked == len(clips) * len(Copy)
    embedded(*clips[:2], cache=cache)
    assert encoder.asked == 2 * len(Copy)
    found = embedded(*clips, cache=cache)
    assert encoder.asked == len(Copy), "the new one only"
    assert embedded(*clips, cache=cache).clips == clips
    assert encoder.asked == 0
    for copy in Copy:
        assert np.array_equal(found.embeddings[copy], expected.embeddings[copy])
        assert np.array_equal(found.efforts_db[copy], expected.efforts_db[copy])
        assert np.array_equal(found.lines[copy], expected.lines[copy])


class _CountingEncoder:
    sha256 = "0" * 64
    backend = "counting"

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, samples: np.ndarray) -> np.ndarray:
        self.asked += 1
        return np.array([samples.std(), np.abs(samples).max(), len(samples)], dtype=np.float32)
