"""Laws of the alert machine: over any signal, chunking and rules."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inference.labels import MODALITIES, AbsenceReason, Role
from inference.score import Decision, ModalityReport, WindowScore
from storage.values import AlertState, ConversationFacts, ParticipantKey, Transition
from streams.alerts.book import RuleBook
from streams.alerts.machine import advance, end, read_state, write_state
from streams.alerts.rule import After, Direction, Match, RuleSpec, shipped_rules
from tests.scores import SECOND_NS, START_NS, distressed

OK, PENDING, FIRING, RESOLVING = AlertState
FACTS: Final = ConversationFacts(
    tenant="acme", conversation="c-1", queue="billing", language="en", started_ns=START_NS
)
KEY: Final = ParticipantKey("acme", "live", "c-1", "p-1")
STEPS: Final = {
    (OK, PENDING), (PENDING, OK), (PENDING, FIRING), (FIRING, RESOLVING), (FIRING, OK),
    (RESOLVING, FIRING), (RESOLVING, OK),
}  # fmt: skip
RULE: Final = RuleSpec(
    metric="distress", enter=0.6, exit=0.4, for_s=3, keep_firing_for_s=4, cooldown_s=0
)
Signal = Sequence[float | None]
"""One value a second; None for a window with nothing to go by."""


def absent(score: WindowScore, reason: AbsenceReason = AbsenceReason.SILENCE) -> WindowScore:
    """The same window with nothing in it."""
    return replace(
        score,
        emotions=None,
        distress=None,
        arousal=None,
        valence=None,
        decision=Decision(label=None, set=(), coverage=0.9, abstained=True),
        modalities={name: ModalityReport(present=False, reason=reason) for name in MODALITIES},
        evidence=(),
    )


def unsure(score: WindowScore) -> WindowScore:
    """The same window with numbers, but no label that could be named."""
    return replace(score, decision=replace(score.decision, label=None, abstained=True))


def windows(signal: Signal) -> list[WindowScore]:
    """Windows of three seconds, one a second; every second None is absent, the rest unsure."""
    return [
        distressed(index, value)
        if value is not None
        else (absent if index % 2 else unsure)(distressed(index, 0.9))
        for index, value in enumerate(signal)
    ]


def run(
    signal: Signal, *specs: RuleSpec, facts: ConversationFacts = FACTS
) -> tuple[Transition, ...]:
    """Every transition of rules named r0, r1 and so on."""
    book = RuleBook.of((), {f"r{place}": spec for place, spec in enumerate(specs)})
    return advance(windows(signal), b"", facts, book)[0]


def path(transitions: Iterable[Transition]) -> list[tuple[int, AlertState]]:
    """(seconds after the first window's end, state that begins)."""
    return [((one.at_ns - START_NS) // SECOND_NS - 3, one.state) for one in transitions]


values = st.sampled_from([0.0, 0.3, 0.4, 0.5, 0.6, 0.9]) | st.none()
signals = st.lists(values, max_size=60) | st.lists(
    st.tuples(values, st.integers(1, 40)), max_size=8
).map(lambda runs: [value for value, count in runs for _ in range(count)])
durations = st.sampled_from([0.0, 1.0, 2.5, 3.0, 8.0])


@st.composite
def rules(draw: st.DrawFn) -> RuleSpec:
    """Any rule over distress, either way up."""
    below = draw(st.booleans())
    return RuleSpec(
        metric="distress",
        enter=0.4 if below else 0.6,
        exit=draw(st.sampled_from([0.4, 0.6] if below else [0.6, 0.4])),
        direction=Direction.BELOW if below else Direction.ABOVE,
        for_s=draw(durations),
        keep_firing_for_s=draw(durations),
        cooldown_s=draw(durations),
        min_speech=draw(st.sampled_from([0.0, 0.5])),
        after=draw(st.none() | st.just(After(metric="smoothed", enter=0.9, within_s=5))),
    )


@given(signals, st.lists(rules(), max_size=3), st.sets(st.integers(0, 60)))
def test_the_whole_equals_its_pieces(signal: Signal, specs: list[RuleSpec], cuts: set[int]) -> None:
    book = RuleBook.of((), {f"r{place}": spec for place, spec in enumerate(specs)})
    scores = windows(signal)
    whole, last = advance(scores, b"", FACTS, book)
    edges = sorted({0, len(scores), *(cut for cut in cuts if cut < len(scores))})
    pieces: list[Transition] = []
    state = b""
    for begin, stop in itertools.pairwise(edges):
        told, state = advance(scores[begin:stop], state, FACTS, book)
        pieces += told
        assert write_state(read_state(state)) == state
    assert (tuple(pieces), state) == (whole, last)
    assert advance(scores, b"", FACTS, book) == (whole, last)  # replay


@given(signals, st.lists(rules(), min_size=1, max_size=3))
def test_transitions_are_a_valid_path_that_the_end_completes(
    signal: Signal, specs: list[RuleSpec]
) -> None:
    book = RuleBook.of((), {f"r{place}": spec for place, spec in enumerate(specs)})
    told, state = advance(windows(signal), b"", FACTS, book)
    told += end(state, START_NS + len(signal) * SECOND_NS, KEY)
    standing: dict[str, Transition] = {}
    for one in told:
        before = standing.get(one.rule)
        assert one.before == (before.state if before else OK)
        assert (one.before, one.state) in STEPS
        assert (one.fired_ns is not None) == (FIRING in {one.state, one.before} or RESOLVING in {
            one.state, one.before
        })  # fmt: skip
        assert (one.reason is not None) == (one.state is OK)
        if before:
            assert one.at_ns >= before.at_ns
            same = one.before is not OK
            assert (one.alert == before.alert) == (one.pending_ns == before.pending_ns) == same
        standing[one.rule] = one
    assert all(one.state is OK for one in standing.values())
    keys = [(one.rule, one.at_ns, one.state) for one in told]
    assert len(set(keys)) == len(keys)


@given(signals, rules())
def test_no_alert_flaps_faster_than_its_two_dwells_and_its_cool_down(
    signal: Signal, spec: RuleSpec
) -> None:
    told = run(signal, spec)
    fired = [one for one in told if one.state is FIRING and one.fired_ns == one.at_ns]
    for one, other in itertools.pairwise(fired):
        assert other.at_ns - one.at_ns >= spec.for_ns + spec.keep_firing_for_ns
        ended = next(step for step in told if step.alert == one.alert and step.state is OK)
        assert other.pending_ns >= ended.at_ns + spec.cooldown_ns


@given(st.integers(0, 120), st.floats(0.6, 1.0), rules())
def test_a_constant_signal_over_the_threshold_is_one_alert(
    seconds: int, value: float, spec: RuleSpec
) -> None:
    spec = replace(spec, direction=Direction.ABOVE, enter=0.6, exit=0.4, after=None)
    told = run([value] * seconds, spec)
    due = seconds and seconds - 1 >= spec.for_s
    expected = [PENDING, FIRING] if due else [PENDING] if seconds else []
    assert [one.state for one in told] == expected


@given(signals, st.integers(0, 60), st.integers(1, 29))
def test_windows_without_a_say_only_pause_the_dwell(signal: Signal, at: int, pause: int) -> None:
    heard = [value for value in signal if value is not None]
    at = min(at, len(heard))
    paused = [*heard[:at], *[None] * pause, *heard[at:]]
    assert [one.state for one in run(heard, RULE)] == [one.state for one in run(paused, RULE)]


@given(signals, st.lists(rules(), max_size=3), rules())
def test_rules_do_not_see_each_other(
    signal: Signal, others: list[RuleSpec], spec: RuleSpec
) -> None:
    alone = run(signal, spec)
    together = tuple(one for one in run(signal, spec, *others) if one.rule == "r0")
    assert alone == together


@given(signals, rules())
def test_evidence_is_bounded_and_newest_last(signal: Signal, spec: RuleSpec) -> None:
    for one in run(signal, spec):
        starts = [seen["start_ns"] for seen in one.evidence]
        assert len(starts) <= 5
        assert starts == sorted(starts)
        if starts:
            assert one.evidence[-1]["end_ns"] == one.at_ns
            assert one.evidence[-1]["value"] == one.value


@given(signals)
def test_the_state_stays_small_and_forgets_rules_at_rest(signal: Signal) -> None:
    book = RuleBook.of((), {f"r{place}": RULE for place in range(4)})
    _, state = advance(windows([*signal, 0.0, 0.0, 0.0, 0.0, 0.0]), b"", FACTS, book)
    assert read_state(state).standings == {}
    _, state = advance(windows([*signal, *[0.9] * 9]), b"", FACTS, book)
    assert len(state) < 2_000


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ([0.6, 0.9, 0.6, 0.6], [(0, PENDING), (3, FIRING)]),
        ([0.6, 0.5, 0.6, 0.6, 0.6], [(0, PENDING), (4, FIRING)]),  # between pauses
        ([0.6, 0.6, 0.3, 0.6], [(0, PENDING), (2, OK), (3, PENDING)]),
        ([0.6, None, 0.6, 0.6, 0.6], [(0, PENDING), (4, FIRING)]),
        ([0.6] * 4 + [0.3, None, 0.3, 0.3, 0.3, 0.3], [
            (0, PENDING), (3, FIRING), (4, RESOLVING), (9, OK),
        ]),
        ([0.6] * 4 + [0.3, 0.3, 0.6, 0.3] + [0.3] * 4, [
            (0, PENDING), (3, FIRING), (4, RESOLVING), (6, FIRING), (7, RESOLVING), (11, OK),
        ]),
        ([0.6] * 4 + [None] * 90, [(0, PENDING), (3, FIRING)]),  # silence clears nothing
        ([0.6] + [None] * 29 + [0.6], [(0, PENDING)]),
        ([0.6] + [None] * 30, [(0, PENDING), (30, OK)]),
        # any window with a say, over or between, begins the thirty seconds anew
        ([0.6] + ([None] * 20 + [0.5]) * 3, [(0, PENDING)]),
        ([0.6] + ([None] * 20 + [0.6]) * 2, [(0, PENDING)]),
        ([0.6] + [0.5] * 29 + [0.6], [(0, PENDING)]),
        ([0.6] + [0.5] * 30, [(0, PENDING), (30, OK)]),
    ],
)  # fmt: skip
def test_states_follow_the_signal(signal: Signal, expected: list[tuple[int, AlertState]]) -> None:
    assert path(run(signal, RULE)) == expected


def test_a_gap_without_windows_counts_like_windows_without_a_say() -> None:
    book = RuleBook.only("r0", RULE)
    for gap_s, expected in ((29, [PENDING, FIRING]), (30, [PENDING, OK])):
        scores = [distressed(0, 0.9), distressed(3 + gap_s, 0.9)]
        told, _ = advance(scores, b"", FACTS, book)
        assert [one.state for one in told] == expected
        assert told[-1].reason == ("quiet" if expected[-1] is OK else None)


def test_reasons_say_why_a_course_ended() -> None:
    assert run([0.6, 0.3], RULE)[-1].reason == "recovered"
    assert run([0.6, *[None] * 30], RULE)[-1].reason == "quiet"
    for signal in ([0.9], [0.9] * 9, [0.9] * 9 + [0.3]):
        _, state = advance(windows(signal), b"", FACTS, RuleBook.only("r0", RULE))
        [last] = end(state, START_NS, KEY)
        assert (last.reason, last.at_ns) == ("ended", windows(signal)[-1].end_ns)
        [last] = end(state, START_NS + 600 * SECOND_NS, KEY, reason="withdrawn")
        assert (last.reason, last.at_ns) == ("withdrawn", START_NS + 600 * SECOND_NS)
    assert end(b"", START_NS, KEY) == ()


def test_every_shipped_rule_reads_and_watches_customers_only() -> None:
    rules = shipped_rules()
    assert len(rules) == 4
    for name, spec in rules.items():
        assert spec.summary.endswith(".")
        assert spec.runbook == name
        assert spec.match == Match(roles=(Role.CUSTOMER,))
