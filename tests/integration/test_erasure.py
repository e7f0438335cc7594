"""After an erasure no row and no key mentions who or what was erased; neighbours stay."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import redis.asyncio as redis
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Modality
from storage.aggregates import read_aggregates
from storage.cache import Cache, MemoryCache, RedisCache
from storage.digests import Digests, NoSecretError
from storage.engine import snapshot, transaction
from storage.erasure import Eraser, ErasurePlace, list_erasures
from storage.errors import StoreUnavailableError
from storage.moments import MomentKey
from storage.outbox import append_to_feed, pending
from storage.own_labels import LabelJudgement, judge_moment, put_label
from storage.results import ResultStore
from storage.schema import alert_events, alerts, audit_log, feed, metadata, tombstones
from storage.values import (
    ConsentChange,
    ConversationFacts,
    ConversationKey,
    ParticipantBatch,
    PolicyNews,
    Ruling,
    Utterance,
)
from storage.withdrawal import PolicyStore
from streams.worker.relay import Relay
from tests.integration.test_relay import FakeKafka
from tests.integration.test_withdrawal import alert_row, event_row
from tests.moments import moment, noise
from tests.scores import SECOND_NS, START_NS, batch, distressed

DIGESTS = Digests("a long secret")
HOUR_NS = 3_600 * SECOND_NS
NOW_NS = START_NS + HOUR_NS
GONE, STAYS = "c-gone-7", "c-gone-77"
"""The one is the beginning of the other."""
NAME = "Zoë Müller"


class ManyKafka(FakeKafka):
    """Takes records of every topic."""

    async def publish(self, topic: str, *args: Any, **named: Any) -> None:
        self.calls += 1


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[Cache]:
    opened = RedisCache(redis_url)
    yield opened
    await opened.close()


def call_of(conversation: str, name: str, *, subject: str | None) -> ParticipantBatch:
    scores = [
        distressed(n, 0.01 * n, conversation=conversation, participant=name) for n in range(70)
    ]
    whole = batch(scores, None)
    facts = whole.conversation
    (one,) = facts.participants
    digest = DIGESTS.subject("acme", subject) if subject else None
    words = Utterance(
        participant=name,
        segment="s-1",
        start_ns=START_NS,
        end_ns=START_NS + 1,
        text=f"this is {subject}",
        language="en",
    )
    return replace(
        whole,
        conversation=replace(facts, participants=(replace(one, subject=digest),)),
        words=(words,),
        moments=(moment(scores[0], noise(1)),),
    )


async def fill(engine: AsyncEngine, cache: Cache, conversation: str, subject: str | None) -> None:
    """A call with rows in every table, and a key in the cache."""
    name = f"who-{conversation}"
    await ResultStore(engine).commit([call_of(conversation, name, subject=subject)])
    relay = Relay(engine, cache, ManyKafka())
    await relay.serve("cache")
    await relay.serve("feed")
    await ResultStore(engine).end_conversation(facts_of(conversation), NOW_NS)
    await PolicyStore(engine, DIGESTS).record(news_of(conversation, name))
    of = {"conversation": conversation, "participant": name}
    await put_label(engine, "acme", "calm", ["a calm voice"], by="ana", now_ns=NOW_NS, most=9)
    judgement = LabelJudgement(
        key=MomentKey(conversation, name, START_NS), holds=True, judged_ns=NOW_NS, judged_by="ana"
    )
    assert await judge_moment(engine, "acme", "calm", judgement) is not None
    async with transaction(engine) as connection:
        await connection.execute(insert(alerts).values(alert_row(conversation, 4, None) | of))
        await connection.execute(
            insert(alert_events).values(event_row(conversation, "firing", 4, 0.7) | of)
        )
        entries: list[tuple[str | None, dict[str, Any]]] = [
            (conversation, {"path": f"/v1/conversations/{conversation}/scores"}),
            (None, {"conversation": conversation, "more": [{conversation: 1}, 2]}),
            (None, {"subject": subject or "nobody"}),
        ]
        for mentioned, details in entries:
            await connection.execute(
                insert(audit_log).values(
                    tenant="acme",
                    at_ns=NOW_NS,
                    actor="key of an analyst",
                    action="conversation.view",
                    conversation=mentioned,
                    details=details,
                )
            )


def facts_of(conversation: str) -> ConversationFacts:
    return ConversationFacts(tenant="acme", conversation=conversation, started_ns=START_NS)


def news_of(conversation: str, name: str) -> PolicyNews:
    return PolicyNews(
        key=ConversationKey("acme", conversation),
        run="live",
        rulings=(
            Ruling(
                participant=name,
                modality=Modality.SPEECH,
                at_ns=START_NS,
                allowed=True,
                reason="a rule",
                profile="eu",
                facts={"role": "customer"},
            ),
        ),
        consents=(
            ConsentChange(participant="-", at_ns=START_NS, notice="yes"),
            ConsentChange(participant=name, at_ns=START_NS, consent="yes"),
        ),
        passed={},
        events=2,
    )


def plain(value: Any) -> Any:
    """As it can be compared."""
    return value.tobytes() if isinstance(value, np.ndarray) else value


async def everything(engine: AsyncEngine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    async with snapshot(engine) as connection:
        return {
            table.name: [
                {name: plain(value) for name, value in row.items()}
                for row in (
                    await connection.execute(select(table).order_by(*table.primary_key.columns))
                ).mappings()
            ]
            for table in metadata.sorted_tables
        }


def mentions(value: Any, word: str, *others: str) -> bool:
    """Whether `word` is anywhere in a value, and no part of one of `others`."""
    text = repr(value) if not isinstance(value, bytes) else value.decode("latin-1")
    for other in others:
        text = text.replace(other, "")
    return word in text or word.encode().decode("latin-1") in text


async def keys_and_values(url: str) -> list[Any]:
    """Everything that Redis holds, whatever its type."""
    found: list[Any] = []
    async with redis.from_url(url) as client:
        async for key in client.scan_iter("*"):
            kind = await client.type(key)
            assert kind == b"hash", "the search knows every type that is there"
            found += [key, await client.hgetall(key)]
    return found


def of(rows: Iterable[dict[str, Any]], conversation: str) -> list[dict[str, Any]]:
    return [row for row in rows if row.get("conversation") == conversation]


async def test_no_row_and_no_key_mentions_an_erased_conversation(
    engine: AsyncEngine, cache: Cache, redis_url: str
) -> None:
    for conversation in (GONE, STAYS):
        await fill(engine, cache, conversation, None)
    before, keys_before = await everything(engine), await keys_and_values(redis_url)
    assert {name for name, rows in before.items() if of(rows, GONE)} >= {
        "conversations", "participants", "progress", "window_scores", "window_evidence",
        "rollups", "outbox", "deliveries", "feed", "alerts", "alert_events",
        "policy_decisions", "consents", "audit_log", "utterances", "moments",
        "label_judgements",
    }  # fmt: skip
    assert mentions(keys_before, GONE, STAYS), "the search finds what is there"
    eraser = Eraser(engine, cache, digests=DIGESTS)
    receipt = await eraser.conversation(ConversationKey("acme", GONE), by="dpo", now_ns=NOW_NS)
    after, keys_after = await everything(engine), await keys_and_values(redis_url)
    for name, rows in after.items():
        assert not mentions(rows, GONE, STAYS), name
        assert not any(mentions(value, GONE, STAYS) for row in rows for value in row.values())
        assert of(rows, STAYS) == of(before[name], STAYS), name
    assert not mentions(keys_after, GONE, STAYS)
    assert [item for item in keys_before if mentions(item, STAYS)] == keys_after
    for name in ("policy_decisions", "consents", "audit_log"):
        assert len(after[name]) == len(before[name]), "on record, under another name"
        assert receipt.rows[name] == sum(mentions(row, GONE, STAYS) for row in before[name])
    for name in ("window_scores", "outbox", "deliveries", "feed", "alerts"):
        assert receipt.rows[name] == len(of(before[name], GONE)), name
    assert (receipt.keys, receipt.conversations) == (1, 1)
    assert receipt.kafka_until == "2025-11-25T17:00:00Z"
    assert await list_erasures(engine, "acme", limit=9) == [receipt]


async def test_no_row_and_no_key_mentions_an_erased_subject(
    engine: AsyncEngine, cache: Cache, redis_url: str
) -> None:
    for conversation, subject in (("c-first", NAME), ("c-second", NAME), ("c-other", "Zoë")):
        await fill(engine, cache, conversation, subject)
    before = await everything(engine)
    spoken = {"audit_log", "utterances"}
    digest = DIGESTS.subject("acme", NAME) or ""
    assert mentions(before["participants"], digest)
    assert not any(mentions(before[name], NAME) for name in set(before) - spoken)
    eraser = Eraser(engine, cache, digests=DIGESTS)
    receipt = await eraser.subject("acme", NAME, by="dpo", now_ns=NOW_NS)
    after = await everything(engine)
    for word in (NAME, digest, "c-first", "c-second"):
        assert not any(mentions(rows, word) for rows in after.values()), word
        assert not mentions(await keys_and_values(redis_url), word)
    for name, rows in after.items():
        assert of(rows, "c-other") == of(before[name], "c-other"), name
    assert (receipt.kind, receipt.conversations, receipt.keys) == ("subject", 2, 2)
    assert (await eraser.subject("acme", NAME, by="dpo", now_ns=NOW_NS)).conversations == 0


async def test_without_a_secret_no_subject_can_be_named(engine: AsyncEngine) -> None:
    assert Digests().subject("acme", NAME) is None
    with pytest.raises(NoSecretError, match="AFFECTSTREAM_SECRET"):
        await Eraser(engine).subject("acme", NAME, by="dpo", now_ns=NOW_NS)


async def test_what_still_comes_of_an_erased_conversation_is_not_stored(
    engine: AsyncEngine,
) -> None:
    key = ConversationKey("acme", GONE)
    store = ResultStore(engine, digests=DIGESTS)
    first = call_of(GONE, "p-1", subject=None)
    await store.commit([first])
    await Eraser(engine, digests=DIGESTS).conversation(key, by="dpo", now_ns=NOW_NS)
    late = call_of(GONE, "p-2", subject=None)
    neighbour = call_of(STAYS, "p-1", subject=None)
    result = await store.commit([late, neighbour])
    assert result.erased == {late.key}
    assert (await store.commit([late])).erased == {late.key}
    assert await PolicyStore(engine, DIGESTS).record(news_of(GONE, "p-1")) is None
    await store.end_conversation(facts_of(GONE), NOW_NS)
    assert not any(of(rows, GONE) for rows in (await everything(engine)).values())
    resumed = await store.resume("live", [key, ConversationKey("acme", STAYS)])
    assert (resumed[key].erased, resumed[key].ended_ns) == (True, NOW_NS)
    assert not resumed[ConversationKey("acme", STAYS)].erased
    assert not (await store.resume("live", [ConversationKey("globex", GONE)])).popitem()[1].erased
    assert await store.resume("live", []) == {}


async def test_erased_again_it_has_one_tombstone_that_stands_longer(engine: AsyncEngine) -> None:
    eraser = Eraser(engine, digests=DIGESTS, kafka_retention_h=2)
    for now_ns in (NOW_NS, NOW_NS + HOUR_NS):
        await eraser.conversation(ConversationKey("acme", GONE), by="dpo", now_ns=now_ns)
    [row] = (await everything(engine))[tombstones.name]
    assert row["until_ns"] == NOW_NS + 3 * HOUR_NS


async def test_receipts_are_listed_newest_first(engine: AsyncEngine) -> None:
    eraser = Eraser(engine, digests=DIGESTS)
    done = [
        await eraser.conversation(
            ConversationKey("acme", f"c-{n}"), by="dpo", now_ns=NOW_NS + n // 2
        )
        for n in range(4)
    ]
    found = []
    after = None
    while page := await list_erasures(engine, "acme", after=after, limit=1):
        found += page
        at_ns = NOW_NS + next(n for n in range(4) if done[n].id == page[0].id) // 2
        after = ErasurePlace(at_ns, page[0].id)
    order = sorted(range(4), key=lambda n: (-(n // 2), done[n].id))
    assert found == [done[n] for n in order]


async def test_workers_that_store_while_it_is_erased_leave_nothing(engine: AsyncEngine) -> None:
    store = ResultStore(engine, digests=DIGESTS, pause_s=0)
    batches = [call_of(GONE, f"p-{n}", subject=None) for n in range(6)]
    eraser = Eraser(engine, digests=DIGESTS)
    await asyncio.gather(
        *(store.commit([one]) for one in batches[:3]),
        eraser.conversation(ConversationKey("acme", GONE), by="dpo", now_ns=NOW_NS),
        *(store.commit([one]) for one in batches[3:]),
    )
    assert not any(of(rows, GONE) for rows in (await everything(engine)).values())


async def test_a_relay_that_had_read_it_before_tells_nobody_after(engine: AsyncEngine) -> None:
    await ResultStore(engine).commit([call_of(GONE, "p-1", subject=None)])
    key = ConversationKey("acme", GONE)
    messages = await pending(engine, "feed", now_ns=NOW_NS, limit=500)
    aggregates = await read_aggregates(engine)
    cache = MemoryCache()
    relay = Relay(engine, cache, FakeKafka())
    to_cache = await pending(engine, "cache", now_ns=NOW_NS, limit=500)
    await Eraser(engine, cache, digests=DIGESTS).conversation(key, by="dpo", now_ns=NOW_NS)
    await append_to_feed(engine, messages, now_ns=NOW_NS, keep_ns=HOUR_NS)
    assert (await everything(engine))[feed.name] == []
    await cache.put(aggregates)
    await relay._to_cache(to_cache)
    assert await cache.aggregates("acme") == []


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_a_cache_forgets_one_conversation(
    engine: AsyncEngine, cache: Cache, kind: str
) -> None:
    opened = MemoryCache() if kind == "memory" else cache
    for conversation in (GONE, STAYS):
        await ResultStore(engine).commit([call_of(conversation, "p-1", subject=None)])
    await opened.put(await read_aggregates(engine))
    for name, forgotten in (("c-*", 0), ("c-gone-?", 0), (GONE, 1), (GONE, 0)):
        assert await opened.forget(ConversationKey("acme", name)) == forgotten
    assert [one.conversation for one in await opened.aggregates("acme")] == [STAYS]


class ForgetfulCache(MemoryCache):
    """Cannot be reached when it should forget."""

    async def forget(self, key: ConversationKey) -> int:
        raise StoreUnavailableError("connection refused")


async def test_while_the_cache_is_away_the_rest_is_erased_with_a_receipt(
    engine: AsyncEngine,
) -> None:
    await ResultStore(engine).commit([call_of(GONE, "p-1", subject=None)])
    key = ConversationKey("acme", GONE)
    with pytest.raises(StoreUnavailableError, match="refused"):
        await Eraser(engine, ForgetfulCache()).conversation(key, by="dpo", now_ns=NOW_NS)
    [receipt] = await list_erasures(engine, "acme", limit=9)
    assert receipt.rows["window_scores"] == 70
