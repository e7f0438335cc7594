"""`affectstream db upgrade`."""

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console

from streams.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


def upgrade() -> None:
    """Bring the database to the schema of this version; safe to repeat.

    With `search = true`, and where the server offers pgvector, moments are indexed with it.

    Example: `affectstream db upgrade`
    """
    from streams.cli._start import read_settings

    asyncio.run(_upgrade(read_settings()))


async def _upgrade(settings: Settings) -> None:
    from storage.engine import open_engine
    from storage.upgrade import upgrade as upgrade_schema

    engine = open_engine(settings.database_url.get_secret_value(), statement_timeout_s=None)
    try:
        done = await upgrade_schema(engine)
        version = await _pgvector(engine) if settings.search else None
    finally:
        await engine.dispose()
    console = Console(highlight=False, soft_wrap=True)
    if done.before == done.after:
        console.print(f"the schema is at {done.after}, nothing to do")
    else:
        console.print(f"the schema went from {done.before or 'nothing'} to {done.after}")
    if version is not None:
        console.print(f"moments are searched with pgvector {version}")


async def _pgvector(engine: "AsyncEngine") -> str | None:
    """The version of pgvector, with an index of moments; None without it.

    A user who may not install it is told; the service searches in its own memory then.
    """
    from sqlalchemy.exc import DBAPIError

    from storage import pgvector
    from storage.engine import reason

    try:
        return await pgvector.prepare(engine)
    except DBAPIError as exc:
        notes = Console(stderr=True, highlight=False, soft_wrap=True)
        notes.print(
            f"pgvector is offered here but could not be prepared ({reason(exc)}): let the owner of "
            "the server run `CREATE EXTENSION vector` in this database, then try again",
            markup=False,
        )
        return None
