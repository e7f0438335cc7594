"""CSV (RFC 4180) with a header, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Final

from inference.contract import format_time
from streams.serving.exports.flat import COLUMNS, Kind, Value, row
from streams.serving.exports.source import Source

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet would take text that begins like this for a formula, or skip to one (OWASP,
CSV injection). Numbers are written by us and stay numbers."""


async def encode(source: Source) -> AsyncIterator[bytes]:
    """A header, then one line a window; an empty field is one that does not apply."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(COLUMNS)
    async for page in source.pages:
        for score in page:
            values = row(score)
            writer.writerow(_field(COLUMNS[name], value) for name, value in values.items())
        yield lines.getvalue().encode()
        lines.seek(0)
        lines.truncate()


def _field(kind: Kind, value: Value) -> Value:
    if value is None:
        return ""
    if kind is Kind.TIME:
        return format_time(int(value))
    if kind is Kind.TRUTH:
        return "true" if value else "false"
    return harmless(str(value)) if kind is Kind.TEXT else value


def harmless(text: str) -> str:
    """`text` behind an apostrophe where a spreadsheet would run it."""
    return f"'{text}" if text.startswith(FORMULA) else text
