"""What is stored is stored once, whole, and only on the progress it was built on."""

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError, NoResultFound, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.contract import from_json
from inference.score import WindowScore
from storage.engine import is_transient, open_engine, snapshot, transaction
from storage.errors import StorageError, StoreUnavailableError
from storage.messages import SINKS
from storage.results import ResultStore
from storage.rollups import read_rollups, recount
from storage.rows import evidence_rows, score_row
from storage.schema import (
    conversations,
    deliveries,
    metadata,
    outbox,
    participants,
    window_evidence,
    window_scores,
)
from storage.scores import read_scores
from storage.upgrade import _config, revision, server_time_ns, upgrade
from storage.values import ConversationFacts, ConversationKey, ParticipantKey
from tests.scores import START_NS, batch, distressed
from tests.scores import window_scores as any_score

KEY = ConversationKey("acme", "c-1")
FACTS = ConversationFacts(
    tenant="acme", conversation="c-1", queue="billing", language="en", started_ns=START_NS
)


async def rows(engine: AsyncEngine, table: Any) -> list[dict[str, Any]]:
    async with snapshot(engine) as connection:
        return [dict(row) for row in (await connection.execute(select(table))).mappings()]


async def test_scores_come_back_as_they_were_stored(engine: AsyncEngine) -> None:
    store = ResultStore(engine)
    scores = [distressed(index, 0.1 * index) for index in range(5)]
    assert await store.commit([batch(scores, None)]) == await store.commit([])
    assert await read_scores(engine, KEY, "live") == scores
    some = await read_scores(
        engine, KEY, "live", participant="p-1", from_ns=scores[1].start_ns, to_ns=scores[4].start_ns
    )
    assert some == scores[1:4]
    assert await read_scores(engine, KEY, "live", limit=2) == scores[:2]
    assert await read_scores(engine, KEY, "another") == []


async def test_a_batch_is_stored_only_on_the_progress_it_was_built_on(engine: AsyncEngine) -> None:
    store = ResultStore(engine)
    first = batch([distressed(0), distressed(1)], None)
    second = batch([distressed(2)], first.progress)
    zombie = batch([distressed(2, 0.9)], None)
    assert not (await store.commit([first])).rejected
    assert (await store.commit([zombie])).rejected == {first.key: first.progress}
    assert not (await store.commit([second])).rejected
    assert (await store.commit([second])).rejected == {first.key: second.progress}
    stored = await read_scores(engine, KEY, "live")
    assert stored == [*first.scores, *second.scores]
    resumed = await store.resume("live", [KEY, ConversationKey("acme", "unheard")])
    assert resumed[KEY].progress == {"p-1": second.progress}
    assert resumed[KEY].started_ns == START_NS
    assert resumed[ConversationKey("acme", "unheard")].progress == {}


async def test_a_batch_that_expects_a_row_that_is_not_there_is_rejected(
    engine: AsyncEngine,
) -> None:
    first = batch([distressed(0)], None)
    result = await ResultStore(engine).commit([replace(first, expected=first.progress)])
    assert result.rejected == {first.key: None}
    assert await rows(engine, window_scores) == []


async def test_a_rejected_participant_does_not_keep_its_neighbours(engine: AsyncEngine) -> None:
    store = ResultStore(engine)
    mine = batch([distressed(0)], None)
    await store.commit([mine])
    other = batch([distressed(0, participant="p-2")], None)
    third = batch([distressed(0, conversation="c-2")], None)
    result = await store.commit([mine, third, other])
    assert set(result.rejected) == {mine.key}
    assert len(await rows(engine, window_scores)) == 3


async def test_what_the_database_refuses_is_found_alone(engine: AsyncEngine) -> None:
    store = ResultStore(engine, pause_s=0)
    good = batch([distressed(0)], None)
    bad = batch([distressed(0, participant="p-2")], None)
    twice = replace(bad, scores=(*bad.scores, *bad.scores))
    result = await store.commit([twice, good])
    assert set(result.failed) == {bad.key}
    assert "unique" in result.failed[bad.key].lower()
    assert await read_scores(engine, KEY, "live") == list(good.scores)
    assert set((await store.resume("live", [KEY]))[KEY].progress) == {"p-1"}


async def test_two_workers_that_store_the_same_windows_store_them_once(engine: AsyncEngine) -> None:
    store = ResultStore(engine, pause_s=0)
    results = await asyncio.gather(
        *(store.commit([batch([distressed(0, worker / 10)], None)]) for worker in range(4))
    )
    assert sum(bool(result.rejected) for result in results) == 3
    assert len(await rows(engine, window_scores)) == 1
    assert (await read_rollups(engine, KEY, "live"))[0]["windows"] == 1


async def test_the_same_participant_twice_in_a_batch_is_two_steps(engine: AsyncEngine) -> None:
    first = batch([distressed(0)], None)
    result = await ResultStore(engine).commit([first, batch([distressed(1)], first.progress)])
    stored = await read_scores(engine, KEY, "live")
    assert len(stored) == 1
    assert len(result.rejected) == 1


async def test_progress_may_advance_without_a_score(engine: AsyncEngine) -> None:
    store = ResultStore(engine)
    empty = replace(batch([distressed(0)], None), scores=())
    assert not (await store.commit([empty])).rejected
    assert (await store.resume("live", [KEY]))[KEY].progress == {"p-1": empty.progress}


async def test_rollups_equal_a_recount(engine: AsyncEngine) -> None:
    store = ResultStore(engine)
    expected = None
    for start in range(0, 150, 7):
        step = batch(
            [distressed(index, index / 150) for index in range(start, start + 7)], expected
        )
        await store.commit([step])
        expected = step.progress
    stored = await read_rollups(engine, KEY, "live")
    assert len(stored) == 3
    assert sum(row["windows"] for row in stored) == 154
    assert stored == await recount(engine, KEY, "live", FACTS)


async def test_queue_and_language_freeze_at_the_first_score(engine: AsyncEngine) -> None:
    store = ResultStore(engine)
    first = batch([distressed(0)], None)
    await store.commit([first])
    await store.commit([batch([distressed(60)], first.progress, queue="complaints")])
    assert [row["queue"] for row in await rows(engine, conversations)] == ["billing"]
    assert {row["queue"] for row in await read_rollups(engine, KEY, "live")} == {"billing"}
    assert len(await rows(engine, participants)) == 1


async def test_every_live_score_has_one_outbox_row_and_a_delivery_for_each_sink(
    engine: AsyncEngine,
) -> None:
    store = ResultStore(engine)
    score = distressed(0)
    await store.commit([batch([score], None)])
    (message,) = await rows(engine, outbox)
    assert message["id"] == str(score.id)
    assert from_json(message["payload"]) == score
    assert {row["sink"] for row in await rows(engine, deliveries)} == set(SINKS["score"])


async def test_a_replay_leaves_outbox_and_the_rollups_of_live_alone(engine: AsyncEngine) -> None:
    store = ResultStore(engine)
    await store.commit([batch([distressed(0)], None)])
    await store.commit([batch([distressed(0, 0.9, run="again")], None)])
    assert len(await rows(engine, outbox)) == 1
    assert [row["windows"] for row in await read_rollups(engine, KEY, "live")] == [1]
    assert [row["windows"] for row in await read_rollups(engine, KEY, "again")] == [1]


async def test_the_end_of_a_conversation_is_told_once(engine: AsyncEngine) -> None:
    store = ResultStore(engine)
    for _ in range(2):
        await store.end_conversation(FACTS, START_NS + 5)
    (stored,) = await rows(engine, conversations)
    assert stored["ended_ns"] == START_NS + 5
    assert [row["kind"] for row in await rows(engine, outbox)] == ["ended"]
    assert (await store.resume("live", [KEY]))[KEY].ended_ns == START_NS + 5


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(score=any_score())
async def test_any_score_survives_the_database(engine: AsyncEngine, score: WindowScore) -> None:
    async with transaction(engine) as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())
    await ResultStore(engine).commit([batch([score], None)])
    key = ConversationKey(score.tenant, score.conversation)
    assert await read_scores(engine, key, score.run) == [score]


async def test_upgrading_again_changes_nothing(engine: AsyncEngine) -> None:
    done = await upgrade(engine)
    assert done.before == done.after == await revision(engine) == "0004"


async def test_scores_of_the_first_version_stay_and_say_that_change_is_unknown(
    database_url: str,
) -> None:
    def migrate(connection: Any, *, up: bool) -> None:
        config = _config()
        config.attributes["connection"] = connection
        (command.upgrade if up else command.downgrade)(config, "0001")

    engine = open_engine(database_url)
    old, new = distressed(0), msgspec.structs.replace(distressed(1), change=-1.25)
    columns = score_row(old)
    for later in ("change", "context", "expected"):
        del columns[later]
    async with transaction(engine) as connection:
        await connection.run_sync(partial(migrate, up=True))
        await connection.execute(insert(window_scores).values(columns))
        await connection.execute(insert(window_evidence), evidence_rows(old))
    await upgrade(engine)
    await ResultStore(engine).commit([batch([new], None)])
    assert await read_scores(engine, KEY, "live") == [old, new]
    async with transaction(engine) as connection:
        await connection.run_sync(partial(migrate, up=False))
    await upgrade(engine)
    assert [score.change for score in await read_scores(engine, KEY, "live")] == [None, None]
    await engine.dispose()


async def test_the_migrations_make_the_tables_of_the_schema(engine: AsyncEngine) -> None:
    def differences(connection: Any) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[Any] = compare_metadata(context, metadata)
        # a partition is a table that only PostgreSQL knows
        return [
            item
            for item in found
            if not (item[0] == "remove_table" and item[1].name.endswith("_default"))
        ]

    async with snapshot(engine) as connection:
        assert await connection.run_sync(differences) == []


async def test_a_database_that_is_away_is_unavailable_and_not_a_crash() -> None:
    engine = open_engine("postgresql+asyncpg://nobody:secret@127.0.0.1:1/none?ssl=disable")
    store = ResultStore(engine, pause_s=0)
    told = r"at postgresql\+asyncpg://127\.0\.0\.1:1/none \(database_url\) does not answer"
    with pytest.raises(StoreUnavailableError, match=told):
        await store.commit([batch([distressed(0)], None)])
    with pytest.raises(StoreUnavailableError):
        await store.resume("live", [KEY])
    await engine.dispose()


async def test_a_connection_that_the_server_ended_is_replaced(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    await upgrade(engine)
    store = ResultStore(engine, pause_s=0)
    await store.commit([batch([distressed(0)], None)])
    killer = open_engine(postgres_url)
    async with transaction(killer) as connection:
        await connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        )
    await store.commit([batch([distressed(0, participant="p-2")], None)])
    async with snapshot(engine) as connection:
        count = await connection.scalar(select(func.count()).select_from(window_scores))
    assert count == 2
    await engine.dispose()
    await killer.dispose()


async def test_a_lock_that_stays_is_an_outage_and_afterwards_nothing_is_missing(
    engine: AsyncEngine,
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("one writer at a time is SQLite's")
    first = batch([distressed(0)], None)
    url = engine.url.set(query={"timeout": "0.05"})
    hasty = open_engine(url.render_as_string(hide_password=False))
    async with transaction(engine):
        with pytest.raises(StoreUnavailableError, match="locked"):
            await ResultStore(hasty, pause_s=0).commit([first])
    assert not (await ResultStore(hasty).commit([first])).rejected
    await hasty.dispose()


@pytest.mark.parametrize("url", ["mysql://x/y", "no url"])
def test_other_databases_are_refused_by_name(url: str) -> None:
    with pytest.raises(StorageError, match="database_url"):
        open_engine(url)


def test_participant_keys_sort_as_the_locks_are_taken() -> None:
    assert ParticipantKey("a", "live", "c", "p") < ParticipantKey("a", "live", "d", "a")


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ConnectionRefusedError(), True),
        (OperationalError("select", {}, Exception("database is locked")), True),
        (OperationalError("select", {}, Exception("cannot connect")), True),
        (OperationalError("select", {}, Exception("gone"), connection_invalidated=True), True),
        (OperationalError("select", {}, Exception("no such table")), False),
        (IntegrityError("insert", {}, Exception("UNIQUE constraint failed")), False),
        (NoResultFound("no row"), False),
    ],
)
def test_only_what_another_connection_may_cure_is_tried_again(
    error: Exception, *, transient: bool
) -> None:
    assert is_transient(error) is transient


async def test_the_clock_of_the_database_is_read_as_wall_time(engine: AsyncEngine) -> None:
    before_ns, found_ns = time.time_ns(), await server_time_ns(engine)
    assert abs(found_ns - before_ns) < 60 * 1_000_000_000
