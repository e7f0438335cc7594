"""Inserts that say what becomes of a row whose key is there."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


def insert_into(
    connection: AsyncConnection, table: Table
) -> postgresql.dml.Insert | sqlite.dml.Insert:
    """An insert of this database's kind, which has `on_conflict_do_update`."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


async def insert_new(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert the rows whose keys are not there yet, in the caller's transaction."""
    if rows:
        statement = insert_into(connection, table).on_conflict_do_nothing()
        await connection.execute(statement, list(rows))
