"""Record batches as producers make them, for the tests of the embedded broker."""

import struct
from collections.abc import Sequence
from typing import Final

from aiokafka.record.util import calc_crc32c
from kafka.record import MemoryRecords
from kafka.record.memory_records import MemoryRecordsBuilder

GZIP: Final = 1
LZ4: Final = 3
ZSTD: Final = 4

_NOTHING: Final = -1


def batch_of(
    *values: bytes,
    timestamps_ms: Sequence[int] = (),
    compression: int = 0,
    producer: int = _NOTHING,
    epoch: int = _NOTHING,
    sequence: int = _NOTHING,
) -> bytes:
    """The bytes of one batch, encoded by kafka-python. Timestamps default to 0, 1, 2, ..."""
    builder = MemoryRecordsBuilder(
        2, compression, 1 << 24, producer_id=producer, producer_epoch=epoch, base_sequence=sequence
    )
    for index, value in enumerate(values):
        builder.append(timestamps_ms[index] if timestamps_ms else index, None, value)
    builder.close()
    return bytes(builder.buffer())


def recompressed(batch: bytes, compression: int) -> bytes:
    """The same records in a valid LZ4 or Zstandard frame whose one block is stored as it is.

    Written by hand because neither codec has to be installed: the broker never opens a batch.
    """
    header, records = bytearray(batch[:61]), batch[61:]
    if compression == LZ4:
        # magic, version 01 + independent blocks, 64 KiB blocks, header checksum
        frame = bytes.fromhex("04224d18604082")
        frame += struct.pack("<I", len(records) | 1 << 31) + records + struct.pack("<I", 0)
    else:
        # magic, one segment with its size in 4 bytes, one last raw block
        frame = bytes.fromhex("28b52ffda0") + struct.pack("<I", len(records))
        frame += (len(records) << 3 | 1).to_bytes(3, "little") + records
    struct.pack_into(">i", header, 8, 49 + len(frame))
    struct.pack_into(">h", header, 21, compression)
    whole = bytes(header) + frame
    struct.pack_into(">I", header, 17, calc_crc32c(whole[21:]))
    return bytes(header) + frame


def values_in(data: bytes) -> list[bytes]:
    """Values of all records in consecutive batches, checksums verified."""
    values = []
    batches = MemoryRecords(data)
    while (batch := batches.next_batch()) is not None:
        assert batch.validate_crc()
        values += [record.value for record in batch]
    return values
