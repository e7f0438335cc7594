"""Erasure: a conversation, or all of a subject's, out of SQL and out of the cache."""

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Table, Text, cast, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inference.contract import format_time
from inference.units import HOUR_NS
from storage.cache import Cache
from storage.digests import Digests
from storage.engine import snapshot, transaction
from storage.errors import StoreUnavailableError
from storage.schema import (
    audit_log,
    consents,
    erasures,
    metadata,
    outbox,
    participants,
    policy_decisions,
)
from storage.tombstones import hold_off_writers, raise_tombstone
from storage.values import EVERYBODY, ConversationKey

PSEUDONYM: Final = "erased:"
_KEPT: Final = (policy_decisions, consents)
"""What was decided and said stays on record under pseudonyms: it shows that rules were kept."""
_ID: Final = r"[A-Za-z0-9._:-]"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, in numbers: never whose."""

    id: str
    kind: str
    """`conversation` or `subject`."""
    at: str
    by: str
    conversations: int
    rows: dict[str, int]
    """Deleted by table; of `audit_log`, `policy_decisions` and `consents` those made
    pseudonymous."""
    keys: int
    """Deleted from the cache."""
    kafka_until: str
    """Until then Kafka may still hold records; they are not scored again."""


@dataclass(frozen=True, slots=True)
class ErasurePlace:
    """Where a page of receipts ends: newest first, then by id."""

    at_ns: int
    erasure: str


class Eraser:
    """Erases for one deployment.

    Args:
        engine: of the database.
        cache: told at once; None where this process has none.
        digests: under the secret of the deployment.
        kafka_retention_h: longest retention of any topic that conversations come on.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        cache: Cache | None = None,
        *,
        digests: Digests | None = None,
        kafka_retention_h: float = 24.0,
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._digests = digests or Digests()
        self._retention_ns = int(kafka_retention_h * HOUR_NS)

    async def conversation(self, key: ConversationKey, *, by: str, now_ns: int) -> Receipt:
        """Erase one conversation, also one of which nothing is stored yet, and end it.

        Raises StoreUnavailableError; what was erased by then stays erased. Where only the
        cache is away the receipt is stored first: erase again to empty that, too.
        """
        return await self._erase("conversation", key.tenant, [key.conversation], by, now_ns)

    async def subject(self, tenant: str, name: str, *, by: str, now_ns: int) -> Receipt:
        """Erase every stored conversation that the subject took part in.

        Raises NoSecretError where no subject can be stored, StoreUnavailableError.
        """
        digest = self._digests.named_subject(tenant, name)
        query = (
            select(participants.c.conversation)
            .where(participants.c.tenant == tenant, participants.c.subject == digest)
            .distinct()
        )
        async with snapshot(self._engine) as connection:
            found = sorted(await connection.scalars(query))
        return await self._erase("subject", tenant, found, by, now_ns, also=(name, digest))

    async def _erase(
        self,
        kind: str,
        tenant: str,
        conversations: list[str],
        by: str,
        now_ns: int,
        also: Iterable[str] = (),
    ) -> Receipt:
        until_ns = now_ns + self._retention_ns
        rows: Counter[str] = Counter()
        keys, away = 0, None
        for name in conversations:
            key = ConversationKey(tenant, name)
            async with transaction(self._engine) as connection:
                await hold_off_writers(connection)
                await raise_tombstone(
                    connection, self._digests, key, erased_ns=now_ns, until_ns=until_ns
                )
                rows += await _delete(connection, key)
                rows += await self._make_pseudonymous(connection, key)
            try:
                keys += await self._cache.forget(key) if self._cache is not None else 0
            except StoreUnavailableError as exc:
                away = exc
        receipt = Receipt(
            id=str(uuid.uuid4()),
            kind=kind,
            at=format_time(now_ns),
            by=by,
            conversations=len(conversations),
            rows={str(name): rows[name] for name in sorted(rows)},
            keys=keys,
            kafka_until=format_time(until_ns),
        )
        async with transaction(self._engine) as connection:
            stand_ins = {word: self._stand_in(tenant, word) for word in also}
            await _rewrite_audit(connection, tenant, stand_ins)
            await connection.execute(
                insert(erasures).values(
                    tenant=tenant,
                    erasure=receipt.id,
                    kind=kind,
                    at_ns=now_ns,
                    actor=by,
                    receipt=msgspec.to_builtins(receipt),
                )
            )
        if away is not None:
            raise away
        return receipt

    def _stand_in(self, tenant: str, *names: str) -> str:
        return PSEUDONYM + self._digests.pseudonym(tenant, *names)

    async def _make_pseudonymous(
        self, connection: AsyncConnection, key: ConversationKey
    ) -> Counter[str]:
        """Replace the names in what stays: of the conversation, and of its participants."""
        stand_in = self._stand_in(key.tenant, key.conversation)
        changed: Counter[str] = Counter()
        for table in _KEPT:
            mine = (table.c.tenant == key.tenant) & (table.c.conversation == key.conversation)
            names = select(table.c.participant).where(mine).distinct()
            for name in sorted(await connection.scalars(names)):
                pseudonym = (
                    name
                    if name == EVERYBODY
                    else self._stand_in(key.tenant, key.conversation, name)
                )
                done = await connection.execute(
                    update(table)
                    .where(mine, table.c.participant == name)
                    .values(conversation=stand_in, participant=pseudonym)
                )
                changed[table.name] += done.rowcount
        changed[audit_log.name] += await _rewrite_audit(
            connection, key.tenant, {key.conversation: stand_in}
        )
        return +changed


async def _delete(connection: AsyncConnection, key: ConversationKey) -> Counter[str]:
    """Delete the rows of a conversation from every table that has any; counts by table.

    The outbox is locked first: a relay that just moves its rows to the live feed is waited
    for, and what it moved is deleted, too.
    """
    waiting = select(outbox.c.id).where(
        outbox.c.tenant == key.tenant, outbox.c.conversation == key.conversation
    )
    await connection.execute(waiting.order_by(outbox.c.id).with_for_update())
    deleted: Counter[str] = Counter()
    for table in reversed(metadata.sorted_tables):
        if table not in (*_KEPT, audit_log) and _of_conversations(table):
            mine = (table.c.tenant == key.tenant) & (table.c.conversation == key.conversation)
            deleted[table.name] += (await connection.execute(delete(table).where(mine))).rowcount
    return +deleted


def _of_conversations(table: Table) -> bool:
    return "tenant" in table.c and "conversation" in table.c


async def _rewrite_audit(
    connection: AsyncConnection, tenant: str, stand_ins: Mapping[str, str]
) -> int:
    """Replace whole names in the audit log; returns how many entries that changed."""
    if not stand_ins:
        return 0
    spelt = {form for word in stand_ins for form in _json_forms(word)}
    mentions = or_(
        audit_log.c.conversation.in_(list(stand_ins)),
        *(cast(audit_log.c.details, Text).contains(form, autoescape=True) for form in spelt),
    )
    changed = 0
    query = select(audit_log).where(audit_log.c.tenant == tenant, mentions)
    for row in (await connection.execute(query.with_for_update())).mappings().all():
        conversation = stand_ins.get(row["conversation"], row["conversation"])
        details = _renamed(row["details"], stand_ins)
        if (conversation, details) != (row["conversation"], row["details"]):
            changed += 1
            await connection.execute(
                update(audit_log)
                .where(audit_log.c.entry == row["entry"])
                .values(conversation=conversation, details=details)
            )
    return changed


def _json_forms(word: str) -> set[str]:
    """How JSON text may spell a word: databases differ in what they escape."""
    return {json.dumps(word, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}


def _renamed(value: Any, stand_ins: Mapping[str, str]) -> Any:
    """`value` with whole names replaced; `c-1` is no part of `c-10`."""
    if isinstance(value, str):
        for word, stand_in in stand_ins.items():
            value = re.sub(rf"(?<!{_ID}){re.escape(word)}(?!{_ID})", stand_in, value)
        return value
    if isinstance(value, dict):
        return {_renamed(k, stand_ins): _renamed(v, stand_ins) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(item, stand_ins) for item in value]
    return value


async def list_erasures(
    engine: AsyncEngine, tenant: str, *, after: ErasurePlace | None = None, limit: int
) -> list[Receipt]:
    """Receipts of a tenant, newest first. Raises StoreUnavailableError."""
    query = select(erasures.c.receipt).where(erasures.c.tenant == tenant)
    if after is not None:
        same = (erasures.c.at_ns == after.at_ns) & (erasures.c.erasure > after.erasure)
        query = query.where(or_(erasures.c.at_ns < after.at_ns, same))
    query = query.order_by(erasures.c.at_ns.desc(), erasures.c.erasure).limit(limit)
    async with snapshot(engine) as connection:
        return [msgspec.convert(receipt, Receipt) for receipt in await connection.scalars(query)]
