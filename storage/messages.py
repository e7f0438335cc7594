"""Outbox rows and their deliveries, written in the transaction of what they tell of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.inserts import insert_new
from storage.schema import deliveries, outbox

SINKS: Final[Mapping[str, tuple[str, ...]]] = {
    "score": ("kafka", "cache", "feed"),
    "ended": ("cache", "feed"),
    "alert": ("kafka", "feed"),
    "withdrawn": ("cache", "feed"),
}
"""Who takes which kind of outbox row; each fails on its own. Alerts name further sinks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One thing to tell."""

    id: str
    """The same for the same thing, whoever writes it."""
    tenant: str
    kind: str
    conversation: str
    participant: str
    at_ns: int
    """Event time; the order in which a sink hears of one conversation."""
    payload: bytes
    sinks: tuple[str, ...]
    traceparent: str | None = None
    """Of the span that made it; None where nobody traces."""


async def write_outbox(
    connection: AsyncConnection, messages: Sequence[Outgoing], *, again: bool = False
) -> None:
    """Insert the messages with one delivery a sink.

    A second insert of an id is refused; `again` leaves alone what waits under it.
    """
    if not messages:
        return
    told = [
        {
            "id": message.id,
            "tenant": message.tenant,
            "kind": message.kind,
            "conversation": message.conversation,
            "participant": message.participant,
            "at_ns": message.at_ns,
            "payload": message.payload,
            "traceparent": message.traceparent,
        }
        for message in messages
    ]
    due = [
        {
            "outbox_id": message.id,
            "sink": sink,
            "tenant": message.tenant,
            "conversation": message.conversation,
            "at_ns": message.at_ns,
            "attempts": 0,
            "next_attempt_ns": 0,
            "dead": False,
        }
        for message in messages
        for sink in message.sinks
    ]
    for table, rows in ((outbox, told), (deliveries, due)):
        if again:
            await insert_new(connection, table, rows)
        else:
            await connection.execute(insert(table), rows)
