"""`affectstream db upgrade`."""

import asyncio

from rich.console import Console

from streams.settings import Settings


def upgrade() -> None:
    """Bring the database to the schema of this version; safe to repeat.

    Example: `affectstream db upgrade`
    """
    from streams.cli._start import read_settings

    asyncio.run(_upgrade(read_settings()))


async def _upgrade(settings: Settings) -> None:
    from storage.engine import open_engine
    from storage.upgrade import upgrade as upgrade_schema

    engine = open_engine(settings.database_url.get_secret_value())
    try:
        done = await upgrade_schema(engine)
    finally:
        await engine.dispose()
    console = Console(highlight=False, soft_wrap=True)
    if done.before == done.after:
        console.print(f"the schema is at {done.after}, nothing to do")
    else:
        console.print(f"the schema went from {done.before or 'nothing'} to {done.after}")
