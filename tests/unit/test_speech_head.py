from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.experts.distress_head import CALM_DISTRESS, DistressHead
from inference.experts.line import Line
from inference.experts.linear_head import LinearHead
from inference.experts.speech_effort import EffortReference
from inference.experts.speech_head import (
    CONFIG_FILE,
    TENSORS_FILE,
    LineTemperatures,
    SpeechConfig,
    SpeechHead,
    SpeechWeightsError,
)
from inference.labels import Emotion

LABELS = (Emotion.ANGER, Emotion.JOY, Emotion.NEUTRAL)
SIZE = 5


def _linear(labels: tuple[str, ...], temperature: float) -> LinearHead:
    """Numbers that float32 holds exactly, as those of the file are."""
    random = np.random.default_rng(len(labels))

    def draw(*shape: int) -> np.ndarray:
        return random.uniform(0.5, 2.0, shape).astype(np.float32).astype(np.float64)

    return LinearHead(
        labels=labels,
        mean=draw(SIZE),
        scale=draw(SIZE),
        coefficients=draw(len(labels), SIZE),
        intercepts=draw(len(labels)),
        temperature=temperature,
    )


SIDES = ("anger", "boredom", "fear", "joy", "neutral")


def _distress(temperature: float = 1.0) -> DistressHead:
    return DistressHead(_linear(SIDES, 1.0), temperature)


@pytest.fixture
def head() -> SpeechHead:
    config = SpeechConfig(
        name="toy",
        version=3,
        backend="none",
        encoder_sha256="0" * 64,
        labels=LABELS,
        distress_labels=SIDES,
        temperature=1.5,
        distress_temperature=0.7,
        effort=EffortReference(-8.0, 4.0),
        data="numbers",
        licence="Apache-2.0",
        training={"seed": 0},
    )
    return SpeechHead(_linear(LABELS, 1.5), _distress(0.7), config)


def test_what_is_saved_says_the_same_when_loaded(head: SpeechHead, tmp_path: Path) -> None:
    head.save(tmp_path)
    loaded = SpeechHead.load(tmp_path)
    embedding = np.random.default_rng(5).normal(size=SIZE).astype(np.float32)
    assert loaded.config == head.config
    assert np.array_equal(loaded.log_probs(embedding), head.log_probs(embedding))
    assert loaded.distress_log_odds(embedding) == head.distress_log_odds(embedding)


def test_the_version_changes_with_the_bytes_and_only_with_them(
    head: SpeechHead, tmp_path: Path
) -> None:
    head.save(tmp_path / "a")
    head.save(tmp_path / "b")
    first = SpeechHead.load(tmp_path / "a").version
    assert first.startswith("toy-3+")
    assert SpeechHead.load(tmp_path / "b").version == first
    other = msgspec.structs.replace(head.config, temperature=1.6)
    SpeechHead(head.emotion, head.distress, other).save(tmp_path / "b")
    assert SpeechHead.load(tmp_path / "b").version != first


def test_probabilities_sum_to_one_and_a_temperature_never_changes_the_order() -> None:
    head = _linear(LABELS, 1.0)
    rows = np.random.default_rng(6).normal(size=(50, SIZE))
    log_probs = head.log_probs(rows)
    assert np.allclose(np.exp(log_probs).sum(axis=1), 1.0)
    cooler = head.calibrated(4.0).log_probs(rows)
    assert np.array_equal(cooler.argmax(axis=1), log_probs.argmax(axis=1))
    assert (cooler.max(axis=1) < log_probs.max(axis=1)).all()


def test_a_line_has_its_own_temperature_and_others_the_shared_one(
    head: SpeechHead, tmp_path: Path
) -> None:
    own = {Line.TELEPHONE: LineTemperatures(emotion=3.0, distress=2.0)}
    config = msgspec.structs.replace(head.config, line_temperatures=own)
    SpeechHead(head.emotion, head.distress, config).save(tmp_path)
    loaded = SpeechHead.load(tmp_path)
    embedding = np.random.default_rng(5).normal(size=SIZE).astype(np.float32)
    for line in (None, Line.WIDEBAND):
        assert np.array_equal(loaded.log_probs(embedding, line), head.log_probs(embedding))
    expected = head.emotion.calibrated(3.0).log_probs(embedding)
    assert np.array_equal(loaded.log_probs(embedding, Line.TELEPHONE), expected)
    assert loaded.distress_log_odds(embedding, Line.TELEPHONE) == pytest.approx(
        head.distress_log_odds(embedding) * 0.7 / 2.0
    )


def test_distress_is_the_mean_of_its_side_over_that_of_the_other() -> None:
    head = _distress()
    rows = np.random.default_rng(8).normal(size=(30, SIZE))
    probs = np.exp(head.sides.log_probs(rows))
    expected = np.log(probs[:, [0, 2]].mean(axis=1) / probs[:, [1, 3, 4]].mean(axis=1))
    assert head.log_odds(rows) == pytest.approx(expected)
    assert _distress(2.0).log_odds(rows) == pytest.approx(expected / 2.0)


def test_odds_and_probabilities_of_distress_agree_and_know_no_company() -> None:
    head = _distress(1.3)
    rows = np.random.default_rng(9).normal(size=(30, SIZE)) * 40.0
    log_probs = head.log_probs(rows)
    assert head.labels == CALM_DISTRESS
    assert np.exp(log_probs).sum(axis=1) == pytest.approx(1.0)
    assert log_probs[:, 1] - log_probs[:, 0] == pytest.approx(head.log_odds(rows))
    for together, row in zip(log_probs, rows, strict=True):
        assert np.array_equal(together, head.log_probs(row))


def test_a_head_that_sees_no_difference_says_nothing_of_distress() -> None:
    flat = replace(_linear(SIDES, 1.0), coefficients=np.zeros((5, SIZE)), intercepts=np.zeros(5))
    assert DistressHead(flat).log_odds(np.ones(SIZE)) == pytest.approx(0.0, abs=1e-12)


def test_a_row_is_the_same_alone_and_in_company() -> None:
    head = _linear(LABELS, 1.3)
    rows = np.random.default_rng(7).normal(size=(20, SIZE))
    for together, row in zip(head.log_probs(rows), rows, strict=True):
        assert np.array_equal(together, head.log_probs(row))


def test_a_folder_without_weights_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(SpeechWeightsError, match="affectstream train speech"):
        SpeechHead.load(tmp_path)


@pytest.mark.parametrize("file", [TENSORS_FILE, CONFIG_FILE])
def test_torn_files_are_named_not_loaded(head: SpeechHead, tmp_path: Path, file: str) -> None:
    head.save(tmp_path)
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:40])
    with pytest.raises(SpeechWeightsError, match=str(tmp_path)):
        SpeechHead.load(tmp_path)


def test_labels_that_the_tensors_do_not_have_are_refused(head: SpeechHead, tmp_path: Path) -> None:
    config = msgspec.structs.replace(head.config, labels=(*LABELS, Emotion.FEAR))
    SpeechHead(head.emotion, head.distress, config).save(tmp_path)
    with pytest.raises(SpeechWeightsError, match="names 4 labels"):
        SpeechHead.load(tmp_path)


def test_the_shipped_heads_know_every_label_but_surprise_and_neither_demo_speaker() -> None:
    config = SpeechHead.load().config
    assert set(config.labels) == set(Emotion) - {Emotion.SURPRISE}
    assert not {"03", "16"} & set(config.training["speakers"])
