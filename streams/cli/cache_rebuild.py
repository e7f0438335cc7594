"""`affectstream cache rebuild`."""

import asyncio

from rich.console import Console

from streams.settings import Settings


def rebuild() -> None:
    """Make the cache anew from the database; safe while workers run.

    Example: `affectstream cache rebuild`
    """
    from streams.cli._start import read_settings

    asyncio.run(_rebuild(read_settings()))


async def _rebuild(settings: Settings) -> None:
    from storage.cache import open_shared_cache
    from storage.cache import rebuild as rebuild_cache
    from storage.engine import open_engine

    engine = open_engine(settings.database_url.get_secret_value())
    cache = open_shared_cache(settings.cache_url.get_secret_value())
    try:
        count = await rebuild_cache(engine, cache)
    finally:
        await cache.close()
        await engine.dispose()
    Console(highlight=False).print(f"{count} participants are in the cache")
