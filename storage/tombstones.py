"""Tombstones: which conversations were erased, known by digest only, until Kafka forgot them."""

from collections.abc import Collection, Mapping

from sqlalchemy import insert, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.digests import Digests
from storage.schema import tombstones
from storage.values import ConversationKey


async def tombstones_of(
    connection: AsyncConnection, digests: Digests, keys: Collection[ConversationKey]
) -> Mapping[ConversationKey, int]:
    """Those of `keys` that were erased, with the wall time of it."""
    by_digest = {(key.tenant, digests.tombstone(key.tenant, key.conversation)): key for key in keys}
    if not by_digest:
        return {}
    query = select(tombstones).where(
        tuple_(tombstones.c.tenant, tombstones.c.digest).in_(list(by_digest))
    )
    return {
        by_digest[row["tenant"], row["digest"]]: row["erased_ns"]
        for row in (await connection.execute(query)).mappings()
    }


async def erased_among(
    connection: AsyncConnection, digests: Digests, keys: Collection[ConversationKey]
) -> Collection[ConversationKey]:
    """Those of `keys` that were erased, for a transaction that is about to write of them.

    An erasure that runs is waited for, and one that comes later waits for this transaction
    (`hold_off_writers`), so nothing is written behind an erasure. SQLite has one writer.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text("LOCK TABLE progress IN ROW SHARE MODE"))
    return (await tombstones_of(connection, digests, keys)).keys()


async def hold_off_writers(connection: AsyncConnection) -> None:
    """Wait for every transaction that stores results; later ones wait for this. Readers go on."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("LOCK TABLE progress IN EXCLUSIVE MODE"))


async def raise_tombstone(
    connection: AsyncConnection,
    digests: Digests,
    key: ConversationKey,
    *,
    erased_ns: int,
    until_ns: int,
) -> None:
    """Nothing of `key` is stored again. Erased twice, it has one tombstone, the later."""
    digest = digests.tombstone(key.tenant, key.conversation)
    await connection.execute(
        tombstones.delete().where(tombstones.c.tenant == key.tenant, tombstones.c.digest == digest)
    )
    await connection.execute(
        insert(tombstones).values(
            tenant=key.tenant, digest=digest, erased_ns=erased_ns, until_ns=until_ns
        )
    )
