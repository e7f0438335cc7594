"""What was computed lately, found again by the content that it was computed from."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

DIGEST_BYTES: Final = 16

V = TypeVar("V")


def digest(*content: bytes | memoryview) -> bytes:
    """16 bytes that stand for `content`, part for part; the content itself is not kept."""
    hashed = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in content:
        hashed.update(memoryview(part).nbytes.to_bytes(8))  # ("ab", "c") is not ("a", "bc")
        hashed.update(part)
    return hashed.digest()


class Recent(Generic[V]):
    """A bounded memory of one thread: of more than `most` values the longest unused one goes.

    Values must follow from what their key is the digest of, and from nothing else: then what
    is found is what would have been computed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[bytes, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def find(self, key: bytes) -> V | None:
        """The value of `key`, or None where none is kept."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def keep(self, key: bytes, value: V) -> None:
        """Remember `value`, and forget what is one too many."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def once(self, key: bytes, make: Callable[[], V]) -> V:
        """The value of `key`, made if none is kept; nothing is kept where `make` raises."""
        value = self.find(key)
        if value is None:
            value = make()
            self.keep(key, value)
        return value
