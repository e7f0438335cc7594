"""Delivers alerts to one target: in order for each conversation, each until it has it or is dead.

A target that does not answer waits as a whole, so that an outage costs one attempt a pause;
a message that fails by itself waits with its conversation.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Literal

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from inference.units import SECOND_NS
from storage.alerts import snoozed_until
from storage.errors import StoreUnavailableError
from storage.outbox import Message, delivered, give_up, pending, put_off, put_off_all
from storage.values import ConversationKey
from streams.telemetry import logger
from streams.worker.sinks.news import read_news
from streams.worker.sinks.target import FailedError, RefusedError, Target, UnreachableError

FIRST_PAUSE_S: Final = 1
LONGEST_PAUSE_S: Final = 60
"""A receiver that is back has everything within this."""
GIVE_UP_AFTER_S: Final = 24 * 3_600
PARALLEL: Final = 8
"""Conversations whose alerts are on the way to one target at once."""
BATCH: Final = 100
_log = logger("relay")
Outcome = Literal["delivered", "snoozed", "failed", "dead"]


def pause_s(failures: int) -> int:
    """Seconds to wait after so many failures in a row, the first one counted as 0."""
    return min(FIRST_PAUSE_S << min(failures, LONGEST_PAUSE_S), LONGEST_PAUSE_S)


def attempts_within(seconds: int) -> int:
    """How many attempts in a row fail before `seconds` of pauses have passed."""
    attempts = waited_s = 0
    while waited_s < seconds:
        waited_s += pause_s(attempts)
        attempts += 1
    return attempts


ATTEMPTS: Final = attempts_within(GIVE_UP_AFTER_S)
"""After so many a message is dead."""


class TargetDelivery:
    """Serves one target.

    Args:
        engine: of the database.
        target: who takes the alerts.
        count: called with the sink and what became of a message.
        now_ns: wall time.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        target: Target,
        count: Callable[[str, Outcome], None],
        *,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._engine = engine
        self._target = target
        self._count = count
        self._now_ns = now_ns
        self._failures = 0
        """How often in a row nobody answered."""
        self._resume_at_ns = 0

    async def serve(self) -> int:
        """Send what is due; returns how many messages were looked at, 0 while it waits.

        Raises StoreUnavailableError.
        """
        now_ns = self._now_ns()
        if self._waits(now_ns):
            return 0
        sink = self._target.sink
        messages = await pending(self._engine, sink, now_ns=now_ns, limit=BATCH)
        if not messages:
            return 0
        quiet = await self._snoozed(messages, now_ns)
        by_conversation: dict[ConversationKey, list[Message]] = defaultdict(list)
        for message in messages:
            key = ConversationKey(message.tenant, message.conversation)
            by_conversation[key].append(message)
        slots = asyncio.Semaphore(PARALLEL)

        async def send(part: Sequence[Message]) -> None:
            async with slots:
                await self._send_in_order(part, quiet)

        await _all(*(send(part) for part in by_conversation.values()))
        return len(messages)

    def _waits(self, now_ns: int) -> bool:
        return now_ns < self._resume_at_ns

    async def _snoozed(self, messages: Sequence[Message], now_ns: int) -> set[str]:
        """Ids of messages that nobody wants now: that an alert fires which is snoozed.

        Its end is always told: who has heard of the beginning must hear of it, and who has
        not loses nothing.
        """
        firing: dict[str, tuple[str, str]] = {}
        for message in messages:
            with suppress(msgspec.MsgspecError):  # sending it says so
                news = read_news(message.payload)
                if news.transition != "firing":
                    continue
                firing[message.id] = (message.tenant, news.alert.id)
        until: Mapping[str, int] = {}
        if firing:
            until = await snoozed_until(self._engine, firing.values())
        return {message for message, (_, alert) in firing.items() if until.get(alert, 0) > now_ns}

    async def _send_in_order(self, messages: Sequence[Message], quiet: set[str]) -> None:
        """Send one conversation's messages up to the first that has to wait."""
        for message in messages:
            if message.id in quiet:
                await self._settle(message, "snoozed")
                continue
            if self._waits(self._now_ns()) or not await self._send(message):
                return

    async def _send(self, message: Message) -> bool:
        """Whether the next message of the conversation may go."""
        target = self._target
        if target.tenant not in (None, message.tenant):
            await self._put_off(message, "this target is not for alerts of this tenant", dead=True)
            return True
        try:
            await target.send(message)
        except UnreachableError as exc:
            await self._wait_for_target(str(exc))
            return False
        except FailedError as exc:
            await self._put_off(message, str(exc), dead=message.attempts + 1 >= ATTEMPTS)
            return False
        except RefusedError as exc:
            await self._put_off(message, str(exc), dead=True)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the next alerts must go on
            _log.exception("delivery_crashed", sink=target.sink, id=message.id)
            await self._put_off(message, f"internal error: {type(exc).__name__}", dead=True)
        else:
            self._failures = 0
            await self._settle(message, "delivered")
        return True

    async def _settle(self, message: Message, outcome: Outcome) -> None:
        await delivered(self._engine, [message])
        self._count(message.sink, outcome)

    async def _put_off(self, message: Message, error: str, *, dead: bool) -> None:
        wait_s = pause_s(message.attempts)
        until_ns = self._now_ns() + wait_s * SECOND_NS
        await put_off(self._engine, message, error=error, until_ns=until_ns, dead=dead)
        self._count(message.sink, "dead" if dead else "failed")
        _log.warning("not_delivered", sink=message.sink, id=message.id, dead=dead, error=error)

    async def _wait_for_target(self, error: str) -> None:
        """Everything for the target waits; of several that failed at once, the first says so."""
        now_ns = self._now_ns()
        if self._waits(now_ns):
            return
        sink, wait_s = self._target.sink, pause_s(self._failures)
        self._resume_at_ns = now_ns + wait_s * SECOND_NS
        self._failures += 1
        self._count(sink, "failed")
        _log.warning("target_away", sink=sink, retry_s=wait_s, error=error)
        await put_off_all(self._engine, sink, error=error, until_ns=self._resume_at_ns)
        for _ in range(await give_up(self._engine, sink=sink, attempts=ATTEMPTS, error=error)):
            self._count(sink, "dead")


async def _all(*sending: Awaitable[None]) -> None:
    """Wait for all; an outage of the database is raised as itself, after the others ended."""
    results = await asyncio.gather(*sending, return_exceptions=True)
    for result in results:
        if isinstance(result, StoreUnavailableError):
            raise result
    for result in results:
        if isinstance(result, BaseException):
            raise result
