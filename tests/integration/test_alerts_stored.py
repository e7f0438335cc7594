"""Alerts are stored with the scores that caused them: whole, once, or not at all."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import Table, delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import format_time
from inference.score import WindowScore
from storage import handling
from storage.alerts import (
    AlertFilter,
    AlertJson,
    AlertNews,
    AlertPlace,
    list_alerts,
    read_alert,
    snoozed_until,
)
from storage.deliveries import DeliveryPlace, list_deliveries, retry
from storage.engine import snapshot, transaction
from storage.outbox import give_up, pending, put_off_all
from storage.results import ResultStore
from storage.schema import alert_events, alerts, deliveries, outbox
from storage.transitions import resolve
from storage.values import ConversationKey, Progress
from streams.worker.alerting import end_alerts
from tests.alert_batches import judged, rises_and_falls
from tests.scores import SECOND_NS, START_NS, batch, distressed

KEY = ConversationKey("acme", "c-1")
FIRED_NS = START_NS + 7 * SECOND_NS
"""End of the window that fires."""
RESOLVED_NS = START_NS + 11 * SECOND_NS


async def rows(engine: AsyncEngine, table: Table) -> list[dict[str, Any]]:
    query = select(table).order_by(*table.primary_key.columns)
    async with snapshot(engine) as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]


async def store(
    engine: AsyncEngine, scores: Sequence[WindowScore], expected: Progress | None = None
) -> Progress:
    one = judged(scores, expected)
    result = await ResultStore(engine).commit([one])
    assert not result.rejected
    assert not result.failed
    return one.progress


async def only_alert(engine: AsyncEngine) -> AlertJson:
    [(_, alert)] = await list_alerts(engine, "acme", AlertFilter(), limit=10)
    return alert


async def told(engine: AsyncEngine, sink: str) -> list[tuple[str, AlertJson]]:
    messages = await pending(engine, sink, now_ns=0, limit=100)
    news = [
        msgspec.json.decode(message.payload, type=AlertNews)
        for message in messages
        if message.kind == "alert"
    ]
    return [(one.transition, one.alert) for one in news]


async def test_an_alert_is_stored_with_its_course_and_told_twice(engine: AsyncEngine) -> None:
    await store(engine, rises_and_falls())
    alert = await only_alert(engine)
    assert (alert.rule, alert.state, alert.reason, alert.peak) == (
        "loud", "resolved", "recovered", 0.9,
    )  # fmt: skip
    assert (alert.queue, alert.language, alert.role) == ("billing", "en", "customer")
    assert alert.fired == format_time(FIRED_NS)
    assert alert.resolved == format_time(RESOLVED_NS)
    assert alert.link == f"/conversations/c-1?at={alert.since}"
    assert [window.value for window in alert.evidence] == [0.9, 0.9, 0.9]
    assert alert.evidence[0].cues[0].cue == "loud for this line"
    detail = await read_alert(engine, "acme", alert.id)
    assert detail is not None
    assert [event.state for event in detail.events] == ["pending", "firing", "resolving", "ok"]
    for sink in ("kafka", "feed", "webhook:crm", "alertmanager"):
        assert [step for step, _ in await told(engine, sink)] == ["firing", "resolved"]
    assert await told(engine, "cache") == []
    assert [one.sink for one in detail.deliveries] == [
        "alertmanager", "feed", "kafka", "webhook:crm",
    ] * 2  # fmt: skip


async def test_pieces_store_what_the_whole_stores(engine: AsyncEngine) -> None:
    scores = rises_and_falls("c-whole")
    await store(engine, scores)
    progress = None
    for score in rises_and_falls("c-parts"):
        progress = await store(engine, [score], progress)
    found = await rows(engine, alert_events)
    whole = [row for row in found if row["conversation"] == "c-whole"]
    parts = [row for row in found if row["conversation"] == "c-parts"]
    other = {"alert", "conversation"}
    assert [{k: v for k, v in row.items() if k not in other} for row in whole] == [
        {k: v for k, v in row.items() if k not in other} for row in parts
    ]
    assert len(whole) == 4


async def test_a_worker_that_died_before_the_answer_stores_nothing_twice(
    engine: AsyncEngine,
) -> None:
    store_ = ResultStore(engine)
    one = judged(rises_and_falls())
    assert not (await store_.commit([one])).rejected
    before = [await rows(engine, table) for table in (alert_events, alerts, outbox, deliveries)]
    assert (await store_.commit([one])).rejected == {one.key: one.progress}
    after = [await rows(engine, table) for table in (alert_events, alerts, outbox, deliveries)]
    assert before == after


async def test_a_rejected_batch_leaves_no_trace_of_its_alerts(engine: AsyncEngine) -> None:
    calm = batch([distressed(0, 0.1)], None)
    await ResultStore(engine).commit([calm])
    zombie = judged(rises_and_falls())
    assert zombie.transitions
    assert (await ResultStore(engine).commit([zombie])).rejected
    assert await rows(engine, alert_events) == []
    assert await rows(engine, alerts) == []


async def test_a_replay_stores_the_same_and_tells_nobody(engine: AsyncEngine) -> None:
    await store(engine, rises_and_falls())
    before = await rows(engine, outbox)
    await store(engine, rises_and_falls(run="again"))
    assert await rows(engine, outbox) == before
    [live, again] = sorted(await rows(engine, alerts), key=lambda row: row["run"] != "live")
    other = {"run", "alert"}
    assert {k: v for k, v in live.items() if k not in other} == {
        k: v for k, v in again.items() if k not in other
    }
    assert live["alert"] != again["alert"]
    assert (await only_alert(engine)).run == "live"


async def test_an_alert_that_swings_back_stays_the_same_alert(engine: AsyncEngine) -> None:
    levels = [0.9, 0.9, 0.9, 0.1, 0.95, 0.95, 0.1]
    progress = await store(engine, [distressed(n, level) for n, level in enumerate(levels[:4])])
    assert (await only_alert(engine)).state == "resolving"
    later = [distressed(n, level) for n, level in enumerate(levels)][4:]
    progress = await store(engine, later[:2], progress)
    assert (await only_alert(engine)).state == "firing"
    await store(engine, later[2:], progress)
    alert = await only_alert(engine)
    assert (alert.state, alert.peak) == ("resolving", 0.95)
    assert [step for step, _ in await told(engine, "kafka")] == ["firing"]


async def test_a_course_that_never_fires_is_no_alert(engine: AsyncEngine) -> None:
    await store(engine, [distressed(0, 0.9), distressed(1, 0.1)])
    assert {row["state"] for row in await rows(engine, alert_events)} == {"pending", "ok"}
    assert await list_alerts(engine, "acme", AlertFilter(), limit=10) == []
    assert await told(engine, "kafka") == []


@pytest.mark.parametrize("asked", [True, False])
async def test_the_end_of_a_call_ends_what_fires_and_what_is_pending(
    engine: AsyncEngine, *, asked: bool
) -> None:
    """With the state machine's word the peak is right; without it nothing stays open either."""
    loud = [distressed(0, 0.7), distressed(1, 0.7), distressed(2, 0.7), distressed(3, 0.95)]
    one = judged(loud)
    pending_only = judged([distressed(0, 0.9, participant="p-2")])
    store_ = ResultStore(engine, end_alerts=end_alerts if asked else None)
    await store_.commit([one, pending_only])
    ended_ns = START_NS + 10 * SECOND_NS
    for _ in range(2):
        await store_.end_conversation(one.conversation, ended_ns)
    alert = await only_alert(engine)
    assert (alert.state, alert.reason) == ("resolved", "ended")
    assert alert.resolved == format_time(ended_ns)
    assert alert.peak == (0.95 if asked else 0.7)
    assert [step for step, _ in await told(engine, "webhook:crm")] == ["firing", "resolved"]
    over = [row for row in await rows(engine, alert_events) if row["state"] == "ok"]
    assert {(row["participant"], row["reason"]) for row in over} == {
        ("p-1", "ended"), ("p-2", "ended"),
    }  # fmt: skip


async def test_an_end_before_the_last_window_comes_after_the_alert(engine: AsyncEngine) -> None:
    one = judged([distressed(n, 0.9) for n in range(3)])
    store_ = ResultStore(engine)
    await store_.commit([one])
    await store_.end_conversation(one.conversation, START_NS)
    assert (await only_alert(engine)).resolved == (await only_alert(engine)).fired
    assert [step for step, _ in await told(engine, "kafka")] == ["firing", "resolved"]


async def test_what_one_party_has_open_can_be_ended_alone(engine: AsyncEngine) -> None:
    mine = judged([distressed(n, 0.9) for n in range(3)])
    other = judged([distressed(n, 0.9, participant="p-2") for n in range(3)])
    await ResultStore(engine).commit([mine, other])
    async with transaction(engine) as connection:
        ended = await resolve(
            connection, KEY, reason="withdrawn", at_ns=FIRED_NS, participant="p-2"
        )
    assert ended == 1
    found = await list_alerts(engine, "acme", AlertFilter(state="open"), limit=10)
    assert [alert.participant for _, alert in found] == ["p-1"]


async def test_what_was_withdrawn_does_not_end_again_with_the_call(engine: AsyncEngine) -> None:
    one = judged([distressed(n, 0.9) for n in range(3)])
    store_ = ResultStore(engine, end_alerts=end_alerts)
    await store_.commit([one])
    ended_ns = START_NS + 10 * SECOND_NS
    async with transaction(engine) as connection:
        await resolve(connection, KEY, reason="withdrawn", at_ns=ended_ns, participant="p-1")
    late = judged([distressed(3, 0.9)], one.progress)
    assert (await store_.commit([late])).rejected == {late.key: replace(one.progress, alerts=b"")}
    await store_.end_conversation(one.conversation, ended_ns)
    alert = await only_alert(engine)
    assert (alert.state, alert.reason) == ("resolved", "withdrawn")
    assert [step for step, _ in await told(engine, "kafka")] == ["firing", "resolved"]


async def test_an_alert_that_was_erased_ends_in_silence(engine: AsyncEngine) -> None:
    scores = rises_and_falls()
    progress = await store(engine, scores[:6])
    async with transaction(engine) as connection:
        await connection.execute(delete(alerts))
        await connection.execute(delete(outbox))
    await store(engine, scores[6:], progress)
    assert await told(engine, "kafka") == []


async def test_filters_and_pages_find_every_alert_once(engine: AsyncEngine) -> None:
    names = [f"c-{n}" for n in range(5)]
    for name in names:
        scores = rises_and_falls(name)
        one = judged(scores[:6] if name == "c-4" else scores, queue=f"q-{name}")
        await ResultStore(engine).commit([one])
    seen: list[str] = []
    after: AlertPlace | None = None
    while page := await list_alerts(engine, "acme", AlertFilter(), after=after, limit=2):
        seen += [alert.conversation for _, alert in page]
        after = page[-1][0]
    assert sorted(seen) == names

    async def found(wanted: AlertFilter) -> list[str]:
        listed = await list_alerts(engine, "acme", wanted, limit=10)
        return sorted(alert.conversation for _, alert in listed)

    assert await found(AlertFilter(state="open")) == ["c-4"]
    assert await found(AlertFilter(state="firing")) == ["c-4"]
    assert await found(AlertFilter(state="resolved")) == names[:4]
    assert await found(AlertFilter(queue="q-c-2")) == ["c-2"]
    assert await found(AlertFilter(conversation="c-1", rule="loud", severity="warning")) == ["c-1"]
    assert await found(AlertFilter(rule="another")) == []
    assert await found(AlertFilter(from_ns=FIRED_NS, to_ns=FIRED_NS + 1)) == names
    assert await found(AlertFilter(from_ns=FIRED_NS + 1)) == []
    assert await found(AlertFilter(to_ns=FIRED_NS)) == []
    [(_, first), *_] = await list_alerts(engine, "acme", AlertFilter(), limit=1)
    await handling.acknowledge(engine, "acme", first.id, by="kim", note=None, now_ns=1)
    assert await found(AlertFilter(acknowledged=True)) == [first.conversation]
    assert first.conversation not in await found(AlertFilter(acknowledged=False))
    assert await list_alerts(engine, "other", AlertFilter(), limit=10) == []


async def test_what_people_do_is_kept_told_and_never_moves_the_machine(
    engine: AsyncEngine,
) -> None:
    scores = rises_and_falls()
    progress = await store(engine, scores[:6])
    alert = (await only_alert(engine)).id
    detail = await read_alert(engine, "acme", alert)
    assert detail is not None
    assert [event.state for event in detail.events] == ["pending", "firing"]
    assert {one.sink for one in detail.deliveries} == {
        "kafka", "feed", "webhook:crm", "alertmanager",
    }  # fmt: skip
    course = await rows(engine, alert_events)
    later_ns = FIRED_NS + 60 * SECOND_NS
    first = await handling.acknowledge(
        engine, "acme", alert, by="kim", note="calling back", now_ns=later_ns
    )
    again = await handling.acknowledge(engine, "acme", alert, by="lee", note=None, now_ns=1)
    assert first == again
    assert first is not None
    assert first.acknowledged is not None
    assert (first.acknowledged.by, first.acknowledged.note) == ("kim", "calling back")
    snoozed = await handling.snooze(
        engine, "acme", alert, by="kim", until_ns=later_ns + 1, now_ns=later_ns + 1
    )
    assert snoozed is not None
    assert snoozed.snoozed is not None
    assert await snoozed_until(engine, [("acme", alert)]) == {alert: later_ns + 1}
    assert await snoozed_until(engine, [("other", alert)]) == {}
    await handling.judge(
        engine, "acme", alert, by="kim", verdict="wrong", note="a joke", now_ns=later_ns + 2
    )
    judged_ = await handling.judge(
        engine, "acme", alert, by="lee", verdict="right", note=None, now_ns=later_ns + 3
    )
    assert judged_ is not None
    assert judged_.verdict is not None
    assert (judged_.verdict.value, judged_.verdict.by, judged_.verdict.note) == (
        "right", "lee", None,
    )  # fmt: skip
    woken = await handling.snooze(
        engine, "acme", alert, by="lee", until_ns=None, now_ns=later_ns + 4
    )
    assert woken is not None
    assert woken.snoozed is None
    assert woken.state == "firing"
    assert await rows(engine, alert_events) == course
    assert [step for step, _ in await told(engine, "feed")] == [
        "firing", "acknowledged", "snoozed", "judged", "judged", "snoozed",
    ]  # fmt: skip
    assert [step for step, _ in await told(engine, "webhook:crm")] == ["firing"]
    await store(engine, scores[6:], progress)
    done = await only_alert(engine)
    assert (done.state, done.acknowledged, done.verdict) == (
        "resolved", first.acknowledged, judged_.verdict,
    )  # fmt: skip
    steps = [row["state"] for row in await rows(engine, alert_events)]
    assert sorted(steps) == ["firing", "ok", "pending", "resolving"]


async def test_nobody_touches_an_alert_of_another_tenant(engine: AsyncEngine) -> None:
    await store(engine, rises_and_falls())
    alert = (await only_alert(engine)).id
    assert await read_alert(engine, "other", alert) is None
    assert await handling.acknowledge(engine, "other", alert, by="x", note=None, now_ns=1) is None
    [dead, *_] = await list_deliveries(engine, "acme", limit=1)
    assert not await retry(engine, "other", dead.id, dead.sink)
    assert await list_deliveries(engine, "other", limit=10) == []


async def test_deliveries_are_listed_once_and_dead_ones_live_again(engine: AsyncEngine) -> None:
    await store(engine, rises_and_falls())
    await put_off_all(engine, "webhook:crm", error="it answered 503", until_ns=77)
    seen: list[tuple[str, str]] = []
    after: DeliveryPlace | None = None
    while page := await list_deliveries(engine, "acme", after=after, limit=7):
        seen += [(one.id, one.sink) for one in page]
        after = DeliveryPlace(page[-1].at_ns, page[-1].id, page[-1].sink)
    assert len(seen) == len(set(seen)) == len(await rows(engine, deliveries))
    assert await give_up(engine, sink="webhook:crm", attempts=2, error="too often") == 0
    assert await give_up(engine, sink="webhook:crm", attempts=1, error="too often") == 2
    dead = await list_deliveries(engine, "acme", dead=True, limit=10)
    assert [(one.sink, one.attempts, one.error) for one in dead] == [
        ("webhook:crm", 1, "too often")
    ] * 2
    assert await retry(engine, "acme", dead[0].id, "webhook:crm")
    assert not await retry(engine, "acme", dead[0].id, "webhook:unknown")
    assert len(await list_deliveries(engine, "acme", dead=True, limit=10)) == 1
    assert [step for step, _ in await told(engine, "webhook:crm")] == ["resolved"]
    waiting = await list_deliveries(engine, "acme", dead=False, limit=100)
    assert len(waiting) == len(seen) - 1


async def test_a_bad_step_fails_its_batch_and_no_neighbour(engine: AsyncEngine) -> None:
    bad = judged(rises_and_falls())
    bad = replace(bad, transitions=(*bad.transitions, bad.transitions[0]))
    good = judged(rises_and_falls(participant="p-2"))
    result = await ResultStore(engine, pause_s=0).commit([bad, good])
    assert set(result.failed) == {bad.key}
    assert {row["participant"] for row in await rows(engine, alert_events)} == {"p-2"}
