"""The record batch, version 2: what producers send, the log keeps and consumers get.

Batches are kept as they came. Only the fields in front of the checksum are written by the
broker (offset, leader epoch); with `LogAppendTime` also the attributes and the largest
timestamp, and then the checksum is made anew.
Layout: Apache Kafka documentation, "Message format", "Record batch".
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aiokafka.record.util import calc_crc32c  # C; kafka-python's own takes 90 times as long
from kafka.errors import KafkaError
from kafka.record import MemoryRecords

from streams.broker.codes import ErrorCode, RefusedError

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_LENGTH_COUNTS_FROM: Final = 12  # the length field counts what follows it
_EPOCH_AT: Final = 12
_CRC_AT: Final = 17
_CRC_COVERS_FROM: Final = 21
_MAX_TIMESTAMP_AT: Final = 35
_MAGIC: Final = 2

_LOG_APPEND_TIME: Final = 0x08
_TRANSACTIONAL_OR_CONTROL: Final = 0x30

NO_PRODUCER: Final = -1
"""Producer id of a batch that was not sent by an idempotent producer."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One checked batch. `data` holds header and records as they travel."""

    data: bytes
    base_offset: int
    last_offset: int
    """Inclusive."""
    attributes: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    first_sequence: int
    last_sequence: int

    @property
    def size_bytes(self) -> int:
        """Length on the wire and on disk."""
        return len(self.data)

    @property
    def log_append_time(self) -> bool:
        """True where the broker's clock made the timestamps."""
        return bool(self.attributes & _LOG_APPEND_TIME)

    @property
    def transactional(self) -> bool:
        """True for batches of a transaction and their markers."""
        return bool(self.attributes & _TRANSACTIONAL_OR_CONTROL)

    def placed(self, base_offset: int, append_ms: int | None) -> "Batch":
        """The same records at `base_offset`, stamped with `append_ms` where given."""
        data = bytearray(self.data)
        struct.pack_into(">q", data, 0, base_offset)
        struct.pack_into(">i", data, _EPOCH_AT, 0)
        if append_ms is not None:
            struct.pack_into(">h", data, _CRC_COVERS_FROM, self.attributes | _LOG_APPEND_TIME)
            struct.pack_into(">q", data, _MAX_TIMESTAMP_AT, append_ms)
            struct.pack_into(">I", data, _CRC_AT, calc_crc32c(bytes(data[_CRC_COVERS_FROM:])))
        return _read(bytes(data))

    def first_at_or_after(self, timestamp_ms: int) -> tuple[int, int] | None:
        """Offset and timestamp of the first record not older than `timestamp_ms`.

        A batch in a compression that this process cannot open answers for all its records
        with its first offset.
        """
        if self.max_timestamp_ms < timestamp_ms:
            return None
        if self.log_append_time:
            return self.base_offset, self.max_timestamp_ms
        try:
            records = [record for batch in MemoryRecords(self.data) for record in batch]
        except KafkaError:
            return self.base_offset, self.max_timestamp_ms
        for record in records:
            if record.timestamp >= timestamp_ms:
                return record.offset, record.timestamp
        return None


def parse(data: bytes) -> Batch:
    """Check the bytes of exactly one batch.

    Raises RefusedError: CORRUPT_MESSAGE for a wrong length, version or checksum,
    INVALID_RECORD for anything but one batch with at least one record.
    """
    if len(data) < _HEADER.size:
        raise RefusedError(
            ErrorCode.CORRUPT_MESSAGE,
            f"{len(data)} bytes, a record batch has at least {_HEADER.size}",
        )
    fields = _HEADER.unpack_from(data)
    length, magic, crc, last_delta, count = (fields[i] for i in (1, 3, 4, 6, 12))
    if magic != _MAGIC:
        raise RefusedError(
            ErrorCode.CORRUPT_MESSAGE, f"record batch of version {magic}, this broker keeps 2"
        )
    size = length + _LENGTH_COUNTS_FROM
    if len(data) < size or size < _HEADER.size:
        raise RefusedError(ErrorCode.CORRUPT_MESSAGE, f"{len(data)} bytes, the batch says {size}")
    if len(data) > size:
        raise RefusedError(
            ErrorCode.INVALID_RECORD, "more than one batch for a partition in one request"
        )
    if calc_crc32c(data[_CRC_COVERS_FROM:]) != crc:
        raise RefusedError(ErrorCode.CORRUPT_MESSAGE, "the checksum of the batch does not fit")
    if count < 1 or last_delta != count - 1:
        raise RefusedError(
            ErrorCode.INVALID_RECORD, f"{count} records, last offset delta {last_delta}"
        )
    return _read(data)


def split(data: bytes) -> Iterator[Batch]:
    """Batches that lie one after the other in a file; ends before a torn or damaged one."""
    at = 0
    while at + _HEADER.size <= len(data):
        (length,) = struct.unpack_from(">i", data, at + 8)
        end = at + _LENGTH_COUNTS_FROM + length
        if length < 0 or end > len(data):
            return
        try:
            yield parse(data[at:end])
        except RefusedError:
            return
        at = end


def _read(data: bytes) -> Batch:
    fields = _HEADER.unpack_from(data)
    base, attributes, last_delta, max_timestamp = (fields[i] for i in (0, 5, 6, 8))
    producer, epoch, sequence = fields[9:12]
    return Batch(
        data=data,
        base_offset=base,
        last_offset=base + last_delta,
        attributes=attributes,
        max_timestamp_ms=max_timestamp,
        producer_id=producer,
        producer_epoch=epoch,
        first_sequence=sequence,
        last_sequence=(sequence + last_delta) & 0x7FFF_FFFF,  # runs on from 0 after 2^31 - 1
    )
