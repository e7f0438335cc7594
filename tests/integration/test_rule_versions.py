"""Versions of rules on both databases, and what a back-test reads."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import rules as rule_store
from storage.engine import transaction
from storage.errors import StoreUnavailableError
from storage.hindsight import (
    Reviewed,
    Stretch,
    conversation_page,
    count_conversations,
    reviewed_alerts,
)
from storage.results import ResultStore
from storage.rules import (
    MARGIN_NS,
    RuleConflictError,
    list_rules,
    put_rule,
    read_every_rule,
    read_versions,
)
from storage.schema import alerts
from storage.values import ConversationFacts
from tests.scores import SECOND_NS, START_NS, batch, distressed

BODY = {"metric": "distress", "enter": 0.6, "exit": 0.5}
NOW_NS = START_NS


async def put(engine: AsyncEngine, name: str = "calm", **options: Any) -> rule_store.StoredRule:
    given = {"tenant": "acme", "body": BODY, "author": "ann", "now_ns": NOW_NS} | options
    tenant, body = given.pop("tenant"), given.pop("body")
    return await put_rule(engine, tenant, name, body, **given)


async def test_versions_count_up_and_never_change(engine: AsyncEngine) -> None:
    first = await put(engine)
    second = await put(engine, body=None, now_ns=NOW_NS + SECOND_NS, author="bob")
    other = await put(engine, tenant="umbrella", expected_version=0)
    last = await put(engine, "another")
    assert (first.version, second.version, other.version) == (1, 2, 1)
    assert await read_versions(engine, "acme", "calm") == [second, first]
    assert await read_versions(engine, "acme", "none") == []
    assert await list_rules(engine, "acme") == [last, second]
    assert await list_rules(engine, "nobody") == []
    assert await read_every_rule(engine) == [last, first, second, other]


async def test_a_version_is_valid_only_when_every_worker_can_have_read_it(
    engine: AsyncEngine,
) -> None:
    first = await put(engine)
    assert first.valid_from_ns >= NOW_NS + MARGIN_NS
    earlier = await put(engine, now_ns=NOW_NS - 60 * SECOND_NS)  # a clock that was set back
    assert earlier.valid_from_ns == first.valid_from_ns


async def test_a_writer_who_read_an_older_version_is_refused(engine: AsyncEngine) -> None:
    await put(engine, expected_version=0)
    await put(engine, expected_version=1)
    for expected in (0, 1, 3):
        with pytest.raises(RuleConflictError, match="at version 2") as caught:
            await put(engine, expected_version=expected)
        assert caught.value.found == 2


async def test_writers_at_once_each_get_a_version(engine: AsyncEngine) -> None:
    stored = await asyncio.gather(*(put(engine, author=f"a{n}") for n in range(4)))
    assert sorted(one.version for one in stored) == [1, 2, 3, 4]
    assert len(await read_versions(engine, "acme", "calm")) == 4


async def test_a_number_that_stays_taken_is_a_bug_and_shows(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(engine)

    async def none(*_: object) -> None:
        return None

    monkeypatch.setattr(rule_store, "_newest", none)
    with pytest.raises(IntegrityError):
        await put(engine)


async def test_a_write_that_takes_too_long_is_given_up(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_store, "WRITE_S", 0.0)
    with pytest.raises(StoreUnavailableError, match="try again"):
        await put(engine)


async def calls(engine: AsyncEngine) -> list[ConversationFacts]:
    """Three conversations ten seconds apart; the first one ends after five."""
    facts = []
    for n in range(3):
        score = distressed(10 * n, conversation=f"c-{n}")
        made = batch([score], None, queue="sales" if n else "billing")
        await ResultStore(engine).commit([made])
        facts.append(replace(made.conversation, participants=()))
    ended_ns = START_NS + 5 * SECOND_NS
    await ResultStore(engine).end_conversation(facts[0], ended_ns)
    return [replace(facts[0], ended_ns=ended_ns), *facts[1:]]


@pytest.mark.parametrize(
    ("from_s", "to_s", "queue", "expected"),
    [
        (0, 60, None, [0, 1, 2]),
        (5, 60, None, [1, 2]),
        (4, 10, None, [0]),
        (0, 60, "sales", [1, 2]),
        (30, 60, "billing", []),
    ],
)
async def test_conversations_of_a_stretch_come_in_pages(
    engine: AsyncEngine, from_s: int, to_s: int, queue: str | None, expected: list[int]
) -> None:
    facts = await calls(engine)
    stretch = Stretch(
        tenant="acme",
        from_ns=START_NS + from_s * SECOND_NS,
        to_ns=START_NS + to_s * SECOND_NS,
        queue=queue,
    )
    assert await count_conversations(engine, stretch) == len(expected)
    found: list[ConversationFacts] = []
    while page := await conversation_page(engine, stretch, found[-1] if found else None, 2):
        found += page
    assert found == [facts[n] for n in expected]
    assert await conversation_page(engine, replace(stretch, tenant="umbrella"), None, 2) == []


def alert_row(number: int, **columns: Any) -> dict[str, Any]:
    return {
        "tenant": "acme", "run": "live", "alert": f"a-{number}", "conversation": "c-1",
        "participant": "p-1", "role": "customer", "queue": "billing", "language": "en",
        "rule": "calm", "rule_version": 1, "severity": "info", "metric": "distress",
        "state": "ok", "sinks": [], "pending_ns": START_NS, "fired_ns": START_NS + SECOND_NS,
        "resolved_ns": START_NS + 5 * SECOND_NS, "evidence": [], "verdict": "right",
    } | columns  # fmt: skip


async def test_only_judged_alerts_of_the_stretch_are_read(engine: AsyncEngine) -> None:
    rows = [
        alert_row(0, verdict="wrong"),
        alert_row(1, verdict=None),
        alert_row(2, run="again"),
        alert_row(3, tenant="umbrella"),
        alert_row(4, resolved_ns=None, pending_ns=START_NS - SECOND_NS, queue="sales"),
        alert_row(5, pending_ns=START_NS + 10 * SECOND_NS, resolved_ns=None),
    ]
    async with transaction(engine) as connection:
        for row in rows:
            await connection.execute(insert(alerts).values(row))
    stretch = Stretch(tenant="acme", from_ns=START_NS, to_ns=START_NS + 10 * SECOND_NS)
    expected = [
        Reviewed(
            conversation="c-1", participant="p-1", metric="distress",
            pending_ns=rows[n]["pending_ns"], resolved_ns=rows[n]["resolved_ns"],
            verdict=rows[n]["verdict"],
        )
        for n in (4, 0)
    ]  # fmt: skip
    assert await reviewed_alerts(engine, stretch) == expected
    assert await reviewed_alerts(engine, replace(stretch, queue="billing")) == expected[1:]
    later = replace(stretch, from_ns=START_NS + 5 * SECOND_NS)
    assert await reviewed_alerts(engine, later) == expected[:1]
