"""The database of a command that comes and goes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from streams.settings import Settings


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The engine of the settings, closed at the end.

    Raises StorageError where the database has no tables, StoreUnavailableError where it does
    not answer.
    """
    from storage.engine import open_engine
    from storage.errors import StorageError
    from storage.upgrade import newest_revision, revision

    engine = open_engine(settings.database_url.get_secret_value())
    try:
        found, wanted = await revision(engine), newest_revision()
        if found != wanted:
            raise StorageError(
                f"the database is at revision {found or 'none'}, this program needs {wanted}: "
                "run `affectstream db upgrade`"
            )
        yield engine
    finally:
        await engine.dispose()
