"""What PostgreSQL is asked where it has pgvector. The answers are in `tests/integration`."""

import numpy as np
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.labels import Emotion
from inference.projection import SIZE
from storage import pgvector
from storage.engine import snapshot
from storage.moments import MomentFilter, nearest_first
from tests.moments import noise


def test_filters_stand_beside_an_order_that_the_index_serves() -> None:
    wanted = MomentFilter(emotion=Emotion.ANGER, queue="billing", min_distress=0.5)
    distance = pgvector._distance(noise(1))
    statement = nearest_first("acme", "s-1", wanted, distance, 80)
    text = str(statement.compile(dialect=postgresql.asyncpg.dialect()))
    where, order = text.split("ORDER BY")
    assert f"(moments.vector::vector({SIZE})) <#> " in order
    assert f"::vector({SIZE})" in order.replace(" ", "").partition("<#>")[2]
    assert "CAST" in order
    for part in ("moments.tenant", "moments.space", "moments.label", "conversations.queue",
                 "moments.distress >="):  # fmt: skip
        assert part in where.partition("WHERE")[2], part


def test_the_query_is_sent_as_the_numbers_that_it_is() -> None:
    query = noise(2)
    sent = pgvector._distance(query).compile(dialect=postgresql.asyncpg.dialect()).params["query"]
    assert np.array_equal(np.array(sent, dtype=np.float32), query)


def test_versions_are_compared_as_numbers() -> None:
    assert pgvector._parsed("0.10.1") > pgvector.ITERATES_SINCE > pgvector._parsed("0.7.4")


async def test_a_database_without_it_is_searched_in_memory(engine: AsyncEngine) -> None:
    assert await pgvector.prepare(engine) is None
    async with snapshot(engine) as connection:
        assert await pgvector.ready(connection) is None
