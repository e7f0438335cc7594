"""Brings a database to the schema of this version."""

import time
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.units import SECOND_NS
from storage.engine import snapshot, transaction


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did: revisions before and after, equal if there was nothing to do."""

    before: str | None
    after: str | None


async def upgrade(engine: AsyncEngine) -> Upgrade:
    """Apply every revision that is missing; safe to repeat.

    Raises StoreUnavailableError.
    """
    before = await revision(engine)
    async with transaction(engine) as connection:
        await connection.run_sync(_upgrade)
    return Upgrade(before, await revision(engine))


async def revision(engine: AsyncEngine) -> str | None:
    """The revision of the database; None for an empty one.

    Raises StoreUnavailableError.
    """
    async with snapshot(engine) as connection:
        return await connection.run_sync(_revision)


def newest_revision() -> str | None:
    """The revision that this version of the code wants."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def server_time_ns(engine: AsyncEngine) -> int:
    """Wall time of the database's machine; our own for SQLite.

    Raises StoreUnavailableError.
    """
    if engine.dialect.name != "postgresql":
        return time.time_ns()
    query = text("select extract(epoch from clock_timestamp())")
    async with snapshot(engine) as connection:
        return int(await connection.scalar(query) * SECOND_NS)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
