"""Ranking moments inside PostgreSQL, where its extension pgvector is installed.

The column stays `real[]`: the extension casts it, and an HNSW index lies over the cast. A
database without the extension has the same tables, and is searched by an index in memory.
"""

from typing import Final

import numpy as np
from sqlalchemy import ColumnElement, bindparam, cast, literal_column, text
from sqlalchemy.dialects.postgresql import ARRAY, REAL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.projection import SIZE
from storage.engine import transaction
from storage.moments import MomentFilter, MomentKey, Vector, nearest_first

INDEX: Final = "ix_moments_vector"
_COLUMN: Final = f"(moments.vector::vector({SIZE}))"
_OFFERED: Final = text("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")
_INSTALLED: Final = text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
_PREPARE: Final = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    (
        f"CREATE INDEX IF NOT EXISTS {INDEX} ON moments "
        f"USING hnsw ((vector::vector({SIZE})) vector_ip_ops)"
    ),
)
ITERATES_SINCE: Final = (0, 8)
"""Since this version a search with filters goes on until it has as many as were asked for."""
LEAST_SEARCHED, MOST_SEARCHED = 100, 1_000
"""Candidates of HNSW (`ef_search`): more is slower and nearer to exact; its own limit is 1000."""


async def prepare(engine: AsyncEngine) -> str | None:
    """Install the extension where the server offers it, and make the index; safe to repeat.

    Returns the version of the extension, None where the server has none.

    Raises StoreUnavailableError; SQLAlchemyError where this user may not install it.
    """
    if engine.dialect.name != "postgresql":
        return None
    async with transaction(engine) as connection:
        if not await connection.scalar(_OFFERED):
            return None
        for statement in _PREPARE:
            await connection.execute(text(statement))
        return await installed(connection)


async def installed(connection: AsyncConnection) -> str | None:
    """The version of the extension in this database; None without it, and on SQLite."""
    if connection.dialect.name != "postgresql":
        return None
    version: str | None = await connection.scalar(_INSTALLED)
    return version


async def rank(
    connection: AsyncConnection,
    version: str,
    tenant: str,
    space: str,
    query: Vector,
    wanted: MomentFilter,
    most: int,
) -> list[MomentKey]:
    """The `most` admitted moments near `query`, the nearest first; nearly exact, as HNSW is.

    Args:
        connection: in a transaction of its own: it is set up for this question.
        version: of the extension.
        tenant: whose.
        space: only moments of it.
        query: (256,) of length one.
        wanted: which moments are ranked at all.
        most: at most so many.
    """
    searched = min(MOST_SEARCHED, max(LEAST_SEARCHED, most))
    await connection.execute(text(f"SET LOCAL hnsw.ef_search = {searched}"))
    if _parsed(version) >= ITERATES_SINCE:
        await connection.execute(text("SET LOCAL hnsw.iterative_scan = strict_order"))
    statement = nearest_first(tenant, space, wanted, _distance(query), most)
    rows = await connection.execute(statement)
    return [MomentKey(row.conversation, row.participant, row.start_ns) for row in rows]


def _distance(query: Vector) -> ColumnElement[float]:
    """Minus the inner product, as pgvector orders by it."""
    given = bindparam("query", query.astype(np.float32).tolist(), type_=ARRAY(REAL))
    vector = cast(given, ARRAY(REAL)).op("::")(literal_column(f"vector({SIZE})"))
    return literal_column(_COLUMN).op("<#>")(vector)


def _parsed(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
