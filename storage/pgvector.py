"""Ranking moments inside PostgreSQL, where its extension pgvector is installed.

The column stays `real[]`: the extension casts it, and an HNSW index lies over the cast. A
database without the extension has the same tables, and is searched by an index in memory.
"""

from typing import Any, Final

import numpy as np
from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Executable,
    Select,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, REAL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from inference.projection import SIZE
from storage.engine import statements, transaction
from storage.moments import (
    Candidate,
    MomentFilter,
    MomentKey,
    Vector,
    admitted,
    nearest_first,
    order,
)

INDEX: Final = "ix_moments_vector"
_COLUMN: Final = f"(moments.vector::vector({SIZE}))"
_OFFERED: Final = text("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")
_INDEXED: Final = text(
    "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)"
).bindparams(index=INDEX)
_READY: Final = text(
    "SELECT extversion FROM pg_extension WHERE extname = 'vector' AND EXISTS "
    "(SELECT FROM pg_index WHERE indexrelid = to_regclass(:index) AND indisvalid)"
).bindparams(index=INDEX)
_INSTALL: Final = text("CREATE EXTENSION IF NOT EXISTS vector")
_DROP: Final = text(f"DROP INDEX CONCURRENTLY {INDEX}")
_CREATE: Final = text(
    f"CREATE INDEX CONCURRENTLY {INDEX} ON moments "
    f"USING hnsw ((vector::vector({SIZE})) vector_ip_ops)"
)
_ANALYZE: Final = text("ANALYZE moments, conversations")
ITERATES_SINCE: Final = (0, 8)
"""Since this version a search with filters goes on until it has as many as were asked for."""
MOST_PASSED: Final = 100_000
"""Moments that such a search looks at, at the most."""
LEAST_SEARCHED, MOST_SEARCHED = 100, 1_000
"""Candidates of HNSW (`ef_search`): more is slower and nearer to exact; its own limit is 1000."""
MOST_EXACT: Final = 20_000
"""Of so few that filters admit each is compared: the index knows no filters, and looking for those
among all others takes several times as long, which the estimates of PostgreSQL do not see."""
MOST_EXACT_COST: Final = 10_000.0
"""What reading those may cost, in the units of PostgreSQL: a page read in order is one."""
RANDOM_PAGE_COST: Final = 1.1
"""What is searched often lies in memory; 4, the default, is for disks that seek."""


async def prepare(engine: AsyncEngine) -> str | None:
    """Install the extension where the server offers it, and make the index; safe to repeat.

    Nobody who stores waits for the index. One that was not finished is made anew. Rows are
    counted: without that PostgreSQL may join whole tables before it looks at the index.

    Args:
        engine: without a limit for statements: an index over many moments takes minutes.

    Returns the version of the extension, None where the server has none.

    Raises StoreUnavailableError; SQLAlchemyError where this user may not install it.
    """
    if engine.dialect.name != "postgresql":
        return None
    async with transaction(engine) as connection:
        if not await connection.scalar(_OFFERED):
            return None
        await connection.execute(_INSTALL)
        is_valid = await connection.scalar(_INDEXED)
    async with statements(engine) as connection:
        if is_valid is False:
            await connection.execute(_DROP)
        if not is_valid:
            await connection.execute(_CREATE)
        await connection.execute(_ANALYZE)
        return await ready(connection)


async def ready(connection: AsyncConnection) -> str | None:
    """The version of the extension if moments are indexed with it; None if not, and on SQLite."""
    if connection.dialect.name != "postgresql":
        return None
    version: str | None = await connection.scalar(_READY)
    return version


async def rank(
    connection: AsyncConnection,
    version: str,
    tenant: str,
    space: str,
    query: Vector,
    wanted: MomentFilter,
    most: int,
) -> list[Candidate]:
    """The `most` admitted moments near `query`, in `order`.

    Exact where few are admitted, as PostgreSQL estimates it; else nearly exact, as HNSW is.

    Args:
        connection: in a transaction of its own: it is set up for this question.
        version: of the extension.
        tenant: whose.
        space: only moments of it.
        query: (256,) of length one.
        wanted: which moments are ranked at all.
        most: at most so many.
    """
    chosen = {
        # a plan for any filter fits none: what is best to read depends on what is asked for
        "plan_cache_mode": "force_custom_plan",
        "random_page_cost": str(RANDOM_PAGE_COST),
        "hnsw.ef_search": str(min(MOST_SEARCHED, max(LEAST_SEARCHED, most))),
    }
    if _parsed(version) >= ITERATES_SINCE:
        chosen["hnsw.iterative_scan"] = "relaxed_order"
        chosen["hnsw.max_scan_tuples"] = str(MOST_PASSED)
    for_this_one = [func.set_config(name, value, true()) for name, value in chosen.items()]
    await connection.execute(select(*for_this_one))
    distance = _distance(query)
    if await _few(connection, admitted(tenant, space, wanted)):
        distance += 0  # an order that the index does not have
    statement = nearest_first(tenant, space, wanted, distance, most)
    rows = await connection.execute(statement)
    found = [
        Candidate(
            MomentKey(row.conversation, row.participant, row.start_ns), row.end_ns, -row.distance
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: order(one.similarity, one.key))


class _Explained(Executable, ClauseElement):
    """How PostgreSQL would read what a statement asks for."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explained)
def _explain(element: _Explained, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"


async def _few(connection: AsyncConnection, statement: Select[Any]) -> bool:
    """Whether each moment that a statement asks for may be compared."""
    ((plan,),) = await connection.execute(_Explained(statement))
    top: dict[str, float] = plan[0]["Plan"]
    return top["Plan Rows"] <= MOST_EXACT and top["Total Cost"] <= MOST_EXACT_COST


def _distance(query: Vector) -> ColumnElement[float]:
    """Minus the inner product, as pgvector orders by it."""
    given = bindparam("query", query.astype(np.float32).tolist(), type_=ARRAY(REAL))
    vector = cast(given, ARRAY(REAL)).op("::")(literal_column(f"vector({SIZE})"))
    return literal_column(_COLUMN).op("<#>")(vector)


def _parsed(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
