"""`affectstream erase`."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from inference.errors import AffectstreamError
from streams.settings import Settings

if TYPE_CHECKING:
    from storage.erasure import Receipt


class NothingNamedError(AffectstreamError):
    """It is not said what to erase, or it is said twice."""


def erase(
    *,
    conversation: Annotated[str | None, Parameter(help="Id of one conversation.")] = None,
    subject: Annotated[
        str | None, Parameter(help="Who took part, as `participant_joined` named them.")
    ] = None,
    tenant: Annotated[str | None, Parameter(help="Whose; the setting tenant by default.")] = None,
    by: Annotated[str, Parameter(help="Who asked for it, for the receipt.")] = "command line",
    json: Annotated[bool, Parameter(negative=(), help="The receipt as JSON.")] = False,
) -> None:
    """Erase a conversation, or all stored conversations of a subject, for good.

    Deletes it from the database and the cache, ends it if it runs, and keeps a digest by
    which workers drop what Kafka still holds of it. Prints a receipt in numbers.

    Example: `affectstream erase --conversation c-42`
    """
    from streams.cli._start import read_settings

    if (conversation is None) == (subject is None):
        raise NothingNamedError("say --conversation ID or --subject NAME, one of them")
    settings = read_settings(tenant=tenant)
    receipt = asyncio.run(_erase(settings, conversation, subject, by))
    if json:
        import msgspec

        print(msgspec.json.encode(receipt).decode())  # noqa: T201 - the command's result
        return
    console = Console(highlight=False, soft_wrap=True)
    if not any(receipt.rows.values()):
        console.print(f"nothing was stored of it, receipt {receipt.id}")
        console.print(f"what Kafka may hold until {receipt.kafka_until} is not scored")
        return
    what = (
        "1 conversation" if receipt.conversations == 1 else f"{receipt.conversations} conversations"
    )
    console.print(f"erased {what}, receipt {receipt.id}")
    for table, rows in receipt.rows.items():
        console.print(f"  {table}: {rows}", markup=False)
    console.print(f"  keys of the cache: {receipt.keys}")
    console.print(f"Kafka may hold records until {receipt.kafka_until}; they are not scored again")


async def _erase(
    settings: Settings, conversation: str | None, subject: str | None, by: str
) -> "Receipt":
    from storage.cache import open_shared_cache
    from storage.engine import open_engine
    from storage.values import ConversationKey
    from streams.cli._privacy import open_eraser

    cache = open_shared_cache(settings.cache_url.get_secret_value())
    engine = open_engine(settings.database_url.get_secret_value())
    try:
        eraser = open_eraser(settings, engine, cache)
        if conversation is not None:
            key = ConversationKey(settings.tenant, conversation)
            return await eraser.conversation(key, by=by, now_ns=time.time_ns())
        return await eraser.subject(settings.tenant, subject or "", by=by, now_ns=time.time_ns())
    finally:
        await cache.close()
        await engine.dispose()
