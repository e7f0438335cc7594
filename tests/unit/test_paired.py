"""Material of learned methods: nobody is judged by a head that met them, pairs share a label."""

from pathlib import Path

import numpy as np
import pytest

from inference.experts.text import TextExpert
from inference.experts.word_vectors import WordVectors
from inference.labels import EMOTIONS, Emotion, Modality
from inference.training.action_units import UNITS, NoActionUnitsError, read_action_units
from inference.training.goemotions import Comments
from inference.training.paired import Part, out_of_fold, pseudo_pairs, text_part

pytestmark = pytest.mark.unit
TAKE = "01-01-05-01-01-01-02"


def part(modality: Modality, truth: list[str], groups: list[str]) -> Part:
    vectors = np.arange(len(truth) * 4, dtype=np.float32).reshape(-1, 4)
    return Part(
        modality=modality,
        space="made-up-4",
        vectors=vectors,
        support=np.zeros((len(truth), 7)),
        distress=np.zeros(len(truth)),
        truth=np.array(truth),
        groups=np.array(groups),
        said=np.array([""] * len(truth)),
        efforts_db=np.full(len(truth), np.nan),
        views={"noisy": vectors + 1},
    )


def test_a_group_is_judged_by_heads_that_never_met_it() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c", "d"], 20)
    truth = np.tile(["anger", "joy"], 40)
    vectors = random.normal(size=(80, 3)).astype(np.float32)
    vectors[:, 0] += np.where(truth == "joy", 2, -2)
    before = out_of_fold(vectors, truth, groups, 1)
    turned = truth.copy()
    turned[groups == "a"] = np.where(truth[groups == "a"] == "joy", "anger", "joy")
    after = out_of_fold(vectors, turned, groups, 1)
    np.testing.assert_array_equal(before[groups == "a"], after[groups == "a"])
    assert not np.array_equal(before[groups == "b"], after[groups == "b"])
    assert (before.argmax(axis=1) == (truth == "joy")).mean() > 0.9


def test_pseudo_pairs_share_a_label_and_leave_out_what_has_no_partner() -> None:
    voice = part(Modality.SPEECH, ["anger", "joy", "fear"], ["s1", "s1", "s2"])
    text = part(Modality.TEXT, ["joy", "anger", "anger"], ["l1", "l2", "l3"])
    pairs = pseudo_pairs(voice, text, 3, np.random.default_rng(0))
    assert len(pairs.rows) == 6
    np.testing.assert_array_equal(voice.truth[pairs.rows[:, 0]], text.truth[pairs.rows[:, 1]])
    np.testing.assert_array_equal(pairs.present, [[True, True, False]] * 6)
    assert set(pairs.groups) == {"s1"}
    held_out = [sorted(set(pairs.groups[fold])) for fold in pairs.folds(1)]
    assert held_out == [["s1"]]


def test_a_part_keeps_its_columns_together() -> None:
    whole = part(Modality.SPEECH, ["anger", "joy", "fear"], ["s1", "s1", "s2"])
    some = whole.of(np.array([2, 0]))
    assert some.truth.tolist() == ["fear", "anger"]
    np.testing.assert_array_equal(some.views["noisy"], whole.views["noisy"][[2, 0]])


def test_lines_are_described_as_written_and_as_misheard() -> None:
    lines = ("where is my refund i want it now", "what a lovely day it is", "qwrtz")
    labels = np.zeros((3, 7), dtype=np.bool_)
    labels[[0, 1, 2], [EMOTIONS.index(Emotion.ANGER), 3, 4]] = True
    vectors = WordVectors.load()
    said = text_part(Comments(lines, labels), TextExpert.load(), vectors, seed=1)
    assert said.said.tolist() == list(lines[:2])
    np.testing.assert_array_equal(said.vectors[0], vectors.vector(lines[0]))
    assert said.views["misheard"].any(axis=1).all()
    assert said.distress[0] > said.distress[1]


def test_action_units_are_found_by_the_take_whatever_channel(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    names = ";".join(f"AU{number:02}_r" for number in range(UNITS))
    path.write_text(f"{names};name\n{';'.join(['0.5'] * UNITS)};{TAKE}\n")
    assert read_action_units(path)[TAKE[3:]].tolist() == [0.5] * UNITS


@pytest.mark.parametrize(
    "text", ["", "AU01_r;name\n0.5;01-01\n", "AU01_r\n0.5\n", "AU01_r;name\nx;y\n"]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "units.csv"
    path.write_text(text)
    with pytest.raises(NoActionUnitsError, match=r"units\.csv"):
        read_action_units(path)
