"""Sequence numbers of idempotent producers: a batch sent again is kept once."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from streams.broker.batch import NO_PRODUCER, Batch
from streams.broker.codes import ErrorCode, RefusedError

_REMEMBERED_BATCHES: Final = 5
"""As many as an idempotent producer may have in flight. Source: Kafka, KIP-98."""
_REMEMBERED_PRODUCERS: Final = 1_000
_SEQUENCES: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a batch lies."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    timestamp_ms: int


@dataclass(slots=True)
class _Producer:
    epoch: int
    recent: deque[Kept] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_BATCHES))


class Sequences:
    """What each producer last wrote to one partition."""

    def __init__(self) -> None:
        self._producers: dict[int, _Producer] = {}

    def find(self, batch: Batch) -> Kept | None:
        """Where `batch` was kept before, or None if it is the next one of its producer.

        Raises RefusedError for an epoch of the past and for a gap.
        """
        if batch.producer_id == NO_PRODUCER:
            return None
        known = self._producers.get(batch.producer_id)
        if known is None:  # new here, or forgotten: any number may be its next
            return None
        if batch.producer_epoch < known.epoch:
            raise RefusedError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"epoch {batch.producer_epoch} of producer {batch.producer_id}, "
                f"which is at {known.epoch}",
            )
        expected = 0
        if batch.producer_epoch == known.epoch:
            for kept in known.recent:
                if (kept.first_sequence, kept.last_sequence) == (
                    batch.first_sequence,
                    batch.last_sequence,
                ):
                    return kept
            expected = (known.recent[-1].last_sequence + 1) % _SEQUENCES
        if batch.first_sequence != expected:
            raise RefusedError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"sequence {batch.first_sequence} of producer {batch.producer_id}, "
                f"expected {expected}",
            )
        return None

    def keep(self, batch: Batch) -> None:
        """Remember a batch that is on the log."""
        if batch.producer_id == NO_PRODUCER:
            return
        known = self._producers.pop(batch.producer_id, None)
        if known is None or known.epoch != batch.producer_epoch:
            known = _Producer(batch.producer_epoch)
        known.recent.append(
            Kept(
                batch.first_sequence,
                batch.last_sequence,
                batch.base_offset,
                batch.max_timestamp_ms if batch.log_append_time else -1,
            )
        )
        self._producers[batch.producer_id] = known  # at the end: the newest
        if len(self._producers) > _REMEMBERED_PRODUCERS:
            del self._producers[next(iter(self._producers))]
