"""A web server that belongs to whoever starts it: sockets, signals and a quiet end."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from inference.errors import AffectstreamError
from streams.serving.access.local import is_loopback

DRAIN_S: Final = 5
"""How long open requests may take to finish after a signal."""


class ListenError(AffectstreamError):
    """The address cannot or must not be listened on."""


def listen(host: str, port: int, option: str, *, anywhere: bool = False) -> socket.socket:
    """Bind a socket; port 0 takes a free one.

    Args:
        host: address or `localhost`.
        port: 0 to 65535.
        option: the option to change where the port is taken, for the message.
        anywhere: beyond loopback too: what is served asks who connects, or names nobody.

    Raises:
        ListenError: `host` is not loopback, or the port is taken.
    """
    if not anywhere and not is_loopback(host):
        raise ListenError(
            f"refusing to listen on {host}: nothing here asks who connects, so only this "
            "machine may. Use 127.0.0.1, and a reverse proxy with its own login for anyone else"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as exc:
        raise ListenError(
            f"cannot listen on {host}:{port}: {exc.strerror}; choose another with {option}"
        ) from exc


def url(listener: socket.socket) -> str:
    """`http://host:port` of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Uvicorn on a socket of ours. Signals stay with the caller: it may run more than this."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        before_drain: Callable[[], None] | None = None,
        trusted_proxies: str = "127.0.0.1,::1",
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="on",
                timeout_graceful_shutdown=DRAIN_S,
                server_header=False,
                forwarded_allow_ips=trusted_proxies,
            )
        )
        self._listener = listener
        self._before_drain = before_drain

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End endless responses first, then let the others finish."""
        if self._before_drain is not None:
            self._before_drain()
        await super().shutdown(sockets)

    async def run_here(self) -> None:
        """Serve until `stop` is called."""
        await self.serve(sockets=[self._listener])

    def stop(self) -> None:
        """Begin to drain; `run_here` returns when that is done."""
        self.should_exit = True


async def until_signalled(server: Server) -> None:
    """Serve until SIGTERM or SIGINT, drain, and return."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    try:
        await server.run_here()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def running(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    option: str,
    before_drain: Callable[[], None] | None = None,
    anywhere: bool = False,
) -> AsyncIterator[str]:
    """Serve in this event loop; gives the URL, and drains on the way out.

    Args:
        app: the application.
        host: address; loopback unless `anywhere`.
        port: 0 takes a free one.
        option: the option that chooses the port, for the message where it is taken.
        before_drain: ends endless responses: `LiveFeed.close` for the API.
        anywhere: as of `listen`.

    Raises:
        ListenError: as `listen`.
    """
    listener = listen(host, port, option, anywhere=anywhere)
    server = Server(app, listener, before_drain=before_drain)
    task = asyncio.create_task(server.run_here(), name=f"serve-{url(listener)}")
    try:
        yield url(listener)
    finally:
        server.stop()
        await task
