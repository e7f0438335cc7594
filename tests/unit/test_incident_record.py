"""What a narrator is given: of an alert when it fires, and of one participant of a call."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.labels import EMOTIONS, Emotion, Modality, Role
from inference.narrator.incident import MOST_WINDOWS, FigureName, IncidentRecord, Kind
from inference.score import CueReport, Decision, WindowScore
from storage.outline import Point
from storage.values import Utterance
from streams.alerts.evidence import Estimate, Seen
from streams.alerts.incident import incident_of
from streams.alerts.machine import advance
from streams.serving.call_record import call_record, chosen, strongest
from tests.alert_batches import BOOK, judged, rises_and_falls
from tests.scores import SECOND_NS, START_NS, batch, distressed

BEGAN_NS = START_NS - 60 * SECOND_NS


def figures(record: IncidentRecord) -> dict[FigureName, float]:
    return {one.name: one.value for one in record.figures if one.label is None}


def fired(scores: Sequence[WindowScore]) -> IncidentRecord:
    facts = replace(batch(scores, None).conversation, started_ns=BEGAN_NS)
    [record] = [one.incident for one in advance(scores, b"", facts, BOOK)[0] if one.incident]
    return record


def test_an_alert_is_told_by_the_windows_that_made_it_fire() -> None:
    record = fired(rises_and_falls())
    assert (record.kind, record.rule, record.metric) == (Kind.ALERT, "loud", "distress")
    assert (record.severity, record.role, record.participant) == ("warning", Role.CUSTOMER, "p-1")
    assert [one.id for one in record.windows] == ["w1", "w2", "w3"]
    assert [one.start_ns for one in record.windows] == [n * SECOND_NS for n in (62, 63, 64)]
    first = record.windows[0]
    assert (first.label, first.distress, first.vacuity) == (Emotion.ANGER, 0.9, 0.2)
    assert first.weights == {Modality.SPEECH: 1.0}
    assert list(first.emotions) == list(EMOTIONS)
    assert [(cue.id, cue.text) for cue in record.cues] == [("c1", "loud for this line")]
    assert figures(record) == {FigureName.DWELL_S: 2.0, FigureName.PEAK: 0.9}
    assert record.spans == ()


def test_only_the_beginning_of_an_alert_has_a_record() -> None:
    steps = judged(rises_and_falls()).transitions
    assert [step.incident is not None for step in steps] == [False, True, False, False]


def seen(index: int, **changes: Any) -> Seen:
    return Seen.of(msgspec.structs.replace(distressed(index, 0.7), **changes), 0.7)


def record_of(trail: Sequence[Seen], **changes: Any) -> IncidentRecord:
    given_: dict[str, Any] = {
        "rule": "r", "metric": "conflict", "severity": "info", "peak": 0.6,
        "dwell_ns": 8 * SECOND_NS, "role": Role.CUSTOMER, "participant": "p-1",
        "began_ns": START_NS,
    }  # fmt: skip
    return incident_of(trail, **given_ | changes)


def test_the_peak_of_another_metric_is_no_probability_of_distress() -> None:
    assert figures(record_of([seen(0)]))[FigureName.PEAK] == 0.7
    assert figures(record_of([seen(0)], metric="distress", peak=0.8))[FigureName.PEAK] == 0.8


def test_a_silence_is_told_by_windows_in_which_nothing_was() -> None:
    nothing = Decision(label=None, set=(), coverage=0.9, abstained=True)
    silent = seen(0, emotions=None, distress=None, decision=nothing, modalities={}, evidence=())
    record = record_of([silent], metric="silence", peak=1.0)
    [window] = record.windows
    assert (window.emotions, window.distress, window.label, window.weights) == ({}, None, None, {})
    assert FigureName.PEAK not in figures(record)


def test_a_window_that_an_older_version_saw_is_left_out_and_its_cues_stay() -> None:
    old = msgspec.msgpack.encode((START_NS, START_NS + 1, 0.7, (("speech", "raised", None),)))
    record = record_of([msgspec.msgpack.decode(old, type=Seen), seen(1)])
    assert [one.start_ns for one in record.windows] == [SECOND_NS]
    assert [one.text for one in record.cues] == ["raised", "loud for this line"]


def test_cues_of_overlapping_windows_are_named_once_and_count_from_the_beginning() -> None:
    cue = CueReport(modality=Modality.TEXT, cue="complaint phrase", at_ns=START_NS + 5)
    record = record_of([seen(0, evidence=(cue,)), seen(1, evidence=(cue,))])
    assert [(one.text, one.at_ns) for one in record.cues] == [("complaint phrase", 5)]


def test_an_estimate_survives_the_state_of_the_rules() -> None:
    one = seen(0)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Seen) == one
    unsure = Decision(label=Emotion.JOY, set=(), coverage=0.9, abstained=True)
    assert Estimate.of(msgspec.structs.replace(distressed(0), decision=unsure)).label is None


def points(levels: Sequence[float | None]) -> list[Point]:
    return [
        Point(
            role=Role.CUSTOMER,
            start_ns=START_NS + n * SECOND_NS,
            end_ns=START_NS + (n + 3) * SECOND_NS,
            distress=level,
            label=None if level is None else Emotion.ANGER if level > 0.5 else Emotion.NEUTRAL,
        )
        for n, level in enumerate(levels)
    ]


@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=400))
def test_windows_of_a_call_are_few_and_hold_the_strongest_and_the_newest(
    levels: list[float | None],
) -> None:
    of_call = points(levels)
    starts = chosen(of_call)
    assert len(starts) <= MOST_WINDOWS
    assert starts == sorted(set(starts))
    assert {of_call[0].start_ns, of_call[-1].start_ns, strongest(of_call).start_ns} <= set(starts)


@given(st.integers(1, 400))
def test_while_a_call_grows_its_windows_stay_or_every_other_one_does(count: int) -> None:
    before, after = (chosen(points([0.1] * n))[:-1] for n in (count, count + 1))
    assert set(before) <= set(after) or set(after) == set(before[::2])


def test_figures_of_a_call_are_of_all_its_windows() -> None:
    levels = [0.1] * 60 + [0.9] * 30 + [None] * 10
    scores = [distressed(0, 0.1), distressed(60, 0.9)]
    word = Utterance(
        participant="p-1", segment="s", start_ns=START_NS, end_ns=START_NS + SECOND_NS,
        text="Again?", language="en",
    )  # fmt: skip
    record = call_record(
        points(levels), scores, [word], participant="p-1", began_ns=START_NS, base_rate=0.1
    )
    assert record.kind is Kind.CONVERSATION
    assert figures(record) == {
        FigureName.WINDOWS: 100,
        FigureName.PEAK: 0.9,
        FigureName.DISTRESSED_SHARE: 0.3,
        FigureName.ABSTAINED_SHARE: pytest.approx(0.1),
    }
    [labelled] = [one for one in record.figures if one.label is not None]
    assert (labelled.name, labelled.label, labelled.value) == (
        FigureName.LABELLED_SHARE, Emotion.NEUTRAL, 0.6,
    )  # fmt: skip
    assert [one.start_ns for one in record.windows] == [0, 60 * SECOND_NS]
    assert [(one.text, one.end_ns) for one in record.spans] == [("Again?", SECOND_NS)]
    assert [one.text for one in record.cues] == ["loud for this line"]


def test_a_call_in_which_nothing_was_read_has_no_figures_of_it() -> None:
    record = call_record(
        points([None] * 3), [], [], participant="p-1", began_ns=START_NS, base_rate=0.1
    )
    assert figures(record) == {FigureName.WINDOWS: 3}
