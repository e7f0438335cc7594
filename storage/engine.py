"""Engines for PostgreSQL and SQLite, and the translation of their errors."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.errors import StorageError, StoreUnavailableError

BUSY_TIMEOUT_S: Final = 5.0
STATEMENT_TIMEOUT_S: Final = 10.0
"""A server that hangs is away after this; our statements take milliseconds."""
_TRANSIENT_STATES: Final = ("08", "40", "53", "55P03", "57P01", "57P02", "57P03")
"""SQLSTATE classes of lost connections, serialisation failures and deadlocks, exhausted
resources, lock timeouts, and a server that stops or starts."""


def open_engine(
    url: str, *, statement_timeout_s: float | None = STATEMENT_TIMEOUT_S
) -> AsyncEngine:
    """An engine for `postgresql+asyncpg://…` or `sqlite+aiosqlite://…`; connects to nothing yet.

    Args:
        url: of the database.
        statement_timeout_s: what PostgreSQL may take for a statement; None is no limit, for
            changes of the schema: an index over many rows takes minutes.

    Raises StorageError for a URL that is neither.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise StorageError(f"database_url is no URL: {exc}") from exc
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return create_async_engine(
            parsed,
            hide_parameters=True,  # an error that is logged must not quote what was stored
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=5,
            pool_timeout=BUSY_TIMEOUT_S,
            connect_args={
                "timeout": BUSY_TIMEOUT_S,
                "command_timeout": statement_timeout_s,
                "server_settings": {"application_name": "affectstream"},
            },
        )
    if backend != "sqlite":
        raise StorageError(f"database_url names {backend}: PostgreSQL and SQLite are supported")
    engine = create_async_engine(
        parsed, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_S}
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Write ahead, so that readers never wait; transactions begin where we say so."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    """A transaction that begins as a reader cannot become a writer without a race."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def is_transient(error: BaseException) -> bool:
    """Whether the same statements may succeed on a new connection."""
    if isinstance(error, OSError | TimeoutError | PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state:
        return state.startswith(_TRANSIENT_STATES)
    text = str(error.orig)
    if "database is locked" in text:
        return True
    return isinstance(error, InterfaceError | OperationalError) and "connect" in text.lower()


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that writes. Outages are StoreUnavailableError; other errors pass."""
    with _outages_translated(engine.url):
        async with engine.begin() as connection:
            yield connection


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that only reads: it waits for no writer. Errors as in `transaction`."""
    with _outages_translated(engine.url):
        async with engine.connect() as connection:
            yield await connection.execution_options(reading=True)


@asynccontextmanager
async def statements(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Statements that PostgreSQL runs outside of transactions only. Errors as in `transaction`."""
    with _outages_translated(engine.url):
        async with engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def _outages_translated(url: URL) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError, TimeoutError) as exc:
        if is_transient(exc):
            # without who asks: name, password and options are nothing for a log
            where = URL.create(url.drivername, None, None, url.host, url.port, url.database)
            raise StoreUnavailableError(
                f"the database at {where} (database_url) does not answer: {reason(exc)}"
            ) from exc
        raise


def reason(error: BaseException) -> str:
    """The first line of what the driver said: those after it quote what was stored."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}".splitlines()[0]
