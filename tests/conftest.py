"""Services, shared data and markers. A test asks for a service by the name of a fixture."""

import asyncio
import functools
import inspect
import json
import os
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import redis.asyncio as redis
import structlog
from hypothesis import settings
from sqlalchemy import make_url

TESTS = Path(__file__).parent
STATE = TESTS.parent / ".services" / "state.json"
GIVEN = {
    "kafka": "AFFECTSTREAM_TEST_KAFKA",
    "database": "AFFECTSTREAM_TEST_DATABASE",
    "redis": "AFFECTSTREAM_TEST_REDIS",
}
ENDING_S = 3.0
FOLDERS = {"unit", "laws", "integration", "e2e", "browser"}

# How long an example takes says more about the machine's neighbours than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's folder is its marker, and no task that a test starts survives it."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in FOLDERS:
            item.add_marker(getattr(pytest.mark, folder))
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = ending_its_tasks(item.obj)


def ending_its_tasks(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Any]:
    """`test`, failing if a task of its own still runs when it returns."""

    @functools.wraps(test)
    async def checked(*arguments: Any, **named: Any) -> None:
        before = asyncio.all_tasks()
        await test(*arguments, **named)
        left = asyncio.all_tasks() - before
        if left:  # those that were cancelled, or whose peer just left, end now
            _, left = await asyncio.wait(left, timeout=ENDING_S)
        assert not left, f"still running: {sorted(task.get_name() for task in left)}"

    return checked


def service(name: str) -> str:
    """Where a service is; skips the test where it is not."""
    state: dict[str, Any] = json.loads(STATE.read_text()) if STATE.exists() else {}
    found = os.environ.get(GIVEN[name]) or state.get(name)
    if not found:
        pytest.skip(f"no {name}: run `make services-up`, or name one in {GIVEN[name]}")
    return str(found)


@pytest.fixture(scope="session")
def kafka_bootstrap() -> str:
    """host:port of a real Kafka broker."""
    return service("kafka")


@pytest.fixture
async def postgres_url() -> AsyncIterator[str]:
    """URL of an empty PostgreSQL database of this test."""
    async with empty_database(service("database")) as url:
        yield url


@asynccontextmanager
async def empty_database(server_url: str) -> AsyncIterator[str]:
    """URL of a new database on a server, dropped at the end."""
    server = make_url(server_url)
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(
        host=server.host, port=server.port, user=server.username, password=server.password,
        database=server.database,
    )  # fmt: skip
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        yield server.set(database=name).render_as_string(hide_password=False)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.fixture
async def redis_url() -> AsyncIterator[str]:
    """URL of a Redis database of this process, empty when the test begins. It is flushed."""
    server = urlsplit(service("redis"))
    number = 1 + os.getpid() % 15  # two runs at once seldom meet
    url = server._replace(path=f"/{number}").geturl()
    async with redis.from_url(url) as client:
        await client.flushdb()
        yield url
        await client.flushdb()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Corpora and clips that are not part of the repository."""
    folder = Path(os.environ.get("AFFECTSTREAM_SHARED") or TESTS.parents[1] / "shared") / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; AFFECTSTREAM_SHARED may name its parent")
    return folder


@pytest.fixture(autouse=True)
def our_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests do not reach them."""
    for name in list(os.environ):
        if name.startswith("AFFECTSTREAM_") and not name.startswith("AFFECTSTREAM_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def plain_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in service. structlog's default draws every local variable, for half a minute.

    What one test configures does not stay in the loggers of modules, as it does in service.
    """
    configure = structlog.configure

    def configure_anew(**options: Any) -> None:
        configure(**{**options, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", configure_anew)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
