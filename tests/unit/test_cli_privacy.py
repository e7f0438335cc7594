"""`erase` and `retention` say in numbers what they did."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.cache import MemoryCache
from storage.engine import open_engine
from storage.results import ResultStore
from storage.upgrade import upgrade
from streams.cli.erase import NothingNamedError, erase
from streams.cli.retention import retention
from tests.scores import batch, distressed


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database file that the settings name, and a cache in this process."""
    url = f"sqlite+aiosqlite:///{tmp_path}/a.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFFECTSTREAM_DATABASE_URL", url)
    monkeypatch.setenv("AFFECTSTREAM_TENANT", "acme")
    monkeypatch.setenv("AFFECTSTREAM_SECRET", "a long secret")
    monkeypatch.setattr("storage.cache.open_shared_cache", lambda _: MemoryCache())
    return url


@pytest.fixture
def filled(database: str) -> Callable[[], Any]:
    """Stores a call of five windows, which is older than any retention."""

    async def fill() -> None:
        engine = open_engine(database)
        await upgrade(engine)
        scores = [distressed(n, start_ns=1_000_000_000) for n in range(5)]
        await ResultStore(engine).commit([batch(scores, None)])
        await engine.dispose()

    return fill


def run(call: Callable[[], Any]) -> None:
    asyncio.run(call())


def test_erase_prints_a_receipt(
    filled: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run(filled)
    erase(conversation="c-1")
    said = capsys.readouterr().out
    assert "erased 1 conversation, receipt" in said
    assert "window_scores: 5" in said
    erase(conversation="c-1", json=True, by="the officer")
    receipt = json.loads(capsys.readouterr().out)
    assert (receipt["rows"], receipt["by"]) == ({}, "the officer")
    erase(subject="customer-77", json=True)
    assert json.loads(capsys.readouterr().out)["conversations"] == 0


@pytest.mark.parametrize("named", [{}, {"conversation": "c-1", "subject": "x"}])
@pytest.mark.usefixtures("database")
def test_erase_needs_one_thing_to_erase(named: dict[str, str]) -> None:
    with pytest.raises(NothingNamedError, match="one of them"):
        erase(**named)


def test_retention_says_what_would_go_and_what_went(
    filled: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run(filled)
    retention(dry_run=True)
    said = capsys.readouterr().out
    assert re.search(r"scores +\S+Z +5 +window_scores", said)
    assert "26 rows would go" in said
    for dry_run, rows in ((True, 5), (False, 5), (False, 0)):
        retention(dry_run=dry_run, json=True)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        [scores] = [line for line in lines if line["table"] == "window_scores"]
        assert (scores["class"], scores["rows"], scores["dry_run"]) == ("scores", rows, dry_run)
