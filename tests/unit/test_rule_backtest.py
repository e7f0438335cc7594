"""Back-tests: what the live machine did on the same scores, and what is made of it."""

import itertools
from collections.abc import Sequence
from dataclasses import replace as with_fields
from random import Random

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Role
from inference.score import WindowScore
from storage.engine import transaction
from storage.hindsight import Reviewed, Stretch
from storage.results import ResultStore
from storage.rules import put_rule
from storage.schema import alerts
from storage.values import AlertState, ConversationFacts, ParticipantKey, Transition
from streams.alerts.backtest import BackTest, Episode, Findings
from streams.alerts.book import RuleBook
from streams.alerts.machine import advance, end
from streams.alerts.report import report
from streams.alerts.rule import Direction, Match, RuleSpec
from streams.alerts.stored import TooMuchError, load_book, run_back_test
from tests.scores import SECOND_NS, START_NS, batch, distressed

RULE = RuleSpec(metric="distress", enter=0.6, exit=0.4, for_s=3, keep_firing_for_s=4, cooldown_s=2)
HOUR_NS = 3_600 * SECOND_NS
WHOLE = Stretch(tenant="acme", from_ns=0, to_ns=START_NS + 24 * HOUR_NS)


def wandering(seed: int, seconds: int, *, conversation: str, participant: str) -> list[WindowScore]:
    """A signal that wanders between calm and distressed."""
    random, level = Random(seed), 0.5
    scores = []
    for n in range(seconds):
        level = min(max(level + random.uniform(-0.15, 0.15), 0.0), 1.0)
        value = round(level, 4)
        scores.append(distressed(n, value, conversation=conversation, participant=participant))
    return scores


def facts_of(conversation: str, ended_s: int | None = None, queue: str = "q") -> ConversationFacts:
    return ConversationFacts(
        tenant="acme",
        conversation=conversation,
        queue=queue,
        language="en",
        started_ns=START_NS,
        ended_ns=None if ended_s is None else START_NS + ended_s * SECOND_NS,
    )


def lived(scores: Sequence[WindowScore], facts: ConversationFacts, seed: int) -> list[Transition]:
    """What a worker does: windows in chunks of any size, then the end."""
    random, state, told = Random(seed), b"", []
    rest = list(scores)
    while rest:
        size = random.randint(1, 7)
        chunk, rest = rest[:size], rest[size:]
        more, state = advance(chunk, state, facts, RuleBook.only("live-name", RULE))
        told += more
    first = scores[0]
    key = ParticipantKey(first.tenant, first.run, first.conversation, first.participant)
    if facts.ended_ns is not None:
        told += end(state, facts.ended_ns, key)
    return told


def episodes_of(told: Sequence[Transition], key: tuple[str, str]) -> list[Episode]:
    fired = [one for one in told if one.state is AlertState.FIRING and one.fired_ns == one.at_ns]
    found = []
    for one in fired:
        course = [step for step in told if step.alert == one.alert]
        last = course[-1]
        assert one.fired_ns is not None
        assert last.peak is not None
        found.append(
            Episode(
                conversation=key[0],
                participant=key[1],
                since_ns=one.pending_ns,
                fired_ns=one.fired_ns,
                resolved_ns=last.at_ns if last.state is AlertState.OK else None,
                peak=last.peak,
            )
        )
    return found


async def test_it_finds_exactly_what_live_produced_on_the_same_stored_scores(
    engine: AsyncEngine,
) -> None:
    expected: list[Episode] = []
    for number in range(2):
        conversation = f"c-{number}"
        facts = facts_of(conversation, ended_s=622 if number % 2 else None)
        for participant in ("p-1", "p-2"):
            scores = wandering(
                10 * number + len(expected), 600, conversation=conversation,
                participant=participant,
            )  # fmt: skip
            high = (distressed(n, 0.9, conversation=conversation) for n in range(600, 620))
            scores += [replace(score, participant=participant) for score in high]
            await ResultStore(engine).commit([batch(scores, None)])
            told = lived(scores, facts, number)
            expected += episodes_of(told, (conversation, participant))
        if facts.ended_ns is not None:
            await ResultStore(engine).end_conversation(facts, facts.ended_ns)
    findings = await run_back_test(engine, RULE, WHOLE)
    assert len(expected) > 4
    assert any(one.resolved_ns is None for one in expected)
    assert sorted(findings.episodes, key=repr) == sorted(expected, key=repr)
    assert (findings.conversations, findings.watched_ns) == (2, 4 * 622 * SECOND_NS)


def test_every_copy_does_what_it_would_do_alone() -> None:
    scores = wandering(3, 600, conversation="c-1", participant="p-1")
    signal = [score.distress.probability for score in scores if score.distress]
    findings = tried([signal])
    assert len(findings.thresholds) == 19
    assert len({one.alerts for one in findings.thresholds}) > 3
    for one in findings.thresholds:
        alone = tried([signal], replace(RULE, enter=one.enter, exit=one.exit))
        assert (len(alone.episodes), alone.flaps) == (one.alerts, one.flaps)


async def test_a_stretch_in_the_middle_counts_only_what_fired_in_it(engine: AsyncEngine) -> None:
    scores = wandering(3, 900, conversation="c-1", participant="p-1")
    await ResultStore(engine).commit([batch(scores, None)])
    everything = (await run_back_test(engine, RULE, WHOLE)).episodes
    cut_ns = [START_NS + s * SECOND_NS for s in (0, 250, 500, 1_000)]
    parts: list[Episode] = []
    watched_ns = 0
    for from_ns, to_ns in itertools.pairwise(cut_ns):
        found = await run_back_test(
            engine, RULE, Stretch(tenant="acme", from_ns=from_ns, to_ns=to_ns)
        )
        parts += found.episodes
        watched_ns += found.watched_ns
    assert [one.fired_ns for one in parts] == [one.fired_ns for one in everything]
    assert watched_ns == 902 * SECOND_NS


async def test_it_stops_where_there_is_too_much(engine: AsyncEngine) -> None:
    scores = wandering(3, 50, conversation="c-1", participant="p-1")
    await ResultStore(engine).commit([batch(scores, None)])
    await run_back_test(engine, RULE, WHOLE, most_windows=50)
    with pytest.raises(TooMuchError, match="more than 49 windows"):
        await run_back_test(engine, RULE, WHOLE, most_windows=49)


async def test_verdicts_and_rules_are_read_from_the_database(engine: AsyncEngine) -> None:
    scores = wandering(3, 900, conversation="c-1", participant="p-1")
    await ResultStore(engine).commit([batch(scores, None)])
    first = (await run_back_test(engine, RULE, WHOLE)).episodes[0]
    row = {
        "tenant": "acme", "run": "live", "alert": "a", "conversation": "c-1",
        "participant": "p-1", "role": "customer", "queue": "billing", "language": "en",
        "rule": "calm", "rule_version": 1, "severity": "info", "metric": "smoothed",
        "state": "ok", "sinks": [], "pending_ns": first.fired_ns, "fired_ns": first.fired_ns,
        "resolved_ns": None, "evidence": [], "verdict": "right",
    }  # fmt: skip
    async with transaction(engine) as connection:
        await connection.execute(insert(alerts).values(row))
    judged = (await run_back_test(engine, RULE, WHOLE)).judged
    assert judged is not None
    assert judged.right >= 1
    stored = await put_rule(
        engine, "acme", "own", {"metric": "anger", "enter": 0.5, "exit": 0.4},
        author="ann", now_ns=START_NS,
    )  # fmt: skip
    book = await load_book(engine)
    assert "own" in {one.name for one in book.in_force("acme", stored.valid_from_ns)}
    assert "own" not in {one.name for one in book.in_force("acme", stored.valid_from_ns - 1)}
    assert "own" not in {one.name for one in book.in_force("b", stored.valid_from_ns)}


def tried(
    signals: Sequence[Sequence[float]], spec: RuleSpec = RULE, *, wanted: float | None = None,
    reviewed: Sequence[Reviewed] = (),
) -> Findings:  # fmt: skip
    """One conversation a signal."""
    test = BackTest(spec, 0, WHOLE.to_ns)
    for number, signal in enumerate(signals):
        facts = facts_of(f"c-{number}")
        scores = [
            distressed(n, value, conversation=f"c-{number}") for n, value in enumerate(signal)
        ]
        test.show(scores, facts)
        test.close(facts)
    return test.findings(reviewed, wanted_per_hour=wanted)


UP, DOWN = [0.9] * 5, [0.1] * 8


def test_a_flap_is_an_alert_that_comes_back_within_five_minutes() -> None:
    assert tried([[*UP, *DOWN, *UP, *DOWN, *UP]]).flaps == 2
    assert tried([[*UP, *DOWN, *[0.1] * 300, *UP]]).flaps == 0
    assert tried([[*UP, *DOWN], [*UP, *DOWN]]).flaps == 0


def test_delays_are_from_the_first_moment_to_firing() -> None:
    slow = [0.9, 0.5, 0.5, 0.9, 0.9, 0.9]
    findings = tried([UP, UP, UP, slow])
    assert [one.delay_ns / SECOND_NS for one in findings.episodes] == [3, 3, 3, 5]
    assert (findings.median_delay_ns, findings.p90_delay_ns) == (3 * SECOND_NS, 5 * SECOND_NS)
    nothing = tried([DOWN])
    assert (nothing.median_delay_ns, nothing.p90_delay_ns, nothing.episodes) == (None, None, ())
    assert nothing.alerts_per_hour == 0.0


def test_time_and_conversations_of_nobody_watched_do_not_count() -> None:
    spec = replace(RULE, match=Match(roles=(Role.AGENT,)))
    findings = tried([UP], spec)
    assert (findings.conversations, findings.watched_ns, findings.alerts_per_hour) == (0, 0, None)
    assert findings.thresholds[0].alerts_per_hour is None
    assert report(findings, WHOLE).alerts_per_hour is None


def verdict(second: int, said: str, **fields: object) -> Reviewed:
    one = Reviewed(
        conversation="c-0",
        participant="p-1",
        metric="distress",
        pending_ns=START_NS + second * SECOND_NS,
        resolved_ns=START_NS + (second + 5) * SECOND_NS,
        verdict=said,
    )
    return with_fields(one, **fields)  # type: ignore[arg-type]  # fields of Reviewed


def test_precision_is_judged_where_people_judged_the_same_moment() -> None:
    signal = [*UP, *DOWN, *UP, *DOWN, *UP, *DOWN, *[0.1] * 20]
    reviewed = [
        verdict(4, "right"),
        verdict(5, "wrong", resolved_ns=START_NS + 6 * SECOND_NS),  # overlaps less
        verdict(18, "wrong"),
        verdict(31, "unclear", metric="smoothed", resolved_ns=None),
        verdict(58, "right"),  # nothing fires there
        verdict(4, "wrong", conversation="c-9"),
        verdict(4, "wrong", participant="p-2"),
        verdict(4, "wrong", metric="change"),
    ]
    judged = tried([signal], reviewed=reviewed).judged
    assert judged is not None
    assert (judged.right, judged.wrong, judged.unclear, judged.missed) == (1, 1, 1, 1)
    assert judged.precision == 0.5
    assert tried([signal]).judged is None
    only = tried([signal], reviewed=[verdict(4, "unclear")]).judged
    assert only is not None
    assert only.precision is None


def test_a_threshold_is_suggested_from_the_strict_side() -> None:
    # peaks of every height: the higher the threshold, the fewer of them
    peaks = [[*[height / 20] * 5, *[0.0] * 8] for height in range(1, 20)]
    signal = [value for peak in peaks for value in peak]
    hours = (len(signal) + 2) / 3_600
    for most in (1, 5, 10):
        found = tried([signal], wanted=(most + 0.5) / hours).suggested
        assert found is not None
        assert found.alerts == most
    assert tried([signal]).suggested is None
    assert tried([signal], wanted=0.5 / hours).suggested is None
    # one alert that never ends is no quiet rule: 0.05 is not suggested
    blocks = [value for _ in range(20) for value in [*[0.9] * 5, *[0.2] * 8]]
    found = tried([blocks], replace(RULE, exit=0.6), wanted=2 * 3_600 / len(blocks)).suggested
    assert found is None or found.enter > 0.3


@pytest.mark.parametrize(
    ("spec", "low", "high"),
    [
        (RULE, 0.0, 1.0),
        (RuleSpec(metric="change", enter=2.5, exit=1.5), 0.0, 6.0),
        (RuleSpec(metric="valence", enter=-0.5, exit=-0.2, direction=Direction.BELOW), -1.0, 0.0),
        (RuleSpec(metric="valence", enter=-0.5, exit=-0.7), -1.0, 1.0),
    ],
)
def test_thresholds_cover_the_side_on_which_the_rule_fires_and_can_resolve(
    spec: RuleSpec, low: float, high: float
) -> None:
    levels = tried([UP], spec).thresholds
    assert {one.enter for one in levels} >= {spec.enter}
    assert levels[0].enter == low + (high - low) / 20
    assert levels[-1].enter == high - (high - low) / 20
    for one in levels:
        assert low < one.exit < high
        assert spec.sign * one.exit < spec.sign * one.enter


def test_of_equal_rates_the_nearest_threshold_is_suggested() -> None:
    found = tried([[*UP, *DOWN]], wanted=10_000).suggested
    assert found is not None
    assert (found.enter, found.exit) == (RULE.enter, RULE.exit)


def test_silence_has_one_threshold_and_none_is_suggested() -> None:
    findings = tried([UP], RuleSpec(metric="silence", enter=1, exit=1), wanted=1)
    assert (findings.thresholds, findings.suggested) == ((), None)


def test_a_report_says_it_under_public_names() -> None:
    reviewed = [verdict(4, "right"), verdict(18, "wrong")]
    findings = tried([[*UP, *DOWN, *UP, *DOWN]], wanted=500.0, reviewed=reviewed)
    body = msgspec.to_builtins(report(findings, WHOLE))
    assert body["from"] == "1970-01-01T00:00:00Z"
    assert body["to"] == "2025-11-25T16:00:00Z"
    assert (body["conversations"], body["alerts"], body["flaps"]) == (1, 2, 1)
    assert body["hours"] == round(28 / 3_600, 4)
    assert body["alerts_per_hour"] == round(2 / (28 / 3_600), 2)
    assert body["delay_s"] == {"median": 3.0, "p90": 3.0}
    assert body["reviewed"] == {
        "right": 1, "wrong": 1, "unclear": 0, "missed": 0, "precision": 0.5,
    }  # fmt: skip
    assert body["episodes"][0] == {
        "conversation": "c-0", "participant": "p-1", "since": "2025-11-24T16:00:03Z",
        "fired": "2025-11-24T16:00:06Z", "resolved": "2025-11-24T16:00:12Z", "peak": 0.9,
    }  # fmt: skip
    [own] = [one for one in body["thresholds"] if one["enter"] == 0.6]
    assert own == {"enter": 0.6, "exit": 0.4, "alerts_per_hour": 257.14, "flaps": 1}
    assert body["suggested"] == {"enter": 0.6, "exit": 0.4, "alerts_per_hour": 257.14}
