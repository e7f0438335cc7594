"""Keys and the audit log, on SQLite and PostgreSQL."""

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import schema
from storage.audit import Entry, conversation_of_alert, list_recorded, record
from storage.engine import open_engine, snapshot, transaction
from storage.errors import StoreUnavailableError
from storage.keys import (
    USED_EVERY_NS,
    NewKey,
    create_key,
    digest,
    find_key,
    keys_exist,
    list_keys,
    looks_like_key,
    mark_used,
    revoke_key,
)

NOW_NS = 1_764_000_000_000_000_000


async def made(engine: AsyncEngine, tenant: str = "acme", **changes: int) -> NewKey:
    values = {"now_ns": NOW_NS} | changes
    return await create_key(
        engine,
        tenant=tenant,
        name="crm",
        rank="viewer",
        scopes=("read", "alerts"),
        created_by="ada",
        **values,
    )


async def test_a_key_is_found_by_its_text_and_stored_only_as_a_digest(engine: AsyncEngine) -> None:
    new = await made(engine, expires_ns=NOW_NS + 1)
    assert looks_like_key(new.secret)
    assert await find_key(engine, new.secret) == new.key
    assert await find_key(engine, new.secret[:-1]) is None
    async with snapshot(engine) as connection:
        [row] = (await connection.execute(select(schema.api_keys))).mappings().all()
    assert row["digest"] == digest(new.secret)
    assert new.secret not in str(dict(row))


async def test_a_key_ends_at_its_time_or_when_it_is_revoked(engine: AsyncEngine) -> None:
    new = await made(engine, expires_ns=NOW_NS + 10)
    assert new.key.usable(NOW_NS + 9)
    assert not new.key.usable(NOW_NS + 10)
    assert await revoke_key(engine, "other", new.key.id, NOW_NS + 1) is None
    assert await revoke_key(engine, "acme", "nothing", NOW_NS + 1) is None
    first = await revoke_key(engine, "acme", new.key.id, NOW_NS + 1)
    again = await revoke_key(engine, "acme", new.key.id, NOW_NS + 2)
    assert first == again
    assert first is not None
    assert first.revoked_ns == NOW_NS + 1
    assert not first.usable(NOW_NS)


async def test_a_tenant_lists_its_own_keys_newest_first(engine: AsyncEngine) -> None:
    assert not await keys_exist(engine)
    old, new = await made(engine), await made(engine, now_ns=NOW_NS + 1)
    await made(engine, "other")
    await revoke_key(engine, "acme", old.key.id, NOW_NS + 2)
    assert [key.id for key in await list_keys(engine, "acme")] == [new.key.id, old.key.id]
    assert await keys_exist(engine)


async def test_use_is_written_at_most_once_a_minute(engine: AsyncEngine) -> None:
    new = await made(engine)
    assert await mark_used(engine, new.key, NOW_NS)
    stored = await find_key(engine, new.secret)
    assert stored is not None
    assert stored.used_ns == NOW_NS
    assert not await mark_used(engine, stored, NOW_NS + USED_EVERY_NS - 1)
    # another process read the key before the first use was stored
    assert not await mark_used(engine, new.key, NOW_NS + USED_EVERY_NS - 1)
    assert await mark_used(engine, stored, NOW_NS + USED_EVERY_NS)


async def test_the_log_of_a_tenant_is_paged_newest_first_and_filtered(engine: AsyncEngine) -> None:
    for n in range(5):
        actor, conversation = ("ada", "bob")[n % 2], None if n == 4 else f"c-{n // 2}"
        entry = Entry("acme", actor, "conversation.view", conversation, {"n": n})
        await record(engine, entry, NOW_NS + n)
    await record(engine, Entry("other", "ada", "key.create"), NOW_NS)
    first = await list_recorded(engine, "acme", limit=3)
    rest = await list_recorded(engine, "acme", before=first[-1].number, limit=3)
    assert [one.entry.details["n"] for one in first + rest] == [4, 3, 2, 1, 0]
    assert [one.at_ns - NOW_NS for one in first + rest] == [4, 3, 2, 1, 0]

    async def numbers(**wanted: str) -> list[int]:
        found = await list_recorded(engine, "acme", limit=9, **wanted)
        return [one.entry.details["n"] for one in found]

    assert await numbers(actor="bob") == [3, 1]
    assert await numbers(conversation="c-0") == [1, 0]
    assert await numbers(conversation="c-0", actor="ada") == [0]
    assert await list_recorded(engine, "nobody", limit=9) == []


async def test_an_alert_leads_to_its_conversation_within_its_tenant(engine: AsyncEngine) -> None:
    row = {
        "tenant": "acme", "run": "live", "alert": "a-1", "conversation": "c-1",
        "participant": "p-1", "role": "customer", "queue": "q", "language": "en",
        "rule": "r", "rule_version": 0, "severity": "info", "metric": "distress",
        "state": "firing", "pending_ns": 0, "fired_ns": 1, "evidence": [], "sinks": [],
    }  # fmt: skip
    async with transaction(engine) as connection:
        await connection.execute(insert(schema.alerts), [row])
    assert await conversation_of_alert(engine, "acme", "a-1") == "c-1"
    assert await conversation_of_alert(engine, "other", "a-1") is None


async def test_a_database_without_tables_says_how_to_make_them(database_url: str) -> None:
    engine = open_engine(database_url)
    with pytest.raises(StoreUnavailableError, match="affectstream db upgrade"):
        await keys_exist(engine)
    await engine.dispose()
