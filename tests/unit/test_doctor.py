"""What `affectstream doctor` says of alert rules and of access."""

from pathlib import Path

import pytest

from storage.engine import open_engine
from storage.keys import create_key
from storage.rules import put_rule
from storage.upgrade import upgrade
from streams.alerts.rule import plain, shipped_rules
from streams.cli.doctor import _access, _ask, _rules
from streams.settings import Settings


@pytest.fixture
async def url(tmp_path: Path) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path}/a.db"
    engine = open_engine(url)
    await upgrade(engine)
    await engine.dispose()
    return url


async def put(url: str, **changes: object) -> None:
    engine = open_engine(url)
    body = plain(shipped_rules()["sharp-rise"]) | changes
    await put_rule(engine, "acme", "own", body, author="test", now_ns=0)
    await engine.dispose()


async def test_rules_that_tell_a_target_of_no_setting_are_found(url: str) -> None:
    settings = Settings(database_url=url)
    assert (await _ask("rules", _rules, settings)).detail.startswith("4 alert rules")
    await put(url, notify=["webhook:crm"])
    finding = await _ask("rules", _rules, settings)
    assert not finding.ok
    assert "rule own of tenant acme tells webhook:crm" in finding.detail
    target = {"url": "http://127.0.0.1:1/", "secret": "whsec_" + "A" * 32}
    known = Settings(database_url=url, webhooks={"crm": target})
    assert (await _ask("rules", _rules, known)).ok


async def test_a_rule_that_this_version_cannot_read_is_found(url: str) -> None:
    await put(url, metric="mood")
    finding = await _ask("rules", _rules, Settings(database_url=url))
    assert not finding.ok
    assert "'mood'" in finding.detail


async def test_access_is_said_in_words(url: str) -> None:
    open_here = await _ask("access", _access, Settings(database_url=url))
    assert open_here.ok
    assert "this machine only" in open_here.detail
    anywhere = Settings(database_url=url, api_host="0.0.0.0", secret="s" * 32)
    refused = await _ask("access", _access, anywhere)
    assert not refused.ok
    assert "affectstream keys create" in refused.detail
    engine = open_engine(url)
    await create_key(engine, tenant="acme", name="desk", rank="viewer", scopes=["read"],
                     created_by="test", now_ns=0)  # fmt: skip
    await engine.dispose()
    assert (await _ask("access", _access, anywhere)).detail == "the API answers keys"
