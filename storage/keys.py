"""API keys: random text that is shown once and stored as its digest."""

import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import RowMapping, exists, insert, or_, select, update
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.units import MINUTE_NS
from storage.engine import snapshot, transaction
from storage.errors import StoreUnavailableError
from storage.schema import api_keys

PREFIX: Final = "as_"
"""Makes a leaked key findable by scanners of source code."""
_RANDOM_BYTES: Final = 32
_SHAPE: Final = re.compile(r"as_[A-Za-z0-9_-]{43}")
USED_EVERY_NS: Final = MINUTE_NS
"""`used_ns` is written at most so often: reading should not become writing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is stored of a key. Times are wall time."""

    id: str
    tenant: str
    name: str
    rank: str
    scopes: tuple[str, ...]
    created_ns: int
    created_by: str
    expires_ns: int | None = None
    revoked_ns: int | None = None
    used_ns: int | None = None
    """Of the last request, to the minute."""

    def usable(self, now_ns: int) -> bool:
        """Whether it opens anything at `now_ns`."""
        return self.revoked_ns is None and (self.expires_ns is None or now_ns < self.expires_ns)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key, and the only copy of its text."""

    key: ApiKey
    secret: str


def looks_like_key(text: str) -> bool:
    """Whether `text` has the shape of a key: `as_` and 43 characters."""
    return _SHAPE.fullmatch(text) is not None


def digest(secret: str) -> str:
    """What is stored of a key's text. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def create_key(
    engine: AsyncEngine,
    *,
    tenant: str,
    name: str,
    rank: str,
    scopes: Sequence[str],
    created_by: str,
    now_ns: int,
    expires_ns: int | None = None,
) -> NewKey:
    """Make a key of `tenant`.

    Args:
        engine: of the database.
        tenant: whose data it opens.
        name: for people, and for the audit log.
        rank: what it may do.
        scopes: what it may do it with.
        created_by: who asked for it.
        now_ns: wall time.
        expires_ns: from when on it opens nothing; None is never.

    Raises StoreUnavailableError.
    """
    secret = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    key = ApiKey(
        id=str(uuid.uuid4()),
        tenant=tenant,
        name=name,
        rank=rank,
        scopes=tuple(scopes),
        created_ns=now_ns,
        created_by=created_by,
        expires_ns=expires_ns,
    )
    row = {
        "key_id": key.id,
        "tenant": tenant,
        "name": name,
        "digest": digest(secret),
        "rank": rank,
        "scopes": list(scopes),
        "created_ns": now_ns,
        "created_by": created_by,
        "expires_ns": expires_ns,
    }
    async with transaction(engine) as connection:
        await connection.execute(insert(api_keys), [row])
    return NewKey(key, secret)


async def find_key(engine: AsyncEngine, secret: str) -> ApiKey | None:
    """The key of this text, usable or not; None where there is none.

    It is looked up by digest: how long that takes says nothing about any stored text.

    Raises StoreUnavailableError.
    """
    query = select(api_keys).where(api_keys.c.digest == digest(secret))
    async with snapshot(engine) as connection:
        row = (await connection.execute(query)).mappings().first()
    return None if row is None else _key_of(row)


async def list_keys(engine: AsyncEngine, tenant: str) -> list[ApiKey]:
    """Every key of a tenant, newest first, revoked ones too. Raises StoreUnavailableError."""
    table = api_keys
    query = (
        select(table)
        .where(table.c.tenant == tenant)
        .order_by(table.c.created_ns.desc(), table.c.key_id)
    )
    async with snapshot(engine) as connection:
        return [_key_of(row) for row in (await connection.execute(query)).mappings()]


async def revoke_key(engine: AsyncEngine, tenant: str, key_id: str, now_ns: int) -> ApiKey | None:
    """End a key from now on; again is the same. Gives the key, None where `tenant` has none.

    Raises StoreUnavailableError.
    """
    table = api_keys
    mine = (table.c.tenant == tenant, table.c.key_id == key_id)
    async with transaction(engine) as connection:
        await connection.execute(
            update(table).where(*mine, table.c.revoked_ns.is_(None)).values(revoked_ns=now_ns)
        )
        row = (await connection.execute(select(table).where(*mine))).mappings().first()
    return None if row is None else _key_of(row)


async def mark_used(engine: AsyncEngine, key: ApiKey, now_ns: int) -> bool:
    """Store that `key` was used; False where that was less than `USED_EVERY_NS` ago.

    Raises StoreUnavailableError.
    """
    before_ns = now_ns - USED_EVERY_NS
    if key.used_ns is not None and key.used_ns > before_ns:
        return False
    table = api_keys
    async with transaction(engine) as connection:
        written = await connection.execute(
            update(table)
            .where(
                table.c.key_id == key.id,
                or_(table.c.used_ns.is_(None), table.c.used_ns <= before_ns),
            )
            .values(used_ns=now_ns)
        )
    return written.rowcount == 1


async def keys_exist(engine: AsyncEngine) -> bool:
    """Whether a key was ever made, for whichever tenant.

    Raises StoreUnavailableError, also where the tables were not made yet: that is waited for.
    """
    try:
        async with snapshot(engine) as connection:
            return bool(await connection.scalar(select(exists().select_from(api_keys))))
    except (OperationalError, ProgrammingError) as exc:
        raise StoreUnavailableError(
            "the database has no table of keys: run `affectstream db upgrade`"
        ) from exc


def _key_of(row: RowMapping) -> ApiKey:
    values: dict[str, Any] = {
        name: row[name]
        for name in (
            *("tenant", "name", "rank", "created_ns", "created_by"),
            *("expires_ns", "revoked_ns", "used_ns"),
        )
    }
    return ApiKey(id=row["key_id"], scopes=tuple(row["scopes"]), **values)
