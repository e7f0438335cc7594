"""Moments are found in both databases, and nothing that is gone ever is."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Emotion, Role
from storage import pgvector
from storage.digests import Digests
from storage.engine import snapshot, transaction
from storage.erasure import Eraser
from storage.moment_search import COUNT_S, MomentSearch, Ranking, Size
from storage.moments import MomentFilter, MomentKey, count_moments
from storage.results import ResultStore
from storage.values import ConversationKey, ParticipantBatch, Progress, Utterance
from storage.withdrawal import PolicyStore
from tests.integration.test_withdrawal import news, no
from tests.moments import SPACE, searchable, towards
from tests.scores import SECOND_NS, START_NS, distressed

pytestmark = pytest.mark.parametrize(
    "database_url", ["sqlite", "postgresql", "pgvector", "hnsw"], indirect=True
)
QUERY = towards(1.0)
APART = 3
"""Seconds from one window to the next that does not overlap it."""


def call(
    *cosines: float,
    conversation: str = "c-1",
    participant: str = "p-1",
    expected: Progress | None = None,
    first: int = 0,
    every_s: int = APART,
    space: str = SPACE,
    queue: str = "billing",
) -> ParticipantBatch:
    """Windows whose vectors have these cosines with the query."""
    scores = [
        distressed(
            (first + n) * every_s,
            round(abs(cosine), 4),
            conversation=conversation,
            participant=participant,
        )
        for n, cosine in enumerate(cosines)
    ]
    vectors = [towards(cosine) for cosine in cosines]
    return searchable(scores, vectors, expected, space=space, queue=queue)


async def store(engine: AsyncEngine, *batches: ParticipantBatch) -> None:
    result = await ResultStore(engine).commit(batches)
    assert not result.failed
    assert not result.rejected


def searching(engine: AsyncEngine, **options: float) -> MomentSearch:
    """Looks for news, and counts, at each question: a minute passes between any two looks."""
    clock_s = itertools.count(0.0, COUNT_S).__next__
    given = {"fresh_s": 0.0, **options}
    return MomentSearch(engine, SPACE, clock_s=clock_s, **given)  # type: ignore[arg-type]


async def found(
    search: MomentSearch,
    wanted: MomentFilter | None = None,
    most: int = 10,
    tenant: str = "acme",
    per_conversation: int | None = None,
) -> Ranking:
    size = Size(most, per_conversation)
    return await search.find(tenant, QUERY, wanted or MomentFilter(), size)


def similarities(ranking: Ranking) -> list[float]:
    return [one.similarity for one in ranking.moments]


def places(ranking: Ranking) -> list[tuple[str, int]]:
    """Conversation, and second of the start."""
    return [
        (one.key.conversation, (one.key.start_ns - START_NS) // SECOND_NS)
        for one in ranking.moments
    ]


async def test_the_nearest_come_first_as_they_are_stored(engine: AsyncEngine) -> None:
    words = Utterance(
        participant="p-1",
        segment="s-1",
        start_ns=START_NS + 4 * SECOND_NS,
        end_ns=START_NS + 7 * SECOND_NS,
        text="I want my money back",
        language="en",
    )
    await store(
        engine,
        replace(call(0.25, 0.75, -0.5), words=(words,)),
        call(0.5, conversation="c-2", queue="sales"),
    )
    ranking = await found(searching(engine))
    assert similarities(ranking) == [0.75, 0.5, 0.25, -0.5]
    assert places(ranking) == [("c-1", 3), ("c-2", 0), ("c-1", 0), ("c-1", 6)]
    first, second = ranking.moments[:2]
    assert first.score == distressed(3, 0.75)
    assert (first.queue, second.queue) == ("billing", "sales")
    assert first.words == (words,)
    assert second.words == ()
    assert (ranking.indexed, ranking.other_space, ranking.left_out) == (4, 0, 0)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (MomentFilter(emotion=Emotion.ANGER), [0.75]),
        (MomentFilter(role=Role.AGENT), []),
        (MomentFilter(role=Role.CUSTOMER, queue="sales"), [0.5]),
        (MomentFilter(participant="p-1", conversation="c-1"), [0.75, 0.25]),
        (MomentFilter(min_distress=0.5), [0.75, 0.5]),
        (MomentFilter(from_ns=START_NS + 1), [0.75]),
        (MomentFilter(to_ns=START_NS + 1), [0.5, 0.25]),
    ],
)
async def test_filters_are_applied_before_the_ranking(
    engine: AsyncEngine, wanted: MomentFilter, expected: Sequence[float]
) -> None:
    await store(engine, call(0.25, 0.75), call(0.5, conversation="c-2", queue="sales"))
    assert similarities(await found(searching(engine), wanted, 2)) == expected


async def test_one_long_call_does_not_fill_a_result(engine: AsyncEngine) -> None:
    await store(
        engine,
        call(*(0.9 - 0.001 * n for n in range(60))),
        call(0.8, 0.7, 0.6, conversation="c-1", participant="p-2"),
        call(0.5, 0.4, conversation="c-2"),
        call(0.3, conversation="c-3"),
    )
    ranking = await found(searching(engine), most=4, per_conversation=2)
    assert places(ranking) == [("c-1", 0), ("c-1", 3), ("c-2", 0), ("c-2", 3)]
    ranking = await found(searching(engine), per_conversation=1)
    assert places(ranking) == [("c-1", 0), ("c-2", 0), ("c-3", 0)]


async def test_of_windows_that_overlap_the_nearest_stands_for_all(engine: AsyncEngine) -> None:
    await store(engine, call(*(0.9 - 0.01 * abs(n - 40) for n in range(80)), every_s=1))
    ranking = await found(searching(engine), most=6)
    assert places(ranking) == [("c-1", at) for at in (40, 43, 37, 46, 34, 49)]


async def test_what_is_stored_later_is_found_and_a_replay_adds_nothing(
    engine: AsyncEngine,
) -> None:
    search, first = searching(engine), call(0.25)
    await store(engine, first)
    assert similarities(await found(search)) == [0.25]
    later = call(0.75, expected=first.progress, first=1)
    await store(engine, later)
    again = await ResultStore(engine).commit([first, later])
    assert set(again.rejected) == {first.key}
    ranking = await found(search)
    assert (similarities(ranking), ranking.indexed) == ([0.75, 0.25], 2)
    async with snapshot(engine) as connection:
        assert await count_moments(connection, "acme") == {SPACE: 2}


async def test_a_replay_under_another_run_has_no_moments(engine: AsyncEngine) -> None:
    again = call(0.5)
    scores = (distressed(0, 0.5, run="again"),)
    await store(engine, replace(again, key=replace(again.key, run="again"), scores=scores))
    assert (await found(searching(engine))).indexed == 0


@pytest.mark.parametrize("fresh_s", [0.0, 3_600.0], ids=["followed", "stale"])
async def test_what_is_withdrawn_or_erased_is_not_found_by_any_index(
    engine: AsyncEngine, fresh_s: float
) -> None:
    search = searching(engine, fresh_s=fresh_s)
    await store(
        engine,
        call(0.25, 0.75, 0.875),
        call(0.5, conversation="c-2"),
        call(0.125, conversation="c-3"),
    )
    assert len((await found(search)).moments) == 5
    assert await PolicyStore(engine).record(news(no(4))) is not None
    assert similarities(await found(search, most=2)) == [0.5, 0.25]
    await Eraser(engine, digests=Digests()).conversation(
        ConversationKey("acme", "c-2"), by="dpo", now_ns=START_NS
    )
    assert similarities(await found(search, most=2)) == [0.25, 0.125]


async def test_vectors_of_another_space_are_counted_and_never_compared(
    engine: AsyncEngine,
) -> None:
    await store(engine, call(0.25), call(0.75, 0.5, conversation="c-2", space="older"))
    ranking = await found(searching(engine))
    assert (similarities(ranking), ranking.indexed, ranking.other_space) == ([0.25], 1, 2)


async def test_a_tenant_finds_nothing_of_another(engine: AsyncEngine) -> None:
    await store(engine, call(0.25))
    ranking = await found(searching(engine), tenant="zebra")
    assert (ranking.moments, ranking.indexed, ranking.other_space) == ((), 0, 0)


async def test_without_room_the_newest_timelines_are_searched_and_the_others_counted(
    engine: AsyncEngine,
) -> None:
    if await pgvector_of(engine):
        pytest.skip("pgvector searches all")
    for n in range(5):
        name = f"c-{n}"
        await store(engine, call(0.125 * n, 0.125 * n, conversation=name, first=10 * n))
    search = searching(engine, capacity=4)
    ranking = await found(search)
    assert {name for name, _ in places(ranking)} == {"c-3", "c-4"}
    assert (ranking.indexed, ranking.left_out) == (4, 6)
    await store(engine, call(0.5, 0.5, conversation="c-9", first=90))
    ranking = await found(search)
    assert {name for name, _ in places(ranking)} == {"c-4", "c-9"}


async def test_a_tenant_that_asked_long_ago_makes_room(engine: AsyncEngine) -> None:
    one = call(0.25)
    key = replace(one.key, tenant="zebra")
    facts = replace(one.conversation, tenant="zebra")
    (score,) = one.scores
    theirs = replace(
        one, key=key, conversation=facts, scores=(msgspec.structs.replace(score, tenant="zebra"),)
    )
    await store(engine, one, theirs)
    search = searching(engine, capacity=1)
    assert (await found(search)).indexed == 1
    assert (await found(search, tenant="zebra")).indexed == 1
    assert (await found(search)).indexed == 1, "it is read again when it asks again"


async def test_only_what_is_there_has_a_vector(engine: AsyncEngine) -> None:
    await store(engine, call(0.25), call(0.5, conversation="c-2", space="older"))
    keys = [MomentKey(name, "p-1", START_NS) for name in ("c-1", "c-2", "c-3")]
    assert set(await searching(engine).vectors("acme", keys)) == {keys[0]}


async def pgvector_of(engine: AsyncEngine) -> str | None:
    async with snapshot(engine) as connection:
        return await pgvector.ready(connection)


async def test_how_it_is_ranked_changes_no_result(engine: AsyncEngine) -> None:
    cosines = [round(0.99 - 0.015 * n, 4) for n in range(60)]
    await store(engine, call(*cosines), call(0.5, conversation="c-2", queue="sales"))
    assert similarities(await found(searching(engine), most=20)) == cosines[:20]
    sales = MomentFilter(queue="sales")
    assert similarities(await found(searching(engine), sales)) == [0.5]


async def test_few_moments_are_compared_and_many_are_looked_up(
    engine: AsyncEngine, request: pytest.FixtureRequest
) -> None:
    """As PostgreSQL says that it reads them."""
    version = await pgvector_of(engine)
    if version is None:
        pytest.skip("an index in memory compares all")
    await store(engine, call(0.5, 0.25))
    asked: list[tuple[str, Any]] = []

    def hear(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        asked.append((statement, parameters))

    async with snapshot(engine) as connection:
        event.listen(engine.sync_engine, "before_cursor_execute", hear)
        await pgvector.rank(connection, version, "acme", SPACE, QUERY, MomentFilter(), 10)
        statement, parameters = asked[-1]
        plan = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        lines = [row[0] for row in plan]
    by_index = request.node.callspec.params["database_url"] == "hnsw"
    assert any(pgvector.INDEX in line for line in lines) == by_index, lines


async def test_an_index_that_was_not_finished_is_made_anew(engine: AsyncEngine) -> None:
    version = await pgvector_of(engine)
    if version is None:
        assert await pgvector.prepare(engine) is None
        return
    await store(engine, call(0.5))
    async with transaction(engine) as connection:  # as a build that was interrupted leaves it
        await connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(:index)"),
            {"index": pgvector.INDEX},
        )
    assert await pgvector_of(engine) is None, "it is searched in memory meanwhile"
    assert similarities(await found(searching(engine))) == [0.5]
    assert await pgvector.prepare(engine) == version
    assert await pgvector_of(engine) == version
