"""`affectstream dashboard`: the pages, a client of the API."""

import asyncio
import logging
import sys
from typing import Annotated

from cyclopts import Parameter

from inference.errors import AffectstreamError
from streams.settings import Settings, load


class NoDashboardError(AffectstreamError):
    """The optional part is not installed."""


def dashboard(
    *,
    dashboard_host: Annotated[str | None, Parameter(help="Loopback address to listen on.")] = None,
    dashboard_port: Annotated[int | None, Parameter(help="Port; 0 takes a free one.")] = None,
    api_url: Annotated[str | None, Parameter(help="Where the API answers.")] = None,
) -> None:
    """Show live calls and timelines in the browser, until SIGTERM.

    Prints its address once it listens.

    Example: `affectstream dashboard --dashboard-port 8080 --api-url http://127.0.0.1:8000`
    """
    settings = load(dashboard_host=dashboard_host, dashboard_port=dashboard_port, api_url=api_url)
    asyncio.run(_dashboard(settings))


async def _dashboard(settings: Settings) -> None:
    try:
        from streams.serving.dashboard.app import create_dashboard
    except ModuleNotFoundError as exc:
        if exc.name != "nicegui":
            raise
        raise NoDashboardError(
            "the dashboard is not installed: pip install 'affectstream[dashboard]'"
        ) from exc
    from streams.serving.server import Server, listen, until_signalled, url
    from streams.telemetry import configure_logging

    configure_logging(settings.log_level, settings.log_format)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request is no event
    listener = listen(settings.dashboard_host, settings.dashboard_port, "--dashboard-port")
    try:
        app = create_dashboard(settings.api_url)
        sys.stdout.write(f"{url(listener)}\n")
        sys.stdout.flush()
        await until_signalled(Server(app, listener))
    finally:
        listener.close()
