"""What a broker with a directory remembers besides the logs: one small JSON file."""

import fcntl
from pathlib import Path
from typing import IO, Final

import msgspec

from inference.errors import AffectstreamError

_STATE: Final = "broker.json"
_LOCK: Final = "broker.lock"


class BrokerDirectoryError(AffectstreamError):
    """The directory cannot be used."""


class SavedTopic(msgspec.Struct, frozen=True):
    """A topic; its records lie in `<name>-<partition>.log` beside this file."""

    partitions: int
    configs: dict[str, str]


class SavedOffset(msgspec.Struct, frozen=True):
    """A committed offset."""

    topic: str
    partition: int
    offset: int
    metadata: str | None = None


class Saved(msgspec.Struct, frozen=True):
    """The whole file."""

    schema: int = 1
    next_producer_id: int = 0
    topics: dict[str, SavedTopic] = msgspec.field(default_factory=dict)
    groups: dict[str, list[SavedOffset]] = msgspec.field(default_factory=dict)


class StateFile:
    """Owns a broker directory for as long as it is open.

    Raises BrokerDirectoryError if another broker does, or if it cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _STATE
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock: IO[bytes] = (directory / _LOCK).open("wb")
        except OSError as exc:
            raise BrokerDirectoryError(f"cannot keep a broker's log in {directory}: {exc}") from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self._lock.close()
            raise BrokerDirectoryError(
                f"another broker uses {directory}: stop it, or choose another directory"
            ) from exc

    def load(self) -> Saved:
        """What was saved last, or nothing. Raises BrokerDirectoryError if unreadable."""
        if not self._path.exists():
            return Saved()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Saved)
        except (OSError, msgspec.DecodeError) as exc:
            raise BrokerDirectoryError(
                f"{self._path} is damaged ({exc}): choose another directory"
            ) from exc

    def save(self, state: Saved) -> None:
        """Replace the file in one step."""
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(self._path)

    def close(self) -> None:
        """Let others use the directory."""
        self._lock.close()
