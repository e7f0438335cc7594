"""The log of one partition on disk: batch after batch, appended, read once at start."""

import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Final

from streams.broker.batch import Batch, split
from streams.telemetry import logger

log = logger("broker")

_WORTH_REWRITING_BYTES: Final = 1 << 20


class Journal:
    """An append-only file. What retention drops goes when half of the file is dead.

    Written through to the operating system before the producer hears of it: a killed
    process loses nothing, a power cut may (nothing is synced).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._dead_bytes = 0

    def load(self) -> list[Batch]:
        """All whole batches. A torn or damaged tail is cut off and logged."""
        data = self.path.read_bytes()
        batches: list[Batch] = []
        size = 0
        for batch in split(data):
            if batches and batch.base_offset != batches[-1].last_offset + 1:
                break
            batches.append(batch)
            size += batch.size_bytes
        if size < len(data):
            log.warning("log_cut", file=self.path.name, kept_bytes=size, cut_bytes=len(data) - size)
            os.truncate(self.path, size)
        return batches

    def append(self, batch: Batch) -> None:
        """Write one batch, whole or not at all. Raises OSError when the disk will not."""
        before = os.fstat(self._file.fileno()).st_size
        try:
            _write(self._file, batch.data)
        except OSError:
            os.truncate(self.path, before)
            raise

    def dropped(self, size_bytes: int, living: Iterable[Batch]) -> None:
        """Take note that `size_bytes` at the head are dead; rewrite the file if worth it."""
        self._dead_bytes += size_bytes
        total = os.fstat(self._file.fileno()).st_size
        if self._dead_bytes < _WORTH_REWRITING_BYTES or self._dead_bytes * 2 < total:
            return
        self._dead_bytes = 0
        fresh = self.path.with_suffix(".new")
        try:
            fresh.unlink(missing_ok=True)
            file = fresh.open("ab", buffering=0)
            try:
                for batch in living:
                    _write(file, batch.data)
                fresh.replace(self.path)
            except OSError:
                file.close()
                raise
        except OSError as exc:  # the old file still serves, it is only longer than need be
            log.warning("log_not_rewritten", file=self.path.name, reason=str(exc))
        else:
            self._file.close()
            self._file = file

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def delete(self) -> None:
        """Remove the file; the partition is gone."""
        self.close()
        self.path.unlink(missing_ok=True)


def _write(file: FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
