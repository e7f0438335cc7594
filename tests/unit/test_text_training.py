import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.evaluation.report import from_json, to_json
from inference.evaluation.text import evaluate_text
from inference.experts.text_features import as_recognised, clean
from inference.experts.text_model import TextModel, TextWeightsError
from inference.labels import EMOTIONS, Emotion
from inference.training.goemotions import NoCommentsError, read_comments
from inference.training.text import STEPS, best_threshold, fit_offsets, train_text

WORDS = {
    Emotion.ANGER: "furious rage shouting",
    Emotion.DISGUST: "gross filthy vomit",
    Emotion.FEAR: "scared worried terrified",
    Emotion.JOY: "happy thanks lovely",
    Emotion.NEUTRAL: "account number invoice",
    Emotion.SADNESS: "crying lonely grief",
    Emotion.SURPRISE: "wow unexpected really",
}
FILLERS = [
    "the",
    "caller",
    "said",
    "it",
    "was",
    "about",
    "this",
    "and",
    "then",
    "that",
    "thing",
    "again",
]


def _write(folder: Path, split: str, lines: int, seed: int) -> None:
    lottery = random.Random(seed)
    rows = []
    for line in range(lines):
        label = lottery.randrange(len(EMOTIONS))
        marks = [label] if line % 5 else sorted({label, lottery.randrange(len(EMOTIONS))})
        told = [lottery.choice(WORDS[EMOTIONS[mark]].split()) for mark in marks]
        words = told + lottery.sample(FILLERS, 6)
        lottery.shuffle(words)
        rows.append(f"{' '.join(words)}.\t{','.join(map(str, marks))}\tid{line}")
    (folder / f"ekman_{split}.tsv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of comments whose label can be read from one word."""
    folder = tmp_path_factory.mktemp("goemotions")
    (folder / "ekman_labels.txt").write_text("\n".join(EMOTIONS) + "\n")
    for split, lines, seed in (("train", 700, 1), ("dev", 300, 2), ("test", 300, 3)):
        _write(folder, split, lines, seed)
    return folder


@pytest.fixture(scope="module")
def model(corpus: Path) -> TextModel:
    return train_text(corpus, words=500, characters=500)


def test_training_tells_each_step_and_finds_what_the_words_show(
    corpus: Path, model: TextModel
) -> None:
    report = evaluate_text(corpus, model)
    assert report.n == 300
    assert report.metrics["macro_f1"] > 0.9
    assert report.metrics["distress_auc"] > 0.9
    assert report.metrics["accuracy"] > 0.9
    assert set(report.by.group) == {"as written", "as recognised"}
    assert from_json(to_json(report)) == report


def test_nothing_is_fitted_on_the_test_split(corpus: Path, tmp_path: Path) -> None:
    for name in ("ekman_labels.txt", "ekman_train.tsv", "ekman_dev.tsv"):
        (tmp_path / name).write_bytes((corpus / name).read_bytes())
    steps: list[str] = []
    blind = train_text(tmp_path, words=200, characters=200, report=steps.append)
    _write(tmp_path, "test", 50, seed=9)
    sighted = train_text(tmp_path, words=200, characters=200)
    assert steps == list(STEPS)
    assert np.array_equal(blind.emotions, sighted.emotions)
    assert (blind.offsets, blind.thresholds) == (sighted.offsets, sighted.thresholds)


def test_weights_that_were_saved_say_the_same_again(model: TextModel, tmp_path: Path) -> None:
    version = model.save(tmp_path)
    loaded = TextModel.load(tmp_path)
    assert loaded.version == version
    for text in ("I was furious again about that thing", "happy", "", "unknown wörds only"):
        one, other = model.read(text), loaded.read(text)
        assert other.log_probs == pytest.approx(one.log_probs, abs=1e-5)
        assert other.distress_log_odds == pytest.approx(one.distress_log_odds, abs=1e-5)
    assert loaded.save(tmp_path / "again") == version


def test_other_numbers_are_another_version(model: TextModel, tmp_path: Path) -> None:
    version = model.save(tmp_path / "one")
    warmer = replace(model, temperature=2 * model.temperature)
    assert warmer.save(tmp_path / "other") != version


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "weights.safetensors"])
def test_damaged_weights_are_an_error_that_names_the_command(
    model: TextModel, tmp_path: Path, name: str
) -> None:
    model.save(tmp_path)
    (tmp_path / name).write_bytes(b"no")
    with pytest.raises(TextWeightsError, match="affectstream train text"):
        TextModel.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(TextWeightsError, match="affectstream train text"):
        TextModel.load(tmp_path)


def test_surprise_alone_is_not_judged_for_distress(tmp_path: Path) -> None:
    (tmp_path / "ekman_labels.txt").write_text("anger\njoy\nsurprise\n")
    lines = "oh\t2\ta\nfine\t1\tb\nhow dare you\t0,2\tc\nwell well\t1,2\td\n"
    (tmp_path / "ekman_dev.tsv").write_text(lines)
    comments = read_comments(tmp_path, "dev")
    assert comments.judged.tolist() == [False, True, True, False]
    assert comments.distressed.tolist() == [False, False, True, False]
    assert comments.single.tolist() == [True, True, False, False]


def test_a_folder_without_comments_or_with_other_lines_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoCommentsError, match="--data"):
        read_comments(tmp_path, "dev")
    (tmp_path / "ekman_labels.txt").write_text("anger\njoy\n")
    for line in ("two\tfields", "text\t7\tid", "text\tx\tid"):
        (tmp_path / "ekman_dev.tsv").write_text(f"fine\t1\tb\n{line}\n")
        with pytest.raises(NoCommentsError, match="line 2"):
            read_comments(tmp_path, "dev")


def test_a_threshold_is_where_f1_is_best() -> None:
    marked = np.array([False, False, True, False, True, True])
    log_odds = np.array([-2.0, -1.0, -0.5, 0.0, 1.0, 2.0])
    assert best_threshold(marked, log_odds) == -0.5


def test_offsets_give_an_even_prior_whatever_the_counts() -> None:
    draw = np.random.default_rng(3)
    truth = draw.choice(3, 6_000, p=[0.8, 0.15, 0.05])
    marks = np.log([0.8, 0.15, 0.05]) + draw.normal(0.0, 1.0, (6_000, 3)) + 1.5 * np.eye(3)[truth]
    offsets, temperature = fit_offsets(marks, np.ones(6_000), truth)
    logits = (marks + np.array(offsets)) / temperature
    probs = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    balanced = np.mean([probs[truth == label].mean(axis=0) for label in range(3)], axis=0)
    assert balanced == pytest.approx([1 / 3] * 3, abs=0.01)
    assert sum(offsets) == pytest.approx(0.0, abs=1e-9)


def test_recognised_text_has_the_same_words_without_capitals_and_marks() -> None:
    assert as_recognised("Don\u2019t, [NAME]! It's  OVER.") == "don't it's over"
    assert clean("Don\u2019t, [NAME]!") == "Don't, !"
