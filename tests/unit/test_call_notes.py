"""Weak notes: how they are read, what is learnt from them, and what is found."""

import json
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from inference.context.best_path import collapse
from inference.context.events import EventReader, save_events
from inference.context.observation import Assumed
from inference.contract import to_json
from inference.evaluation.notes import edits, evaluate_notes, read_calls
from inference.fusion.prior import DEFAULT_PRIOR
from inference.labels import EMOTIONS, Emotion
from inference.score import Distress, WindowScore
from inference.training.call_notes import NotedCall, NotesError, labels_of_note, read_notes
from inference.training.context_events import LEARNING_RATE, note_loss, train_events
from inference.training.loop import Plan
from streams.cli.evaluate_notes import notes as evaluate
from streams.cli.train_context import WhatToLearnError
from streams.cli.train_context import context as train
from tests.scores import distressed

pytestmark = pytest.mark.unit

ASSUMED = Assumed(DEFAULT_PRIOR.log_shares, DEFAULT_PRIOR.distress_log_odds)
MEANT = {"calm": Emotion.NEUTRAL, "angry": Emotion.ANGER, "glad": Emotion.JOY}
SCRIPTS = (
    ("calm", "angry", "calm"),
    ("calm", "glad"),
    ("angry", "calm"),
    ("glad", "calm", "angry"),
    ("calm", "angry"),
)


def window(index: int, label: str, random: np.random.Generator) -> WindowScore:
    share = round(float(random.uniform(0.5, 0.9)), 4)
    rest = round((1 - share) / 6, 4)
    probability = share if label == "angry" else 0.05
    return msgspec.structs.replace(
        distressed(index),
        emotions={emotion: share if emotion is MEANT[label] else rest for emotion in EMOTIONS},
        distress=Distress(probability=probability, smoothed=probability),
    )


def call(number: int, seed: int = 0) -> NotedCall:
    """Events of 4 to 9 windows each."""
    random = np.random.default_rng([seed, number])
    labels = SCRIPTS[number % len(SCRIPTS)]
    said = [label for label in labels for _ in range(int(random.integers(4, 10)))]
    scores = tuple(window(index, label, random) for index, label in enumerate(said))
    return NotedCall(f"call-{number}", scores, labels)


def test_the_order_of_events_teaches_what_they_are() -> None:
    plan = Plan(epochs=40, learning_rate=LEARNING_RATE, patience=40)
    calls = [call(number) for number in range(15)]
    network, config, _ = train_events(calls, ASSUMED, plan)
    reader = EventReader(network, config, "events-1")
    strangers = [call(number, seed=1) for number in range(10)]
    report = evaluate_notes(read_calls(strangers, reader), reader.version)
    assert report.metrics["label_error_rate"] < 0.1
    (read,) = read_calls([strangers[3]], reader)
    for event, label in zip(read.events, strangers[3].labels, strict=True):
        assert event.label == label
        assert event.start_ns < event.end_ns


@pytest.mark.parametrize("labels", [[1], [1, 2], [2, 1, 2]])
def test_the_loss_sums_over_all_alignments_over_the_prior(labels: list[int]) -> None:
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    prior = torch.tensor([0.5, 0.2, 0.1], dtype=torch.float64).log()
    columns = torch.tensor(labels)
    ratios = logits.log_softmax(dim=1) - prior
    paths = [path for path in product(range(3), repeat=4) if collapse(path) == labels]
    sums = torch.stack([sum(ratios[at, said] for at, said in enumerate(path)) for path in paths])
    expected = -sums.logsumexp(dim=0) / len(labels)
    found = note_loss(logits.log_softmax(dim=1), columns, prior)
    assert float(found.detach()) == pytest.approx(float(expected.detach()))
    (wanted,) = torch.autograd.grad(expected, logits)
    (given,) = torch.autograd.grad(found, logits)
    torch.testing.assert_close(given, wanted)


@pytest.mark.parametrize(
    ("note", "labels"),
    [
        ("calm, then angry, then calm", ("calm", "angry", "calm")),
        ("Calm then ANGRY and then calm.", ("calm", "angry", "calm")),
        ("calm -> calm; angry", ("calm", "angry")),
        ("angry", ("angry",)),
    ],
)
def test_a_note_is_read_as_people_write_it(note: str, labels: tuple[str, ...]) -> None:
    assert labels_of_note(note) == labels


def written(folder: Path, calls: list[NotedCall], **more: str) -> Path:
    lines = []
    for one in calls:
        path = folder / f"{one.name}.jsonl"
        path.write_bytes(b"\n".join(to_json(score) for score in one.scores))
        lines.append(json.dumps({"scores": path.name, "labels": one.labels, **more}))
    notes = folder / "notes.jsonl"
    notes.write_text("\n".join(lines))
    return notes


def test_notes_are_read_with_the_exports_that_they_name(tmp_path: Path) -> None:
    calls = [call(0), call(1)]
    found = read_notes(written(tmp_path, calls))
    assert [one.labels for one in found] == [one.labels for one in calls]
    assert [one.scores for one in found] == [one.scores for one in calls]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 1"),
        ('{"scores": "call-0.jsonl"}', "neither labels nor a note"),
        ('{"scores": "none.jsonl", "note": "calm"}', "no exported scores"),
        ('{"scores": "call-0.jsonl", "note": "calm", "participant": "x"}', "nothing of x"),
        ('{"scores": "call-0.jsonl", "note": "' + "a, b, " * 20 + '"}', "40 events in"),
        ("", "no notes"),
    ],
)
def test_notes_that_cannot_be_used_are_refused(tmp_path: Path, line: str, complaint: str) -> None:
    notes = written(tmp_path, [call(0)])
    notes.write_text(line)
    with pytest.raises(NotesError, match=complaint):
        read_notes(notes)


def test_the_command_trains_and_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = written(tmp_path, [call(number) for number in range(4)])
    network, config, _ = train_events(list(read_notes(notes)), ASSUMED, Plan(epochs=2))
    save_events(tmp_path / "events", config, network)
    evaluate(notes=notes, weights=tmp_path / "events", json=True)
    assert json.loads(capsys.readouterr().out)["n"] == 4
    evaluate(notes=notes, weights=tmp_path / "events", events=True)
    for line in capsys.readouterr().out.splitlines():
        assert json.loads(line)["label"] in config.labels


def test_recordings_or_notes_not_both(tmp_path: Path) -> None:
    with pytest.raises(WhatToLearnError, match="one of them"):
        train()
    with pytest.raises(WhatToLearnError, match="one of them"):
        train(data=tmp_path, notes=tmp_path)
    with pytest.raises(WhatToLearnError, match="--out"):
        train(notes=tmp_path)


@pytest.mark.parametrize(
    ("one", "other", "apart"), [("", "", 0), ("ab", "b", 1), ("abc", "axc", 1), ("", "xyz", 3)]
)
def test_edits_are_counted(one: str, other: str, apart: int) -> None:
    assert edits(one, other) == edits(other, one) == apart
