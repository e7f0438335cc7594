"""What a method carries from window to window, as the bytes that travel with progress."""

from typing import Final, TypeVar

import msgspec

from inference.errors import AffectstreamError

LARGEST_BYTES: Final = 1024
"""Of one participant: it is written with every batch of scores."""

_encoder: Final = msgspec.msgpack.Encoder()


class CarriedTooLargeError(AffectstreamError):
    """A record that would not fit beside progress: a method with a larger network than ours."""


class Carried(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="kind"):
    """Base of the records: what made it, and up to when.

    A record of another method, or of other weights, is a beginning: it says nothing to this one.
    """

    made_by: str
    """`version` of the method."""
    until_ns: int
    """End of the last window that went in."""


State = TypeVar("State", bound=Carried)


def encode(record: Carried) -> bytes:
    """Serialise. Raises CarriedTooLargeError above `LARGEST_BYTES`."""
    data = _encoder.encode(record)
    if len(data) > LARGEST_BYTES:
        raise CarriedTooLargeError(
            f"{record.made_by}: {len(data)} bytes to carry from window to window, at most "
            f"{LARGEST_BYTES} are stored; use a smaller state"
        )
    return data


def decode(data: bytes, kind: type[State], made_by: str) -> State | None:
    """Inverse of `encode`; None for a beginning, and for whatever this method did not make."""
    if not data:
        return None
    try:
        record = msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return record if record.made_by == made_by else None
