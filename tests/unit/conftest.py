"""A database in a file, for units that are about what lies in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine import open_engine
from storage.upgrade import upgrade


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An empty SQLite database at the newest revision."""
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    await upgrade(engine)
    yield engine
    await engine.dispose()
