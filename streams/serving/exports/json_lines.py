"""JSON lines: each line is a score as the API and Kafka give it."""

from collections.abc import AsyncIterator

from inference.contract import to_json
from streams.serving.exports.source import Source


async def encode(source: Source) -> AsyncIterator[bytes]:
    """One line a window."""
    async for page in source.pages:
        yield b"".join(to_json(score) + b"\n" for score in page)
