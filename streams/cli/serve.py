"""`affectstream serve`: the HTTP API."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from inference.errors import AffectstreamError
from streams.settings import Settings, load


class SeparateMemoryError(AffectstreamError):
    """A memory cache was asked for by a command that is a process of its own."""


def serve(
    *,
    api_host: Annotated[str | None, Parameter(help="Loopback address to listen on.")] = None,
    api_port: Annotated[int | None, Parameter(help="Port; 0 takes a free one.")] = None,
) -> None:
    """Serve conversations, timelines and the live feed over HTTP, until SIGTERM.

    Example: `affectstream serve --api-port 8000`
    """
    asyncio.run(_serve(load(api_host=api_host, api_port=api_port)))


async def _serve(settings: Settings) -> None:
    from storage.cache import open_cache
    from storage.engine import open_engine
    from streams.serving.api.service import build_api
    from streams.serving.server import Server, listen, until_signalled, url
    from streams.telemetry import configure_logging, logger

    cache_url = settings.cache_url.get_secret_value()
    if cache_url.startswith("memory:"):
        raise SeparateMemoryError(
            "cache_url is memory://, which works only within one process (`affectstream demo`); "
            "set AFFECTSTREAM_CACHE_URL=redis://HOST:6379/0 for worker and serve"
        )
    configure_logging(settings.log_level, settings.log_format)
    listener = listen(settings.api_host, settings.api_port, "--api-port")
    engine = open_engine(settings.database_url.get_secret_value())
    cache = open_cache(cache_url)
    try:
        api = build_api(engine, cache, settings.tenant)
        logger("api").info("listening", url=url(listener), tenant=settings.tenant)
        await until_signalled(Server(api.app, listener, before_drain=api.feed.close))
    finally:
        listener.close()
        await cache.close()
        await engine.dispose()
