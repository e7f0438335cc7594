"""`affectstream keys …` and `serve`: who may ask, from the command line."""

import asyncio
import json
from pathlib import Path
from typing import Any, get_args

import pytest

from storage.audit import list_recorded
from storage.engine import open_engine
from storage.errors import StoreUnavailableError
from storage.keys import find_key, looks_like_key
from storage.upgrade import upgrade
from streams.cli import keys as command
from streams.cli.serve import OpenToNobodyError, serve
from streams.serving.access.caller import Rank
from streams.serving.access.limits import LimitError
from streams.serving.access.oidc import OptionsError
from streams.serving.access.scopes import Scope

Reader = pytest.CaptureFixture[str]


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with tables that commands find."""
    url = f"sqlite+aiosqlite:///{tmp_path}/a.db"

    async def prepare() -> None:
        engine = open_engine(url)
        await upgrade(engine)
        await engine.dispose()

    asyncio.run(prepare())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFFECTSTREAM_DATABASE_URL", url)
    monkeypatch.setenv("AFFECTSTREAM_CACHE_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("AFFECTSTREAM_LOG_LEVEL", "error")
    return url


def asked(url: str, question: Any, *arguments: Any, **named: Any) -> Any:
    """Answer of a question to the database."""

    async def ask() -> Any:
        engine = open_engine(url)
        try:
            return await question(engine, *arguments, **named)
        finally:
            await engine.dispose()

    return asyncio.run(ask())


def listed(capsys: Reader, tenant: str | None = None) -> list[dict[str, Any]]:
    command.list_(tenant=tenant, json_=True)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_key_is_printed_alone_on_stdout_and_never_again(url: str, capsys: Reader) -> None:
    command.create("crm", rank="supervisor")
    output = capsys.readouterr()
    secret = output.out.strip()
    assert looks_like_key(secret)
    key = asked(url, find_key, secret)
    assert (key.tenant, key.name, key.rank) == ("default", "crm", "supervisor")
    assert key.scopes == ("alerts", "keys", "privacy", "read", "rules")
    assert key.id in output.err
    command.list_()
    table = capsys.readouterr().out
    assert key.id in table
    assert secret not in table


def test_keys_are_made_listed_and_revoked_as_json(url: str, capsys: Reader) -> None:
    command.create(
        "watch", rank="viewer", tenant="acme", days=1, scope=("metrics", "read", "read"), json_=True
    )
    made = json.loads(capsys.readouterr().out)
    assert looks_like_key(made.pop("key"))
    assert made["scopes"] == ["metrics", "read"]
    assert made["expires"] > made["created"]
    assert listed(capsys) == []
    assert listed(capsys, "acme") == [made]
    with pytest.raises(command.KeyNameError, match="tenant default has no key"):
        command.revoke(made["id"])
    command.revoke(made["id"], tenant="acme")
    assert "watch opens nothing any more" in capsys.readouterr().out
    command.revoke(made["id"], tenant="acme", json_=True)
    assert json.loads(capsys.readouterr().out)["revoked"] is not None


def test_what_the_command_line_does_is_on_record(url: str, capsys: Reader) -> None:
    command.create("crm", rank="admin", json_=True)
    key = json.loads(capsys.readouterr().out)["id"]
    command.revoke(key)
    found = asked(url, list_recorded, "default", limit=9)
    assert [(one.entry.actor, one.entry.action) for one in found] == [
        ("command line", "key.revoke"),
        ("command line", "key.create"),
    ]
    assert all(one.entry.details["key"] == key for one in found)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 257])
def test_a_name_that_cannot_be_shown_is_refused(name: str, url: str) -> None:
    with pytest.raises(command.KeyNameError, match="1 to 256"):
        command.create(name, rank="viewer")


def test_a_database_without_tables_says_how_to_make_them(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFECTSTREAM_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    with pytest.raises(StoreUnavailableError, match="affectstream db upgrade"):
        command.create("crm", rank="viewer")
    with pytest.raises(OpenToNobodyError, match=r"before it is known.*affectstream db upgrade"):
        serve(api_host="0.0.0.0", api_port=0)


def test_the_command_line_knows_every_rank_and_scope() -> None:
    assert get_args(command.RankName) == tuple(Rank)
    assert get_args(command.ScopeName) == tuple(Scope)


def test_serve_refuses_to_listen_for_others_while_nobody_has_credentials(url: str) -> None:
    with pytest.raises(OpenToNobodyError, match="affectstream keys create NAME --rank supervisor"):
        serve(api_host="0.0.0.0", api_port=0)


@pytest.mark.parametrize("provider", ["", "https://login.example"])
def test_serve_listens_for_others_once_somebody_can_get_in(
    provider: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []

    async def until_signalled(server: Any) -> None:
        heard.append(server._listener.getsockname()[0])

    monkeypatch.setattr("streams.serving.server.until_signalled", until_signalled)
    if provider:
        monkeypatch.setenv("AFFECTSTREAM_OIDC_ISSUER", provider)
        monkeypatch.setenv("AFFECTSTREAM_OIDC_AUDIENCE", "affectstream")
    else:
        command.create("crm", rank="viewer")
    serve(api_host="0.0.0.0", api_port=0)
    serve(api_port=0)
    assert heard == ["0.0.0.0", "127.0.0.1"]


def test_serve_refuses_settings_that_mean_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFECTSTREAM_RATE_LIMIT", "often")
    with pytest.raises(LimitError, match="3000/minute"):
        serve(api_port=0)
    monkeypatch.setenv("AFFECTSTREAM_OIDC_ISSUER", "https://login.example")
    with pytest.raises(OptionsError, match="oidc_audience is empty"):
        serve(api_port=0)
