"""Parquet: one row group a page, so that memory holds a page and the footer."""

import importlib
from collections.abc import AsyncIterator
from typing import Any, Final

from inference.errors import AffectstreamError
from streams.serving.exports.flat import COLUMNS, Kind, row
from streams.serving.exports.source import Source

EXTRA: Final = "pip install 'affectstream[parquet]'"


class NoParquetError(AffectstreamError):
    """The library that writes Parquet is not installed."""


def require() -> Any:
    """`pyarrow`. Raises NoParquetError where it is not installed."""
    try:
        return importlib.import_module("pyarrow")
    except ImportError as exc:
        raise NoParquetError(
            f"Parquet needs pyarrow, which is not installed here: {EXTRA}, or take another format"
        ) from exc


class _Drain:
    """A file that is only written: hands out what came since the last look."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        """Keep a copy."""
        part = bytes(data)
        self._parts.append(part)
        return len(part)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Parquet closes its file; what is left is still handed out."""

    def take(self) -> bytes:
        """Everything since the last call."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


async def encode(source: Source) -> AsyncIterator[bytes]:
    """The columns of `flat`; times are nanoseconds in UTC. Raises NoParquetError."""
    arrow = require()
    types = {
        Kind.TEXT: arrow.string(),
        Kind.TIME: arrow.timestamp("ns", tz="UTC"),
        Kind.NUMBER: arrow.float64(),
        Kind.TRUTH: arrow.bool_(),
    }
    schema = arrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    drain = _Drain()
    writer = importlib.import_module("pyarrow.parquet").ParquetWriter(
        arrow.PythonFile(drain, mode="w"), schema, compression="zstd"
    )
    async for page in source.pages:
        if page:
            rows = [row(score) for score in page]
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
            yield drain.take()
    writer.close()
    yield drain.take()
