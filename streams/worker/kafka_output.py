"""One idempotent producer for everything a worker sends."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Self

import stamina
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.errors import MessageSizeTooLargeError as TooLargeError

from streams.telemetry import logger
from streams.worker.dead_letters import DETAIL_HEADER, DeadLetter

MAX_REQUEST_BYTES: Final = 4 << 20
"""The default of 1 000 000 would refuse a record of the size that our topics allow."""


def _away(error: Exception) -> bool:
    """Whether trying again can help."""
    return isinstance(error, OSError) or (isinstance(error, KafkaError) and error.retriable)


_patiently: Final = stamina.AsyncRetryingCaller(
    attempts=None, timeout=None, wait_initial=0.2, wait_max=5.0
).on(_away)
_log = logger("worker.kafka")


class KafkaOutput:
    """Delivers, retrying for as long as the broker is away; also a `DeadLetterSink`."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        """Connect; waits for a broker that is not up yet."""
        self._producer = await _patiently(self._connect)
        return self

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            linger_ms=5,
            max_request_size=MAX_REQUEST_BYTES,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def __aexit__(self, *exc: object) -> None:
        """Flush and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def publish(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, str],
    ) -> None:
        """Return once the broker has the record.

        Raises aiokafka.errors.KafkaError where it does not take it.
        """
        if self._producer is None:
            raise RuntimeError("publish before the producer was started")
        pairs = [(name, text.encode()) for name, text in headers.items()]
        await self._producer.send_and_wait(topic, value=value, key=key, headers=pairs)

    async def deliver(self, letters: Sequence[DeadLetter]) -> None:
        """Return once every letter is on its topic."""
        await asyncio.gather(*(self._deliver(letter) for letter in letters))

    async def _deliver(self, letter: DeadLetter) -> None:
        try:
            await _patiently(self.publish, letter.topic, letter.key, letter.value, letter.headers)
        except TooLargeError:
            # It fitted on its own topic; with our headers it does not. The headers name
            # the source offset, where the value can still be read.
            detail = letter.headers.get(DETAIL_HEADER, "")
            headers = {**letter.headers, DETAIL_HEADER: f"{detail} (too large: value left out)"}
            await _patiently(self.publish, letter.topic, letter.key, None, headers)
        _log.warning("dead_letter", topic=letter.topic, **_names(letter.headers))


def _names(headers: Mapping[str, str]) -> dict[str, str]:
    """Log fields: the reason and the place, never the detail, which may quote words."""
    return {
        name.removeprefix("affectstream-").replace("-", "_"): text
        for name, text in headers.items()
        if name != DETAIL_HEADER
    }
