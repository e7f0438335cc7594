"""Databases with the tables in them: the same tests on both."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import pgvector
from storage.engine import open_engine, transaction
from storage.upgrade import upgrade
from tests.conftest import empty_database
from tests.pgvector_server import pgvector_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind; a module that asks for it gets one with pgvector, too."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
    servers = {"postgresql": "postgres_url", "pgvector": "pgvector_url", "hnsw": "hnsw_url"}
    url: str = request.getfixturevalue(servers[request.param])
    return url


@pytest.fixture(scope="session")
def with_pgvector() -> Iterator[str]:
    """URL of a server that has it."""
    with pgvector_server() as url:
        yield url


@pytest.fixture
async def pgvector_url(with_pgvector: str) -> AsyncIterator[str]:
    """URL of a database in which moments are searched by pgvector."""
    async with empty_database(with_pgvector) as url:
        engine = open_engine(url)
        try:
            await upgrade(engine)
            assert await pgvector.prepare(engine)
        finally:
            await engine.dispose()
        yield url


@pytest.fixture
async def hnsw_url(pgvector_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, where the index ranks whatever is asked: few moments are compared without it."""
    monkeypatch.setattr(pgvector, "MOST_EXACT", -1)
    engine = open_engine(pgvector_url)
    try:
        async with transaction(engine) as connection:
            name = engine.url.database
            await connection.execute(text(f'ALTER DATABASE "{name}" SET enable_sort = off'))
    finally:
        await engine.dispose()
    return pgvector_url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An empty database at the newest revision."""
    engine = open_engine(database_url)
    try:
        await upgrade(engine)
        yield engine
    finally:
        await engine.dispose()
