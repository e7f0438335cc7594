"""Brings a database to the schema of this version."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

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


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
