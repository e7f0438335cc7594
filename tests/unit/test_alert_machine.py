"""What single windows mean to a rule, and what happens to a course whose rule changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from inference.evidence import Quality
from inference.labels import EMOTIONS, MODALITIES, AbsenceReason, Emotion, Modality, Role
from inference.score import CueReport, Decision, Distress, ModalityReport, WindowScore
from storage.values import AlertState, ConversationFacts, ParticipantKey, Transition
from streams.alerts.book import RuleBook
from streams.alerts.machine import StateError, advance, alert_id, end, read_state, value_of
from streams.alerts.rule import After, Direction, Match, RuleSpec, shipped_rules
from tests.scores import SECOND_NS, START_NS, distressed

OK, PENDING, FIRING, RESOLVING = AlertState
FACTS = ConversationFacts(
    tenant="acme", conversation="c-1", queue="billing", language="en", started_ns=START_NS
)
RULE = RuleSpec(metric="distress", enter=0.6, exit=0.4, for_s=2, keep_firing_for_s=2, cooldown_s=0)


def absent(score: WindowScore, **reasons: AbsenceReason) -> WindowScore:
    given = dict.fromkeys(MODALITIES, AbsenceReason.NO_TRACK) | {
        Modality(name): reason for name, reason in reasons.items()
    }
    return replace(
        score,
        emotions=None, distress=None, arousal=None, valence=None, evidence=(),
        decision=Decision(label=None, set=(), coverage=0.9, abstained=True),
        modalities={
            name: ModalityReport(present=False, reason=reason) for name, reason in given.items()
        },
    )  # fmt: skip


def with_speech(score: WindowScore, report: ModalityReport) -> WindowScore:
    return replace(score, modalities={**score.modalities, Modality.SPEECH: report})


def told(
    scores: Sequence[WindowScore], book: RuleBook, facts: ConversationFacts = FACTS
) -> list[tuple[str, AlertState, int]]:
    """(rule, state, seconds after the first window's end)."""
    first_ns = scores[0].end_ns
    return [
        (one.rule, one.state, (one.at_ns - first_ns) // SECOND_NS)
        for one in advance(scores, b"", facts, book)[0]
    ]


def states(scores: Sequence[WindowScore], spec: RuleSpec, **facts: Any) -> list[AlertState]:
    values = ConversationFacts(
        tenant="acme", conversation="c-1", started_ns=START_NS, **({"queue": "billing"} | facts)
    )
    return [state for _, state, _ in told(scores, RuleBook.only("r", spec), values)]


def test_every_metric_is_read_from_its_place() -> None:
    score = replace(
        distressed(0),
        distress=Distress(probability=0.1, smoothed=0.2),
        emotions={emotion: n / 10 for n, emotion in enumerate(EMOTIONS)},
        arousal=0.3, valence=-0.4, conflict=0.5, change=0.6,
    )  # fmt: skip
    found = {name: value_of(name, score) for name in ("distress", "smoothed", "arousal", "valence",
        "conflict", "change", "silence", *EMOTIONS)}  # fmt: skip
    assert found == {
        "distress": 0.1, "smoothed": 0.2, "arousal": 0.3, "valence": -0.4, "conflict": 0.5,
        "change": 0.6, "silence": 0.0, **{one.value: n / 10 for n, one in enumerate(EMOTIONS)},
    }  # fmt: skip


def test_absent_and_abstained_windows_have_no_value_but_for_silence() -> None:
    nothing = absent(distressed(0), speech=AbsenceReason.SILENCE)
    unsure = replace(distressed(0), decision=replace(distressed(0).decision, abstained=True))
    no_say = replace(distressed(0), distress=None)
    for metric in ("distress", "smoothed", "arousal", "valence", "conflict", "change", "anger"):
        assert value_of(metric, nothing) is None
        assert value_of(metric, unsure) is None
    assert value_of("distress", no_say) is value_of("smoothed", no_say) is None
    assert value_of("silence", nothing) == 1.0
    assert value_of("silence", unsure) == 0.0


SILENT = ModalityReport(present=False, reason=AbsenceReason.SILENCE)


@pytest.mark.parametrize(
    ("score", "value"),
    [
        (absent(distressed(0)), 1.0),
        (absent(distressed(0), text=AbsenceReason.SILENCE), 1.0),
        (absent(distressed(0), speech=AbsenceReason.NOT_PERMITTED), 1.0),
        # a face, or words from before the window, break no silence
        (with_speech(distressed(0), SILENT), 1.0),
        (absent(distressed(0), speech=AbsenceReason.SILENCE, face=AbsenceReason.FAILED), 1.0),
        # faults say nothing of whether anybody spoke
        (absent(distressed(0), speech=AbsenceReason.LATE), None),
        (absent(distressed(0), speech=AbsenceReason.FAILED), None),
        (absent(distressed(0), speech=AbsenceReason.UNDECODABLE), None),
        (absent(distressed(0), speech=AbsenceReason.POOR_QUALITY), None),
        (replace(distressed(0), modalities={}), 0.0),
    ],
)
def test_silence_is_nobody_speaking_and_no_fault(score: WindowScore, value: float | None) -> None:
    assert value_of("silence", score) == value


def test_a_rule_may_fire_on_low_values() -> None:
    spec = replace(RULE, metric="valence", direction=Direction.BELOW, enter=-0.6, exit=-0.4)
    signal = [-0.7, -0.9, -0.6, -0.5, -0.3, -0.3, -0.3]
    scores = [replace(distressed(n), valence=value) for n, value in enumerate(signal)]
    transitions, _ = advance(scores, b"", FACTS, RuleBook.only("r", spec))
    assert [one.state for one in transitions] == [PENDING, FIRING, RESOLVING, OK]
    assert transitions[-1].peak == -0.9


def test_windows_with_too_little_speech_do_not_count() -> None:
    def spoken(share: float | None, n: int) -> WindowScore:
        report = ModalityReport(present=True, weight=1.0, quality=Quality(present_share=share))
        return with_speech(distressed(n, 0.9), report)

    spec = replace(RULE, min_speech=0.5)
    assert states([spoken(0.5, n) for n in range(3)], spec) == [PENDING, FIRING]
    for share in (0.49, None):
        assert states([spoken(share, n) for n in range(3)], spec) == []
    assert states([with_speech(distressed(0, 0.9), SILENT)], spec) == []
    assert states([replace(distressed(0, 0.9), modalities={})], spec) == []


@pytest.mark.parametrize(
    ("match", "watched"),
    [
        (Match(), True),
        (Match(roles=(Role.CUSTOMER,), queues=("sales", "billing"), languages=("und",)), True),
        (Match(roles=(Role.AGENT, Role.BOT)), False),
        (Match(queues=("sales",)), False),
        (Match(languages=("en",)), False),
    ],
)
def test_a_rule_watches_whom_it_names(match: Match, watched: bool) -> None:  # noqa: FBT001 - a case
    found = states([distressed(n, 0.9) for n in range(3)], replace(RULE, match=match))
    assert found == ([PENDING, FIRING] if watched else [])


def test_a_rule_with_after_begins_only_while_it_is_armed() -> None:
    spec = replace(
        RULE,
        metric="anger", enter=0.5, exit=0.4,
        after=After(metric="distress", enter=0.8, within_s=3),
    )  # fmt: skip

    def signal(quiet: int) -> list[WindowScore]:
        loud = replace(distressed(0, 0.9), emotions=dict.fromkeys(EMOTIONS, 0.0))
        angry = [
            replace(distressed(n, 0.1), emotions={Emotion.ANGER: 0.9 if n >= quiet else 0.0})
            for n in range(1, quiet + 6)
        ]
        return [loud, *angry]

    assert states(signal(2), spec) == [PENDING, FIRING]  # it goes on after it is disarmed
    assert states(signal(3), spec) == []


def test_the_shipped_rule_fires_twenty_seconds_after_somebody_distressed_fell_silent() -> None:
    rules = {"silent-after-distress": shipped_rules()["silent-after-distress"]}
    talk = [distressed(n, 0.5) for n in range(5)]
    hush = [absent(distressed(n), speech=AbsenceReason.SILENCE) for n in range(5, 40)]
    back = [distressed(n, 0.1) for n in range(40, 44)]
    name = "silent-after-distress"
    assert told([*talk, *hush, *back], RuleBook.of((), rules)) == [
        (name, PENDING, 5), (name, FIRING, 25), (name, RESOLVING, 40), (name, OK, 42),
    ]  # fmt: skip
    calm = [distressed(n, 0.1) for n in range(5)]
    assert told([*calm, *hush], RuleBook.of((), rules)) == []
    broken = [absent(distressed(n), speech=AbsenceReason.FAILED) for n in range(5, 40)]
    assert told([*talk, *broken], RuleBook.of((), rules)) == []


@dataclass
class Row:
    version: int
    valid_from_ns: int
    body: dict[str, Any] | None
    tenant: str = "acme"
    name: str = "r"


BODY = {
    "metric": "distress", "enter": 0.6, "exit": 0.4, "for_s": 2, "keep_firing_for_s": 2,
    "cooldown_s": 5, "severity": "info",
}  # fmt: skip


def changed(body: dict[str, Any] | None, seconds: int = 10) -> list[Transition]:
    """A constant signal over the threshold while the rule changes after ten windows."""
    rows = [Row(1, 0, BODY), Row(2, START_NS + 10 * SECOND_NS, body)]
    scores = [distressed(n, 0.9) for n in range(10 + seconds)]
    return list(advance(scores, b"", FACTS, RuleBook.of(rows, {}))[0])


def test_a_course_ends_with_the_first_window_of_a_version_that_decides_otherwise() -> None:
    found = changed(BODY | {"enter": 0.7})
    assert [(one.state, one.rule_version) for one in found] == [
        (PENDING, 1), (FIRING, 1), (OK, 1), (PENDING, 2), (FIRING, 2),
    ]  # fmt: skip
    ended = found[2]
    assert (ended.reason, ended.before, ended.value, ended.evidence) == (
        "rule_changed", FIRING, None, (),
    )  # fmt: skip
    assert ended.at_ns == distressed(10).end_ns
    assert found[3].at_ns == ended.at_ns + 5 * SECOND_NS  # the cool-down holds here, too


def test_a_course_whose_rule_was_switched_off_ends() -> None:
    found = changed(None)
    assert [(one.state, one.reason) for one in found] == [
        (PENDING, None), (FIRING, None), (OK, "rule_changed"),
    ]  # fmt: skip


def test_new_words_and_targets_disturb_no_course_and_reach_only_the_next() -> None:
    body = BODY | {"severity": "critical", "notify": ["webhook:crm"], "summary": "New."}
    rows = [Row(1, 0, BODY), Row(2, START_NS + 10 * SECOND_NS, body)]
    signal = [0.9] * 15 + [0.1] * 10 + [0.9] * 5
    scores = [distressed(n, value) for n, value in enumerate(signal)]
    found, _ = advance(scores, b"", FACTS, RuleBook.of(rows, {}))
    assert [(one.state, one.rule_version, one.severity, one.sinks) for one in found] == [
        *((state, 1, "info", ()) for state in (PENDING, FIRING, RESOLVING, OK)),
        *((state, 2, "critical", ("webhook:crm",)) for state in (PENDING, FIRING)),
    ]


def test_evidence_shows_the_first_and_the_newest_windows_and_cues_as_scored() -> None:
    cues = tuple(CueReport(modality=Modality.SPEECH, cue=f"cue {n}", at_ns=n) for n in range(4))
    scores = [replace(distressed(n, 0.7), evidence=cues) for n in range(9)]
    found, _ = advance(scores, b"", FACTS, RuleBook.only("r", replace(RULE, for_s=8)))
    begun, fired = found
    assert [seen["start_ns"] for seen in begun.evidence] == [START_NS]
    assert [seen["start_ns"] for seen in fired.evidence] == [
        START_NS + n * SECOND_NS for n in (0, 5, 6, 7, 8)
    ]
    assert fired.evidence[-1] == {
        "start_ns": scores[8].start_ns,
        "end_ns": scores[8].end_ns,
        "value": 0.7,
        "cues": [{"modality": "speech", "cue": f"cue {n}", "at_ns": n} for n in range(3)],
    }


def test_an_alert_is_named_by_whom_it_is_about_and_when_it_began() -> None:
    key = ParticipantKey("acme", "live", "c-1", "p-1")
    found, _ = advance([distressed(n, 0.9) for n in range(3)], b"", FACTS, RuleBook.only("r", RULE))
    assert {one.alert for one in found} == {alert_id(key, "r", distressed(0).end_ns)}
    others = [
        ParticipantKey("acme", "again", "c-1", "p-1"),
        ParticipantKey("b", "live", "c-1", "p-1"),
    ]
    names = {alert_id(one, "r", at_ns) for one in (key, *others) for at_ns in (0, 1)}
    assert len(names | {alert_id(key, "s", 0)}) == 7


def test_windows_that_do_not_ascend_and_foreign_state_are_bugs() -> None:
    book = RuleBook.only("r", RULE)
    with pytest.raises(ValueError, match="ascend"):
        advance([distressed(1), distressed(0)], b"", FACTS, book)
    for state in (b"\xff", b"nonsense", b"\x93\x02\x00\x80"):
        with pytest.raises(StateError, match="state of alert rules"):
            advance([distressed(0)], state, FACTS, book)
    assert advance([], b"", FACTS, book) == ((), b"")
    _, state = advance([distressed(0)], b"", FACTS, book)
    assert advance([], state, FACTS, book) == ((), state)
    assert read_state(state).until_ns == distressed(0).end_ns


def test_the_end_needs_no_book_and_tells_whom_the_course_would_have_told() -> None:
    spec = replace(RULE, notify=("alertmanager",))
    _, state = advance([distressed(n, 0.9) for n in range(4)], b"", FACTS, RuleBook.only("r", spec))
    key = ParticipantKey("acme", "live", "c-1", "p-1")
    [last] = end(state, distressed(9).end_ns, key)
    assert (last.state, last.before, last.reason, last.sinks, last.fired_ns) == (
        OK, FIRING, "ended", ("alertmanager",), distressed(2).end_ns,
    )  # fmt: skip
