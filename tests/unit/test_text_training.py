import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.evaluation.report import from_json, to_json
from inference.evaluation.text import ERROR_RATES, evaluate_text, service_figures
from inference.experts.text_features import as_recognised, clean
from inference.experts.text_model import TextCalibration, TextModel, TextWeightsError
from inference.experts.text_plus import TextPlus
from inference.fusion.artefact import Fusers
from inference.labels import EMOTIONS, Emotion
from inference.training.goemotions import NoCommentsError, read_comments
from inference.training.manifest import Item
from inference.training.service_lines import read_service_lines
from inference.training.text import STEPS, line_groups, train_text
from inference.training.text_calibration import best_threshold, fit_matrix
from inference.training.text_material import NotEnoughLinesError, gather
from inference.training.text_plus import train_plus

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
    for split, lines, seed in (("train", 420, 1), ("dev", 200, 2), ("test", 100, 3)):
        _write(folder, split, lines, seed)
    return folder


@pytest.fixture(scope="module")
def model(corpus: Path) -> TextModel:
    return train_text(gather(corpus), words=200, characters=200)


class Counted:
    """An encoder of sentences: how many words of each label, and how many others."""

    def embed(self, text: str) -> np.ndarray:
        said = as_recognised(text).split()
        counts = [sum(word in WORDS[label].split() for word in said) for label in EMOTIONS]
        vector = np.array([*counts, sum(word in FILLERS for word in said)], dtype=np.float32)
        norm = np.linalg.norm(vector)
        return vector / norm if norm else vector

    def embed_many(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self.embed(text) for text in texts])


@pytest.fixture(scope="module")
def plus(corpus: Path, model: TextModel) -> TextPlus:
    return train_plus(replace(model, version="text-words-1"), gather(corpus), Counted())


def test_training_finds_what_the_words_show(corpus: Path, model: TextModel) -> None:
    report = evaluate_text(corpus, model, Fusers.load().default)
    assert report.n == 100
    assert report.metrics["macro_f1"] > 0.9
    assert report.metrics["distress_auc"] > 0.9
    assert report.metrics["accuracy"] > 0.9
    errors = [f"{rate:.0%} word errors" for rate in ERROR_RATES]
    assert list(report.by.group) == ["as written", "as recognised", *errors, "service lines"]
    worst = report.by.group[errors[-1]]
    assert worst["macro_f1"] < report.metrics["macro_f1"]
    assert from_json(to_json(report)) == report


def test_service_lines_teach_what_phrases_weigh_and_nothing_else(model: TextModel) -> None:
    lines, fuser = read_service_lines("train"), Fusers.load().default
    kept = np.ones(model.features.size)
    kept[model.features.phrase_columns] = 0.0
    heads = replace(model.heads, distress=kept * model.heads.distress)
    taught, untaught = (
        service_figures(one, fuser, lines) for one in (model, replace(model, heads=heads))
    )
    assert taught["n"] == len(lines)
    assert taught["distress_auc"] > untaught["distress_auc"] + 0.1
    assert 0.0 <= taught["abstained"] <= 1.0


def test_nothing_is_fitted_on_the_test_split(corpus: Path, tmp_path: Path) -> None:
    for name in ("ekman_labels.txt", "ekman_train.tsv", "ekman_dev.tsv"):
        (tmp_path / name).write_bytes((corpus / name).read_bytes())
    steps: list[str] = []
    blind = train_text(gather(tmp_path), words=50, characters=50, report=steps.append)
    _write(tmp_path, "test", 50, seed=9)
    sighted = train_text(gather(tmp_path), words=50, characters=50)
    assert steps == list(STEPS)
    assert np.array_equal(blind.heads.emotions, sighted.heads.emotions)
    assert blind.calibration == sighted.calibration


def test_words_and_sentences_together_are_the_mean_of_their_log_odds(
    corpus: Path, model: TextModel, plus: TextPlus
) -> None:
    text = "the caller said it was furious rage"
    of_words, together = model.read(text), plus.read(text)
    vector = Counted().embed(text).astype(np.float64)
    of_sentence = vector @ plus.heads.emotions.T + plus.heads.emotion_intercepts
    assert together.label_log_odds == pytest.approx((of_words.label_log_odds + of_sentence) / 2)
    (marks,), (odds,) = plus.log_odds_many([text])
    alike = plus.calibration.read(marks, odds, plus.heard(text))
    assert alike.log_probs == pytest.approx(together.log_probs)
    assert alike.distress_log_odds == pytest.approx(together.distress_log_odds)
    assert evaluate_text(corpus, plus, Fusers.load().default).metrics["accuracy"] > 0.9


def test_phrases_count_in_full_beside_sentences(model: TextModel, plus: TextPlus) -> None:
    columns = model.features.phrase_columns
    assert plus._mixed.heads.distress[columns] == pytest.approx(model.heads.distress[columns])
    assert plus._mixed.heads.distress[:9] == pytest.approx(0.5 * model.heads.distress[:9])


def test_with_sentences_words_and_phrases_are_explained_exactly(plus: TextPlus) -> None:
    text = "then that furious thing again"
    row = plus.features.transform([text])[:, : plus.features.size - 4]
    for label in (None, Emotion.ANGER):
        shares = plus.reasons(text, label)
        assert shares.sum() == pytest.approx(float((row @ plus.weights_of(label)[:-4])[0]))


def test_heads_on_sentences_are_saved_beside_their_words_and_refuse_others(
    model: TextModel, plus: TextPlus, tmp_path: Path
) -> None:
    with pytest.raises(TextWeightsError, match="--plus"):
        TextPlus.load(_saved(model, tmp_path / "bare"), Counted())
    words = replace(model, version=model.save(tmp_path))
    version = replace(plus, words=words).save(tmp_path)
    assert version.startswith(f"{words.version}+minilm-")
    loaded = TextPlus.load(tmp_path, Counted())
    assert loaded.version == version
    text = "happy thanks for that thing"
    assert loaded.read(text).log_probs == pytest.approx(plus.read(text).log_probs, abs=1e-5)
    replace(plus, words=replace(model, version="text-goemotions-of-old")).save(tmp_path)
    with pytest.raises(TextWeightsError, match="of-old"):
        TextPlus.load(tmp_path, Counted())


def _saved(model: TextModel, folder: Path) -> Path:
    model.save(folder)
    return folder


def _own(label: Emotion, text: str) -> Item:
    return Item(line=2, path=None, text=text, label=label, speaker=None, language="und", groups={})


def test_lines_of_ones_own_are_learned_beside_the_comments(corpus: Path) -> None:
    own = tuple(_own(Emotion.FEAR, f"the gauge reads crimson {place}") for place in range(60))
    own += tuple(_own(Emotion.NEUTRAL, f"the gauge reads teal {place}") for place in range(60))
    material = gather(corpus, own)
    assert material.data == "goemotions+own"
    assert len(material.train.texts) > 420
    assert len(material.develop.texts) > 200
    taught = train_text(material, words=200, characters=200)
    reading = taught.read("and then the gauge reads crimson again")
    assert EMOTIONS[int(reading.log_probs.argmax())] is Emotion.FEAR
    assert reading.distress_log_odds > 0


def test_too_few_lines_of_ones_own_are_refused_without_the_comments() -> None:
    with pytest.raises(NotEnoughLinesError, match=r"3 lines of your own .*--data"):
        gather(None, tuple(_own(Emotion.JOY, "lovely") for _ in range(3)))
    enough = tuple(_own(EMOTIONS[place % 7], f"line {place}") for place in range(1_001))
    alone = gather(None, enough)
    assert alone.data == "own"
    assert len(set(alone.train.texts)) + len(alone.develop.texts) == 1_001
    with pytest.raises(NotEnoughLinesError, match="surprise 0"):
        gather(None, tuple(replace(one, label=Emotion.JOY) for one in enough))


def test_equal_lines_lie_in_one_fold() -> None:
    folds = line_groups(["a", "b", "a", "c", "b"], seed=1)
    assert folds[0] == folds[2]
    assert folds[1] == folds[4]


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
    warmer = replace(
        model, calibration=msgspec.structs.replace(model.calibration, distress_temperature=3.0)
    )
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
    with pytest.raises(NoCommentsError, match="name the folder that holds ekman_train"):
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


def test_other_phrases_than_the_weights_know_are_an_error(model: TextModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    config = tmp_path / "config.json"
    known = model.features.phrases.digest
    config.write_text(config.read_text().replace(known, "00000000"))
    with pytest.raises(TextWeightsError, match=f"phrases 00000000 .* has phrases {known}"):
        TextModel.load(tmp_path)


def test_the_calibration_gives_an_even_prior_whatever_the_counts() -> None:
    draw = np.random.default_rng(3)
    shares = np.array([0.8, 0.15, 0.05])
    truth = draw.choice(3, 6_000, p=shares)
    marks = np.log(shares) + draw.normal(0.0, 1.0, (6_000, 3)) + 1.5 * np.eye(3)[truth]
    matrix, bias = fit_matrix(marks, np.ones(6_000), truth, shares)
    logits = marks @ matrix.T + bias
    probs = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    balanced = np.mean([probs[truth == label].mean(axis=0) for label in range(3)], axis=0)
    assert balanced == pytest.approx([1 / 3] * 3, abs=0.03)
    posterior = probs * shares
    posterior /= posterior.sum(axis=1, keepdims=True)
    assert posterior.mean(axis=0) == pytest.approx(shares, abs=0.01)


def test_what_is_not_heard_stays_at_the_even_prior_under_any_calibration() -> None:
    lopsided = TextCalibration(bias=(5.0, *(0.0,) * 6))
    reading = lopsided.read(np.arange(7.0), 2.0, 0.0)
    assert np.exp(reading.log_probs) == pytest.approx([1 / 7] * 7)
    assert reading.distress_log_odds == 0.0


def test_recognised_text_has_the_same_words_without_capitals_and_marks() -> None:
    assert as_recognised("Don\u2019t, [NAME]! It's  OVER.") == "don't it's over"
    assert clean("Don\u2019t, [NAME]!") == "Don't, !"
