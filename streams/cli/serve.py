"""`affectstream serve`: the HTTP API."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from streams.settings import Settings, load


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
    from storage.cache import open_shared_cache
    from storage.engine import open_engine
    from streams.cli._privacy import open_eraser
    from streams.serving.access.caller import everyone
    from streams.serving.api.service import build_api
    from streams.serving.server import Server, listen, until_signalled, url
    from streams.telemetry import configure_logging, logger

    configure_logging(settings.log_level, settings.log_format)
    cache = open_shared_cache(settings.cache_url.get_secret_value())
    listener = listen(settings.api_host, settings.api_port, "--api-port")
    engine = open_engine(settings.database_url.get_secret_value())
    try:
        eraser = open_eraser(settings, engine, cache)
        api = build_api(engine, cache, everyone(settings.tenant), eraser=eraser)
        logger("api").info("listening", url=url(listener), tenant=settings.tenant)
        await until_signalled(Server(api.app, listener, before_drain=api.feed.close))
    finally:
        listener.close()
        await cache.close()
        await engine.dispose()
