"""Laws of context: pieces are the whole, time alone adds nothing, the future is not read."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.context.best_path import BLANK, FEWEST_WINDOWS, best_path, collapse, runs
from inference.context.carried import LARGEST_BYTES, decode, encode
from inference.context.filter import Belief, HiddenMarkovFilter, new_share
from inference.context.observation import Assumed
from inference.context.recurrent import RecurrentContext, follow
from inference.context.smoothing import Smoothing
from inference.fusion.prior import DEFAULT_PRIOR
from inference.labels import EMOTIONS, Role
from inference.methods import Context
from inference.score import ContextReport, Distress, WindowScore
from tests.context import network
from tests.scores import SECOND_NS, START_NS, distressed

pytestmark = pytest.mark.laws

ASSUMED = Assumed(DEFAULT_PRIOR.log_shares, DEFAULT_PRIOR.distress_log_odds)
FILTER = HiddenMarkovFilter(ASSUMED)
NETWORK = RecurrentContext.untrained(ASSUMED, network(alpha=0.7))
CLOSED = RecurrentContext.untrained(ASSUMED, network(alpha=0.0))
CONTEXTS: dict[str, Context] = {
    "smoothing": Smoothing(),
    "filter": FILTER,
    "recurrent": NETWORK,
}
few = settings(max_examples=20)
of_every_kind = pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)


@st.composite
def calls(draw: st.DrawFn, parties: Sequence[str] = ("p-1",)) -> list[WindowScore]:
    """Windows of 3 s at whole seconds, some without an estimate, with gaps."""
    found = []
    for participant in parties:
        places = sorted(draw(st.sets(st.integers(0, 40), min_size=1, max_size=12)))
        for place in places:
            score = distressed(place, participant=participant)
            found.append(draw(spoken(score)))
    return sorted(found, key=lambda score: (score.end_ns, score.participant))


@st.composite
def spoken(draw: st.DrawFn, score: WindowScore) -> WindowScore:
    """`score` with another estimate, or without any."""
    if draw(st.integers(0, 4)) == 0:
        return msgspec.structs.replace(score, emotions=None, distress=None, vacuity=1.0)
    logits = np.array(draw(st.lists(st.floats(-4, 4), min_size=7, max_size=7)))
    probs = np.exp(logits) / np.exp(logits).sum()
    emotions = {label: round(float(p), 4) for label, p in zip(EMOTIONS, probs, strict=True)}
    distress = draw(st.none() | st.integers(0, 10_000).map(lambda value: value / 10_000))
    return msgspec.structs.replace(
        score,
        emotions=emotions,
        distress=None if distress is None else Distress(probability=distress, smoothed=distress),
        role=draw(st.sampled_from(Role)),
    )


def told(
    context: Context, scores: Sequence[WindowScore], state: bytes = b""
) -> tuple[list[ContextReport | None], bytes]:
    reports = []
    for score in scores:
        report, state = context.advance(state, score)
        reports.append(report)
    return reports, state


@of_every_kind
@few
@given(calls(), st.integers(0, 12))
def test_a_call_in_two_pieces_is_the_call(
    context: Context, scores: list[WindowScore], cut: int
) -> None:
    whole, at_the_end = told(context, scores)
    first, between = told(context, scores[:cut])
    second, after = told(context, scores[cut:], bytes(bytearray(between)))
    assert [*first, *second] == whole
    assert after == at_the_end


@of_every_kind
@few
@given(calls())
def test_an_estimate_is_a_distribution_and_its_state_is_small(
    context: Context, scores: list[WindowScore]
) -> None:
    reports, state = told(context, scores)
    assert len(state) <= LARGEST_BYTES
    for score, report in zip(scores, reports, strict=True):
        assert (report is None) == (score.emotions is None)
        if report is not None:
            assert set(report.emotions) == set(EMOTIONS)
            assert sum(report.emotions.values()) == pytest.approx(1, abs=4e-4)
            assert report.distress is None or 0 <= report.distress <= 1


@of_every_kind
@few
@given(calls(), calls())
def test_what_comes_later_changes_nothing_before(
    context: Context, scores: list[WindowScore], others: list[WindowScore]
) -> None:
    later = [one for one in others if one.start_ns > scores[-1].start_ns]
    assert told(context, [*scores, *later])[0][: len(scores)] == told(context, scores)[0]


@of_every_kind
@few
@given(calls(), st.binary(max_size=40))
def test_a_state_of_something_else_is_a_beginning(
    context: Context, scores: list[WindowScore], foreign: bytes
) -> None:
    others = [told(one, scores)[1] for one in CONTEXTS.values() if one is not context]
    for state in (foreign, *others):
        assert told(context, scores, state)[0] == told(context, scores)[0]


@few
@given(calls(), st.integers(1, 11))
def test_the_filter_only_lets_time_pass_in_a_window_without_evidence(
    scores: list[WindowScore], place: int
) -> None:
    silent = [
        msgspec.structs.replace(score, emotions=None, distress=None) if at == place else score
        for at, score in enumerate(scores)
    ]
    without = [score for at, score in enumerate(scores) if at != place]
    kept = [report for at, report in enumerate(told(FILTER, silent)[0]) if at != place]
    for one, other in zip(kept, told(FILTER, without)[0], strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            for label in EMOTIONS:
                assert one.emotions[label] == pytest.approx(other.emotions[label], abs=2e-4)


def vacuous(index: int) -> WindowScore:
    """A window in which somebody was heard and nothing was said by any expert."""
    shares = np.exp(ASSUMED.log_shares)
    return msgspec.structs.replace(
        distressed(index),
        emotions=dict(zip(EMOTIONS, shares.tolist(), strict=True)),
        distress=Distress(probability=0.1, smoothed=0.1),
    )


@few
@given(calls(), st.integers(1, 600))
def test_what_is_assumed_returns_when_nothing_is_said(scores: list[WindowScore], s: int) -> None:
    _, state = told(FILTER, scores)
    before = decode(state, Belief, FILTER.version)
    assert before is not None
    _, later = FILTER.advance(state, vacuous(60 + s))
    after = decode(later, Belief, FILTER.version)
    assert after is not None
    shares = np.exp(ASSUMED.log_shares)
    far = np.abs(np.array(before.emotions) - shares).max()
    passed_ns = START_NS + (63 + s) * SECOND_NS - before.until_ns
    left = np.abs(np.array(after.emotions) - shares).max()
    assert left == pytest.approx(far * 2.0 ** (-passed_ns / FILTER.half_life_ns), abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1))
def test_no_moment_counts_more_than_once(spans: list[tuple[int, int]]) -> None:
    ordered = sorted((start, start + length) for start, length in spans)
    until, counted = ordered[0][0], 0.0
    for start, end in ordered:
        counted += new_share(start, end, until) * (end - start)
        until = max(until, end)
    covered = {second for start, end in ordered for second in range(start, end)}
    assert counted == pytest.approx(len(covered))


@few
@given(calls(parties=("p-1", "p-2")), st.integers(0, 24))
def test_a_conversation_that_is_followed_can_be_taken_up_again(
    scores: list[WindowScore], cut: int
) -> None:
    whole = [step.report for step in follow(NETWORK, scores)]
    parties: dict[str, bytes] = {}
    conversation = b""
    reports = []
    for place, score in enumerate(scores):
        if place == cut:  # as stored and read again
            parties = {name: bytes(state) for name, state in parties.items()}
        step = NETWORK.advance_conversation(
            parties.get(score.participant, b""), conversation, score
        )
        parties[score.participant], conversation = step.party, step.conversation
        assert len(conversation) <= LARGEST_BYTES
        reports.append(step.report)
    assert reports == whole


@few
@given(calls(parties=("p-1", "p-2")))
def test_a_closed_gate_is_the_raw_estimate(scores: list[WindowScore]) -> None:
    for score, step in zip(scores, follow(CLOSED, scores), strict=True):
        assert (step.report is None) == (score.emotions is None)
        if step.report is not None and score.emotions is not None:
            for label, value in score.emotions.items():
                assert step.report.emotions[label] == pytest.approx(value, abs=6e-4)
            assert step.report.distress == (
                None
                if score.distress is None
                else pytest.approx(score.distress.probability, abs=1e-4)
            )


paths = st.lists(st.integers(0, 3), max_size=40)


@given(paths)
def test_collapsing_twice_is_collapsing_once(path: list[int]) -> None:
    once = collapse(path)
    assert BLANK not in once
    separated = [label for one in once for label in (one, BLANK)]
    assert collapse(separated) == once
    assert [run.label for run in runs(path, fewest=1)] == once


@given(paths)
def test_events_are_apart_ascending_and_long_enough(path: list[int]) -> None:
    found = runs(path)
    for run in found:
        assert run.last - run.first + 1 >= FEWEST_WINDOWS
        assert path[run.first] == path[run.last] == run.label != BLANK
    for before, after in pairwise(found):
        assert before.last < after.first
    again = [BLANK] * len(path)
    for run in found:
        again[run.first : run.last + 1] = [run.label] * (run.last - run.first + 1)
    assert [run.label for run in runs(again)] == collapse(again)
    assert set(runs(again)) == {
        run for run in runs(again) if run.last - run.first + 1 >= FEWEST_WINDOWS
    }


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_the_best_path_is_read_off_the_likeliest_columns(path: list[int]) -> None:
    log_probs = np.log(np.eye(4)[path] * 0.9 + 0.025)
    assert best_path(log_probs) == runs(path)


@few
@given(calls())
def test_records_survive_being_stored(scores: list[WindowScore]) -> None:
    _, state = told(FILTER, scores)
    record = decode(state, Belief, FILTER.version)
    assert record is not None
    assert encode(record) == state
