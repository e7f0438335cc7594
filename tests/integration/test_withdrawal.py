"""What policy decides is on record once, and a withdrawal leaves nothing of what came after."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import to_json
from inference.labels import Modality
from storage.aggregates import read_aggregates
from storage.cache import MemoryCache
from storage.consents import ConsentPlace, list_consents
from storage.conversations import list_conversations
from storage.decisions import DecisionPlace, list_decisions, read_decisions
from storage.engine import snapshot, transaction
from storage.moments import MomentKey
from storage.own_labels import LabelJudgement, judge_moment, put_label
from storage.results import ResultStore
from storage.rollups import read_rollups, recount
from storage.schema import (
    alert_events,
    alerts,
    deliveries,
    feed,
    label_judgements,
    moments,
    outbox,
    progress,
    rollups,
    utterances,
)
from storage.scores import read_scores
from storage.values import (
    ConsentChange,
    ConversationFacts,
    ConversationKey,
    ParticipantBatch,
    ParticipantKey,
    PolicyNews,
    Ruling,
    Utterance,
)
from storage.withdrawal import PolicyStore
from streams.worker.relay import Relay
from tests.integration.test_relay import FakeKafka
from tests.moments import moment, noise
from tests.scores import SECOND_NS, START_NS, batch, distressed

KEY = ConversationKey("acme", "c-1")
FACTS = ConversationFacts(
    tenant="acme", conversation="c-1", queue="billing", language="en", started_ns=START_NS
)


def ruling(
    at_ns: int = START_NS,
    *,
    allowed: bool = True,
    participant: str = "p-1",
    modality: Modality = Modality.SPEECH,
    profile: str = "eu",
    reason: str = "a rule",
) -> Ruling:
    return Ruling(
        participant=participant,
        modality=modality,
        at_ns=at_ns,
        allowed=allowed,
        reason=reason,
        profile=profile,
        facts={"role": "customer", "notice": "yes", "consent": None},
    )


def no(after_s: float, participant: str = "p-1") -> ConsentChange:
    return ConsentChange(
        participant=participant, at_ns=START_NS + int(after_s * SECOND_NS), consent="no"
    )


def news(
    *consents: ConsentChange,
    rulings: Sequence[Ruling] = (),
    key: ConversationKey = KEY,
    passed: dict[str, int] | None = None,
    run: str = "live",
) -> PolicyNews:
    return PolicyNews(
        key=key,
        run=run,
        rulings=tuple(rulings),
        consents=consents,
        passed=passed or {},
        events=len(consents),
    )


async def stored(
    engine: AsyncEngine, seconds: int, *, participant: str = "p-1"
) -> ParticipantBatch:
    scores = [distressed(n, 0.01 * n, participant=participant) for n in range(seconds)]
    done = batch(scores, None)
    assert not (await ResultStore(engine).commit([done])).rejected
    return done


async def rows(engine: AsyncEngine, table: Any) -> list[dict[str, Any]]:
    async with snapshot(engine) as connection:
        return [dict(row) for row in (await connection.execute(select(table))).mappings()]


async def ends(engine: AsyncEngine, run: str = "live", participant: str = "p-1") -> list[int]:
    scores = await read_scores(engine, KEY, run, participant=participant)
    return [(score.end_ns - START_NS) // SECOND_NS for score in scores]


async def test_a_decision_is_stored_once_and_each_change_of_it(engine: AsyncEngine) -> None:
    store = PolicyStore(engine)
    first = [ruling(), ruling(START_NS + 9, allowed=False)]
    written = [await store.record(news(rulings=told)) for told in (first[:1], first, first)]
    assert written == [first[:1], first[1:], []]
    found = await read_decisions(engine, KEY)
    assert [one.ruling for one in found] == first
    assert [one.conversation for one in found] == ["c-1", "c-1"]


async def test_a_decision_that_stands_already_is_not_stored_from_another_time(
    engine: AsyncEngine,
) -> None:
    store = PolicyStore(engine)
    for at_ns in (START_NS, START_NS + 5, START_NS - 5):
        await store.record(news(rulings=[ruling(at_ns)]))
    assert [one.ruling.at_ns for one in await read_decisions(engine, KEY)] == [START_NS]


async def test_a_fact_that_came_late_corrects_the_decision_of_its_time(engine: AsyncEngine) -> None:
    store = PolicyStore(engine)
    await store.record(news(rulings=[ruling(allowed=False, reason="role unknown")]))
    await store.record(news(rulings=[ruling()]))
    assert [one.ruling for one in await read_decisions(engine, KEY)] == [ruling()]


async def test_another_profile_decides_from_the_next_window_on(engine: AsyncEngine) -> None:
    store = PolicyStore(engine)
    await store.record(news(rulings=[ruling()]))
    later = ruling(allowed=False, profile="text-only")
    for _ in range(2):
        await store.record(news(rulings=[later], passed={"p-1": START_NS + 7}))
    found = [one.ruling for one in await read_decisions(engine, KEY)]
    assert found == [ruling(), replace(later, at_ns=START_NS + 7)]


async def test_decisions_are_listed_newest_first_and_by_tenant(engine: AsyncEngine) -> None:
    store = PolicyStore(engine)
    told = [
        ruling(START_NS + n // 2, allowed=n != 3, participant=f"p-{n}", modality=modality)
        for n in range(4)
        for modality in (Modality.SPEECH, Modality.TEXT)
    ]
    await store.record(news(rulings=told))
    await store.record(news(rulings=[ruling()], key=ConversationKey("globex", "c-9")))

    async def pages(**wanted: Any) -> list[Ruling]:
        found: list[Ruling] = []
        after = None
        while page := await list_decisions(engine, "acme", after=after, limit=3, **wanted):
            found += [one.ruling for one in page]
            last = page[-1]
            after = DecisionPlace(
                last.ruling.at_ns,
                last.conversation,
                last.ruling.participant,
                last.ruling.modality,
            )
        return found

    assert await pages() == sorted(
        told, key=lambda one: (-one.at_ns, one.participant, one.modality)
    )
    assert {one.participant for one in await pages(allowed=False)} == {"p-3"}
    assert {one.participant for one in await pages(allowed=True, to_ns=START_NS + 1)} == {
        "p-0",
        "p-1",
    }
    assert {one.participant for one in await pages(from_ns=START_NS + 1)} == {"p-2", "p-3"}


async def test_what_was_said_is_stored_once(engine: AsyncEngine) -> None:
    said = [
        ConsentChange(participant="-", at_ns=START_NS, notice="yes"),
        ConsentChange(participant="p-1", at_ns=START_NS + 1, consent="yes"),
    ]
    for _ in range(2):
        await PolicyStore(engine).record(news(*said))
    found = await list_consents(engine, "acme", limit=9)
    assert [(one.conversation, one.change, one.deleted_windows) for one in found] == [
        ("c-1", said[1], 0),
        ("c-1", said[0], 0),
    ]
    assert await list_consents(engine, "globex", limit=9) == []


async def test_what_is_not_said_again_stays_on_record(engine: AsyncEngine) -> None:
    """After the call a worker knows of nothing but the withdrawal."""
    await stored(engine, 9)
    store = PolicyStore(engine)
    whole = replace(no(5), notice="yes")
    await store.record(news(replace(whole, consent=None)))
    for _ in range(2):
        await store.record(news(no(5)))
        [found] = await list_consents(engine, "acme", limit=9)
        assert (found.change, found.deleted_windows) == (whole, 6)


async def test_a_withdrawal_deletes_what_ends_after_it_and_nothing_else(
    engine: AsyncEngine,
) -> None:
    await stored(engine, 130)
    await stored(engine, 130, participant="p-2")
    neighbour = await read_scores(engine, KEY, "live", participant="p-2")
    for _ in range(2):
        await PolicyStore(engine).record(news(no(70)))
    assert await ends(engine) == list(range(3, 71))
    assert await read_scores(engine, KEY, "live", participant="p-2") == neighbour
    [consent] = await list_consents(engine, "acme", limit=9)
    assert consent.deleted_windows == 130 - 68
    assert await read_rollups(engine, KEY, "live") == await recount(engine, KEY, "live", FACTS)


async def test_a_withdrawal_of_everybody_is_one_of_each(engine: AsyncEngine) -> None:
    for participant in ("p-1", "p-2"):
        await stored(engine, 9, participant=participant)
    await PolicyStore(engine).record(news(no(5, "-")))
    assert await ends(engine) == await ends(engine, participant="p-2") == [3, 4, 5]


async def test_consent_given_again_keeps_what_came_after_it(engine: AsyncEngine) -> None:
    await stored(engine, 12)
    again = ConsentChange(participant="p-1", at_ns=START_NS + 8 * SECOND_NS, consent="yes")
    await PolicyStore(engine).record(news(no(5), again))
    assert await ends(engine) == [3, 4, 5, 11, 12, 13, 14]


async def test_scores_of_every_run_go(engine: AsyncEngine) -> None:
    await stored(engine, 9)
    again = [distressed(n, run="again") for n in range(9)]
    await ResultStore(engine).commit([batch(again, None)])
    await PolicyStore(engine).record(news(no(4), run="again"))
    assert await ends(engine) == await ends(engine, "again") == [3, 4]
    assert "withdrawn" not in {row["kind"] for row in await rows(engine, outbox)}


async def test_a_batch_that_was_scored_before_the_withdrawal_came_is_refused(
    engine: AsyncEngine,
) -> None:
    first = await stored(engine, 5)
    racing = batch([distressed(5)], first.progress)
    await PolicyStore(engine).record(news(no(6)))
    result = await ResultStore(engine).commit([racing])
    assert set(result.rejected) == {racing.key}
    assert await ends(engine) == [3, 4, 5, 6]


async def test_a_first_batch_that_races_with_a_withdrawal_is_refused(engine: AsyncEngine) -> None:
    racing = batch([distressed(0), distressed(1)], None)
    passed = START_NS - SECOND_NS
    await PolicyStore(engine).record(news(no(1), passed={"p-1": passed}))
    result = await ResultStore(engine).commit([racing])
    assert await read_scores(engine, KEY, "live") == []
    stands = result.rejected[racing.key]
    assert stands is not None
    assert stands.closed_until_ns == passed


async def test_every_withdrawal_refuses_the_batches_before_it(engine: AsyncEngine) -> None:
    done = await stored(engine, 5)
    for after_s in (8, 7):
        await PolicyStore(engine).record(news(no(after_s)))
        resumed = (await ResultStore(engine).resume("live", [KEY]))[KEY].progress["p-1"]
        assert resumed != done.progress
        done = replace(done, progress=resumed)


async def test_what_is_carried_stays_only_if_nothing_after_the_withdrawal_went_into_it(
    engine: AsyncEngine,
) -> None:
    done = await stored(engine, 5)
    await PolicyStore(engine).record(news(no(7)))
    [row] = await rows(engine, progress)
    assert row["state"] == done.progress.state
    await PolicyStore(engine).record(news(no(6)))
    [row] = await rows(engine, progress)
    assert (row["state"], row["alerts"]) == (b"", b"")
    assert row["closed_until_ns"] == done.progress.closed_until_ns


async def test_messages_of_what_was_deleted_are_never_delivered(engine: AsyncEngine) -> None:
    await stored(engine, 9)
    relay = Relay(engine, MemoryCache(), FakeKafka())
    await relay.serve("feed")
    await PolicyStore(engine).record(news(no(5)))
    waiting = await rows(engine, outbox)
    assert {row["kind"] for row in waiting} == {"score", "withdrawn"}
    assert (
        max(row["at_ns"] for row in waiting if row["kind"] == "score") == START_NS + 2 * SECOND_NS
    )
    assert {row["outbox_id"] for row in await rows(engine, deliveries)} == {
        row["id"] for row in waiting
    }
    assert len(await rows(engine, feed)) == 3


async def test_the_cache_and_the_feed_are_told(engine: AsyncEngine) -> None:
    await stored(engine, 9)
    cache = MemoryCache()
    relay = Relay(engine, cache, FakeKafka())
    await relay.serve("cache")
    [before] = await cache.aggregates("acme")
    await PolicyStore(engine).record(news(no(5)))
    for sink in ("cache", "feed"):
        await relay.serve(sink)
    [after] = await cache.aggregates("acme")
    assert (before.windows, after.windows) == (9, 3)
    assert after.version > before.version
    assert [after] == await read_aggregates(engine)
    last = (await rows(engine, feed))[-1]
    assert last["kind"] == "withdrawn"
    assert msgspec.json.decode(last["payload"]) == {
        "tenant": "acme",
        "conversation": "c-1",
        "participant": "p-1",
        "withdrawn_ns": START_NS + 5 * SECOND_NS,
        "deleted_windows": 6,
    }


def alert_row(name: str, fired_s: int, resolved_s: int | None) -> dict[str, Any]:
    at = {None: None} | {s: START_NS + s * SECOND_NS for s in range(99)}
    return {
        "tenant": "acme",
        "run": "live",
        "alert": name,
        "conversation": "c-1",
        "participant": "p-1",
        "role": "customer",
        "queue": "billing",
        "language": "en",
        "rule": f"rule-{name}",
        "rule_version": 0,
        "severity": "warning",
        "metric": "distress",
        "state": "firing" if resolved_s is None else "resolved",
        "pending_ns": START_NS + SECOND_NS,
        "fired_ns": at[fired_s],
        "sinks": ["webhook:crm"],
        "resolved_ns": at[resolved_s],
        "reason": None,
        "peak": 0.9,
        "evidence": [{"start_ns": START_NS + 9 * SECOND_NS, "value": 0.9, "cues": []}],
        "narrative": f"What led to {name}.",
        "narrator": "template-1",
    }


def event_row(name: str, state: str, at_s: int, value: float) -> dict[str, Any]:
    return {
        "tenant": "acme",
        "run": "live",
        "conversation": "c-1",
        "participant": "p-1",
        "rule": f"rule-{name}",
        "at_ns": START_NS + at_s * SECOND_NS,
        "state": state,
        "alert": name,
        "rule_version": 0,
        "reason": None,
        "value": value,
        "evidence": [
            {
                "start_ns": START_NS + (at_s - 3) * SECOND_NS,
                "end_ns": START_NS + at_s * SECOND_NS,
                "value": value,
                "cues": [],
            }
        ],
    }


async def test_a_list_says_of_whom_the_newest_decisions_leave_anything(engine: AsyncEngine) -> None:
    await stored(engine, 1)
    assert await permitted(engine) is None
    store = PolicyStore(engine)
    await store.record(news(rulings=[ruling(allowed=False), ruling(modality=Modality.TEXT)]))
    assert await permitted(engine) is True
    await store.record(news(rulings=[ruling(START_NS + 1, modality=Modality.TEXT, allowed=False)]))
    assert await permitted(engine) is False


async def permitted(engine: AsyncEngine) -> bool | None:
    """What the list of conversations says of the one participant."""
    (call,) = await list_conversations(engine, "acme", limit=10)
    (one,) = call.participants
    return one.permitted


async def test_alerts_that_rest_on_what_was_deleted_go_and_running_ones_resolve(
    engine: AsyncEngine,
) -> None:
    await stored(engine, 12)
    async with transaction(engine) as connection:
        await connection.execute(
            insert(alerts),
            [
                alert_row("over", 4, 5),
                alert_row("runs", 5, None),
                alert_row("late", 8, None),
                alert_row("cut", 4, 9),
            ],
        )
        await connection.execute(
            insert(alert_events),
            [
                event_row("over", "firing", 4, 0.7),
                event_row("over", "ok", 5, 0.1),
                event_row("runs", "firing", 5, 0.8),
                event_row("runs", "resolving", 9, 0.2),
                event_row("late", "firing", 8, 0.9),
                event_row("cut", "firing", 4, 0.6),
                event_row("cut", "ok", 9, 0.1),
                event_row("never", "pending", 11, 0.9),
            ],
        )
        for at_s, name in ((5, "runs"), (8, "late")):
            body = msgspec.json.encode({"transition": "firing", "alert": {"id": name}})
            values = {"tenant": "acme", "conversation": "c-1", "kind": "alert", "payload": body}
            await connection.execute(insert(feed).values(**values, stored_ns=0))
            await connection.execute(
                insert(outbox).values(
                    **values, id=name, participant="p-1", at_ns=START_NS + at_s * SECOND_NS
                )
            )
    await PolicyStore(engine).record(news(no(6)))
    left = {row["alert"]: row for row in await rows(engine, alerts)}
    assert set(left) == {"over", "runs", "cut"}
    assert left["over"].items() >= alert_row("over", 4, 5).items()
    for name, value in (("runs", 0.8), ("cut", 0.6)):
        row = left[name]
        assert (row["state"], row["reason"], row["peak"]) == ("resolved", "withdrawn", value)
        assert row["resolved_ns"] == START_NS + 6 * SECOND_NS
        assert [item["value"] for item in row["evidence"]] == [value]
        assert row["narrative"] == f"What led to {name}.", "it rests on what came before it fired"
    said = sorted(
        (row["alert"], row["state"], row["reason"]) for row in await rows(engine, alert_events)
    )
    assert said == [
        ("cut", "firing", None),
        ("cut", "ok", "withdrawn"),
        ("over", "firing", None),
        ("over", "ok", None),
        ("runs", "firing", None),
        ("runs", "ok", "withdrawn"),
    ]
    told = [row for row in await rows(engine, outbox) if row["kind"] == "alert"]
    assert "runs" in [row["id"] for row in told], "that it fired before the withdrawal stays true"
    ended = {
        body["alert"]["id"]: body["alert"]
        for row in told
        if (body := msgspec.json.decode(row["payload"]))["transition"] == "resolved"
    }
    assert {name: alert["reason"] for name, alert in ended.items()} == dict.fromkeys(
        ("runs", "late", "cut"), "withdrawn"
    )
    assert (ended["late"]["evidence"], ended["late"]["peak"]) == ([], None)
    assert (ended["late"]["narrative"], ended["late"]["narrator"]) == (None, None)
    assert ended["runs"]["narrative"] == "What led to runs."
    heard = [row["sink"] for row in await rows(engine, deliveries)]
    assert heard.count("webhook:crm") == 3
    assert "late" not in str([row["payload"] for row in await rows(engine, feed)])


async def test_the_feed_of_somebody_else_stays(engine: AsyncEngine) -> None:
    await stored(engine, 4, participant="p-2")
    await Relay(engine, MemoryCache(), FakeKafka()).serve("feed")
    before = await rows(engine, feed)
    await PolicyStore(engine).record(news(no(0)))
    assert await rows(engine, feed) == before
    assert before[0]["payload"] == to_json(distressed(0, 0.0, participant="p-2"))


@pytest.mark.parametrize("key", [ParticipantKey("acme", "live", "c-1", "p-1")])
async def test_windows_before_a_withdrawal_go_on_where_progress_stands(
    engine: AsyncEngine, key: ParticipantKey
) -> None:
    await stored(engine, 3)
    await PolicyStore(engine).record(news(no(8)))
    stands = (await ResultStore(engine).resume("live", [KEY]))[KEY].progress[key.participant]
    next_one = batch([distressed(3)], stands)
    assert not (await ResultStore(engine).commit([next_one])).rejected
    assert await ends(engine) == [3, 4, 5, 6]


async def test_one_moment_may_be_withdrawn_twice(engine: AsyncEngine) -> None:
    await stored(engine, 9)
    both = (no(5, "-"), no(5))
    store = PolicyStore(engine)
    await store.record(news(*both))
    noticed = replace(both[1], notice="no")
    await store.record(news(both[0], noticed))
    told = [row for row in await rows(engine, outbox) if row["kind"] == "withdrawn"]
    assert len(told) == 1
    deleted = {
        one.change.participant: one.deleted_windows
        for one in await list_consents(engine, "acme", limit=9)
    }
    assert deleted == {"-": 6, "p-1": 0}


async def test_words_that_reach_beyond_a_withdrawal_go(engine: AsyncEngine) -> None:
    scores = [distressed(n) for n in range(9)]
    words = [
        Utterance(
            participant="p-1",
            segment=f"s-{n}",
            start_ns=START_NS + n * SECOND_NS,
            end_ns=START_NS + (n + 1) * SECOND_NS,
            text="words",
            language="en",
        )
        for n in range(9)
    ]
    await ResultStore(engine).commit([replace(batch(scores, None), words=tuple(words))])
    await PolicyStore(engine).record(news(no(3.5)))
    assert [row["segment"] for row in await rows(engine, utterances)] == ["s-0", "s-1", "s-2"]


async def test_moments_and_what_was_judged_of_them_go_with_their_windows(
    engine: AsyncEngine,
) -> None:
    scores = [distressed(n) for n in range(9)]
    found = tuple(moment(score, noise(n)) for n, score in enumerate(scores))
    other = batch([distressed(0, participant="p-2")], None)
    beside = (moment(other.scores[0], noise(9)),)
    await ResultStore(engine).commit(
        [replace(batch(scores, None), moments=found), replace(other, moments=beside)]
    )
    await put_label(engine, "acme", "calm", ["calm"], by="ana", now_ns=1, most=9)
    for score in (scores[0], scores[8], other.scores[0]):
        key = MomentKey("c-1", score.participant, score.start_ns)
        judgement = LabelJudgement(key=key, holds=True, judged_ns=1, judged_by="ana")
        assert await judge_moment(engine, "acme", "calm", judgement) is not None
    await PolicyStore(engine).record(news(no(5)))
    left = [
        (row["participant"], (row["start_ns"] - START_NS) // SECOND_NS)
        for row in await rows(engine, moments)
    ]
    assert sorted(left) == [("p-1", 0), ("p-1", 1), ("p-1", 2), ("p-2", 0)]
    judged = [(row["participant"], row["start_ns"]) for row in await rows(engine, label_judgements)]
    assert sorted(judged) == [("p-1", START_NS), ("p-2", START_NS)]


async def test_minutes_that_retention_took_are_not_counted_again(engine: AsyncEngine) -> None:
    await stored(engine, 9)
    async with transaction(engine) as connection:
        await connection.execute(delete(rollups))
    await PolicyStore(engine).record(news(no(5)))
    assert await ends(engine) == [3, 4, 5]
    assert await rows(engine, rollups) == []


async def test_consents_are_paged_and_asked_for_by_conversation(engine: AsyncEngine) -> None:
    for conversation in ("c-1", "c-2", "c-3"):
        key = ConversationKey("acme", conversation)
        await PolicyStore(engine).record(news(no(1), no(2), key=key))
    found: list[tuple[str, int]] = []
    after = None
    while page := await list_consents(engine, "acme", after=after, limit=2):
        found += [(one.conversation, one.change.at_ns) for one in page]
        last = page[-1]
        after = ConsentPlace(last.change.at_ns, last.conversation, last.change.participant)
    assert found == sorted(found, key=lambda one: (-one[1], one[0]))
    assert len(found) == 6
    some = await list_consents(engine, "acme", conversation="c-2", limit=9)
    assert {one.conversation for one in some} == {"c-2"}
