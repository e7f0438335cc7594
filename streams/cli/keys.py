"""`affectstream keys …`: make, list and revoke keys of the API."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter, validators
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inference.errors import AffectstreamError
from inference.units import DAY_NS

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from storage.keys import ApiKey

RankName = Literal["viewer", "supervisor", "admin"]
ScopeName = Literal["read", "alerts", "rules", "privacy", "keys", "metrics"]
Tenant = Annotated[str | None, Parameter(help="Whose data; the setting `tenant` if left out.")]
Json = Annotated[bool, Parameter(name="--json", negative=())]
ACTOR: Final = "command line"
TIMES: Final = ("created", "expires", "used", "revoked")
LONGEST_NAME: Final = 256


class KeyNameError(AffectstreamError):
    """The key cannot be called this, or none has this id."""


def create(
    name: str,
    *,
    rank: RankName,
    tenant: Tenant = None,
    days: Annotated[int | None, Parameter(validator=validators.Number(gte=1, lte=36_500))] = None,
    scope: Annotated[Sequence[ScopeName] | None, Parameter(negative=())] = None,
    json_: Json = False,
) -> None:
    """Make a key and print it: the only time that it is shown.

    The first key ends open access: from then on everybody needs one.

    Example: `affectstream keys create crm --rank viewer --days 90 --scope read`

    Args:
        name: for people, and for the audit log.
        rank: `viewer` looks, `supervisor` works with alerts and rules, `admin` does the rest.
        tenant: whose data it opens.
        days: it expires after so many; without it, never.
        scope: part of the API, again for more; without it, all that the rank opens.
        json_: print an object with the key and what is stored of it.
    """
    asyncio.run(_create(name, rank, tenant, days, scope, as_json=json_))


def list_(*, tenant: Tenant = None, json_: Json = False) -> None:
    """List the keys of a tenant, newest first, without their text.

    Example: `affectstream keys list`

    Args:
        tenant: whose.
        json_: print an object a line.
    """
    asyncio.run(_list(tenant, as_json=json_))


def revoke(key: str, *, tenant: Tenant = None, json_: Json = False) -> None:
    """End a key at once and for good.

    Example: `affectstream keys revoke 2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d`

    Args:
        key: its id, as `affectstream keys list` shows it.
        tenant: whose.
        json_: print what is stored of it.
    """
    asyncio.run(_revoke(key, tenant, as_json=json_))


async def _create(
    name: str,
    rank: RankName,
    tenant: str | None,
    days: int | None,
    scopes: Sequence[str] | None,
    *,
    as_json: bool,
) -> None:
    from storage.audit import Entry, record
    from storage.keys import create_key
    from streams.serving.access.caller import Rank, scopes_of

    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise KeyNameError(f"a name has 1 to {LONGEST_NAME} characters that can be printed")
    now_ns = time.time_ns()
    async with _database(tenant) as (engine, whose):
        new = await create_key(
            engine,
            tenant=whose,
            name=name,
            rank=rank,
            scopes=sorted(set(scopes) if scopes else scopes_of(Rank(rank))),
            created_by=ACTOR,
            now_ns=now_ns,
            expires_ns=None if days is None else now_ns + days * DAY_NS,
        )
        details = {"key": new.key.id, "name": name, "rank": rank}
        await record(engine, Entry(whose, ACTOR, "key.create", None, details), now_ns)
    if as_json:
        _print(_shown(new.key) | {"key": new.secret})
        return
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    notes.print(f"key {new.key.id} of tenant {whose}; it is not shown again:", markup=False)
    sys.stdout.write(f"{new.secret}\n")


async def _list(tenant: str | None, *, as_json: bool) -> None:
    from storage.keys import list_keys

    async with _database(tenant) as (engine, whose):
        found = await list_keys(engine, whose)
    if as_json:
        for key in found:
            _print(_shown(key))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("what it opens, since when")
    for key in found:
        shown = _shown(key)
        times = [f"{word} {shown[word]}" for word in TIMES if shown[word] is not None]
        about = "\n".join((f"{key.rank}: {', '.join(key.scopes)}", *times))
        table.add_row(key.id, Text(key.name), about)
    Console(highlight=False, soft_wrap=True, markup=False).print(table)


async def _revoke(key: str, tenant: str | None, *, as_json: bool) -> None:
    from storage.audit import Entry, record
    from storage.keys import revoke_key

    now_ns = time.time_ns()
    async with _database(tenant) as (engine, whose):
        revoked = await revoke_key(engine, whose, key, now_ns)
        if revoked is None:
            raise KeyNameError(
                f"tenant {whose} has no key of this id; `affectstream keys list` shows them"
            )
        entry = Entry(whose, ACTOR, "key.revoke", None, {"key": revoked.id})
        await record(engine, entry, now_ns)
    if as_json:
        _print(_shown(revoked))
    else:
        sys.stdout.write(f"{revoked.name} opens nothing any more\n")


@asynccontextmanager
async def _database(tenant: str | None) -> AsyncIterator[tuple["AsyncEngine", str]]:
    """The database, and whose data it is about."""
    from storage.engine import open_engine
    from storage.keys import keys_exist
    from streams.cli._start import read_settings

    settings = read_settings(tenant=tenant)
    engine = open_engine(settings.database_url.get_secret_value())
    try:
        await keys_exist(engine)  # says what to do where there are no tables
        yield engine, settings.tenant
    finally:
        await engine.dispose()


def _shown(key: "ApiKey") -> dict[str, Any]:
    from inference.contract import format_time

    moments_ns = (key.created_ns, key.expires_ns, key.used_ns, key.revoked_ns)
    return {
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "rank": key.rank,
        "scopes": list(key.scopes),
        **{
            word: None if ns is None else format_time(ns)
            for word, ns in zip(TIMES, moments_ns, strict=True)
        },
    }


def _print(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
