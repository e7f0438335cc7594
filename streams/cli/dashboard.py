"""`affectstream dashboard`: the pages, a client of the API."""

import asyncio
import logging
import sys
from http import HTTPStatus
from typing import Annotated

from cyclopts import Parameter

from inference.errors import AffectstreamError
from streams.cli.serve import ADVICE, OpenToNobodyError
from streams.settings import Settings, load


class NoDashboardError(AffectstreamError):
    """The optional part is not installed."""


def dashboard(
    *,
    dashboard_host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    dashboard_port: Annotated[int | None, Parameter(help="Port; 0 takes a free one.")] = None,
    api_url: Annotated[str | None, Parameter(help="Where the API answers.")] = None,
) -> None:
    """Show live calls and timelines in the browser, until SIGTERM.

    Prints its address once it listens. Beyond loopback it listens only where the API asks for
    credentials: people sign in with theirs.

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
    from streams.serving.access.local import is_loopback
    from streams.serving.server import Server, listen, until_signalled, url
    from streams.telemetry import configure_logging

    configure_logging(settings.log_level, settings.log_format)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request is no event
    if not is_loopback(settings.dashboard_host):
        await _check_asks(settings.dashboard_host, settings.api_url)
    listener = listen(
        settings.dashboard_host, settings.dashboard_port, "--dashboard-port", anywhere=True
    )
    try:
        app = create_dashboard(settings.api_url)
        sys.stdout.write(f"{url(listener)}\n")
        sys.stdout.flush()
        await until_signalled(Server(app, listener))
    finally:
        listener.close()


async def _check_asks(host: str, api_url: str) -> None:
    """Raises OpenToNobodyError unless the API asks whoever comes for credentials."""
    from streams.serving.dashboard.asking import Asking, RefusedError
    from streams.serving.dashboard.client import ApiClient, ApiUnavailableError
    from streams.serving.dashboard.me import who

    try:
        async with ApiClient(api_url) as client:
            await who(Asking(client))
    except RefusedError as exc:
        if exc.status == HTTPStatus.UNAUTHORIZED:
            return
        reason = f"the API refuses this machine, not for want of credentials: {exc}"
    except ApiUnavailableError as exc:
        reason = f"it is not known yet whether the API asks for credentials: {exc}"
    else:
        reason = "others could connect, and the API asks nobody for credentials"
    raise OpenToNobodyError(f"refusing to listen on {host}: {reason}. {ADVICE}")
