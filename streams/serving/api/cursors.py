"""Cursors: where a page ended, as text that a client hands back unread."""

import base64
import binascii
from http import HTTPStatus
from typing import TypeVar

import msgspec

from streams.serving.problems import ProblemError

T = TypeVar("T")


def to_cursor(place: object) -> str:
    """Text of a place; nothing in it is secret, nothing of it is promised."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def from_cursor(text: str, kind: type[T]) -> T:
    """Inverse of `to_cursor`. Raises ProblemError (422) for any other text."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as exc:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "cursor: not one that this API gave; take `next` of the page before, or leave it out",
        ) from exc
