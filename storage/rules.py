"""Versions of alert rules: stored once, never changed, valid from a moment that is to come."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Select, func, insert, null, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.engine import snapshot, transaction
from storage.errors import StorageError, StoreUnavailableError
from storage.schema import rules

MARGIN_NS: Final = 10_000_000_000
"""A version is valid this long after it can be read, or later. Whoever judges windows that start
up to so long after a read of the rules knows every version that they need."""
WRITE_S: Final = 5.0
"""A write that takes longer is given up: it could be read only after it is valid."""
ATTEMPTS: Final = 5
"""Of writers who found the same newest version; each time one of them gets on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRule:
    """One version of one rule of one tenant."""

    tenant: str
    name: str
    version: int
    """From 1; 0 is what comes with the program and stands in no row."""
    valid_from_ns: int
    """It holds for windows that start here or later, until the next version."""
    body: Mapping[str, Any] | None
    """The rule as plain data; None switches it off."""
    author: str
    stored_ns: int
    """Wall time."""


class RuleConflictError(StorageError):
    """Somebody else wrote the rule since the caller read it."""

    def __init__(self, name: str, expected: int, found: int) -> None:
        super().__init__(
            f"rule {name} is at version {found}, not {expected}: read it again, then write"
        )
        self.found = found


async def put_rule(
    engine: AsyncEngine,
    tenant: str,
    name: str,
    body: Mapping[str, Any] | None,
    *,
    author: str,
    now_ns: int,
    expected_version: int | None = None,
) -> StoredRule:
    """Store the next version of a rule.

    Args:
        engine: of the database.
        tenant: whose rule it is.
        name: of the rule.
        body: the rule as plain data; None switches it off.
        author: who wrote it.
        now_ns: wall time of the database, `storage.upgrade.server_time_ns`. The version is
            valid from `MARGIN_NS` after the latest moment at which it can be stored.
        expected_version: refuse unless this is the newest one; 0 for a rule without rows.

    Raises:
        RuleConflictError: the newest version is another one.
        StoreUnavailableError: the database does not answer, or not in time.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            async with asyncio.timeout(WRITE_S), transaction(engine) as connection:
                newest = await _newest(connection, tenant, name)
                found = newest.version if newest else 0
                if expected_version not in {None, found}:
                    raise RuleConflictError(name, expected_version or 0, found)
                earliest_ns = now_ns + round(WRITE_S * 1e9) + MARGIN_NS
                stored = StoredRule(
                    tenant=tenant,
                    name=name,
                    version=found + 1,
                    valid_from_ns=max(earliest_ns, newest.valid_from_ns if newest else 0),
                    body=body,
                    author=author,
                    stored_ns=now_ns,
                )
                row = asdict(stored) | {"body": null() if body is None else body}
                await connection.execute(insert(rules).values(row))
        except IntegrityError:  # another writer took the number: look again
            if attempt == ATTEMPTS:
                raise
        except TimeoutError as exc:
            raise StoreUnavailableError(
                f"rule {name} was not stored within {WRITE_S:g} s: try again"
            ) from exc
        else:
            return stored


async def list_rules(engine: AsyncEngine, tenant: str) -> Sequence[StoredRule]:
    """The newest version of each stored rule of a tenant by name, switched off or not.

    Raises StoreUnavailableError.
    """
    newest = (
        select(rules.c.name, func.max(rules.c.version).label("version"))
        .where(rules.c.tenant == tenant)
        .group_by(rules.c.name)
        .subquery()
    )
    query = (
        select(rules)
        .join(newest, (rules.c.name == newest.c.name) & (rules.c.version == newest.c.version))
        .where(rules.c.tenant == tenant)
        .order_by(rules.c.name)
    )
    return await _read(engine, query)


async def read_versions(engine: AsyncEngine, tenant: str, name: str) -> Sequence[StoredRule]:
    """Every stored version of a rule, newest first. Raises StoreUnavailableError."""
    query = (
        select(rules)
        .where(rules.c.tenant == tenant, rules.c.name == name)
        .order_by(rules.c.version.desc())
    )
    return await _read(engine, query)


async def read_every_rule(engine: AsyncEngine) -> Sequence[StoredRule]:
    """Every version of every rule of every tenant. Raises StoreUnavailableError."""
    return await _read(engine, select(rules).order_by(*rules.primary_key.columns))


async def _read(engine: AsyncEngine, query: Select[Any]) -> Sequence[StoredRule]:
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [StoredRule(**row) for row in rows]


async def _newest(connection: AsyncConnection, tenant: str, name: str) -> StoredRule | None:
    query = (
        select(rules)
        .where(rules.c.tenant == tenant, rules.c.name == name)
        .order_by(rules.c.version.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else StoredRule(**row)
