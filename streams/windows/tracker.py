"""Acknowledgement in offset order: the committed offset never passes data still needed."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Slot:
    """One record on the log, done once nothing needs it any more."""

    offset: int
    done: bool = False


@dataclass(slots=True)
class OffsetTracker:
    """What of one topic partition has been read, and up to where it is done.

    Faust's own commit passes over a message that is not yet acknowledged at the commit
    head (upstream issue 606); this one does not.
    """

    next_offset: int | None = None
    """The offset expected next; None until the first record or an explicit position."""
    _open: deque[Slot] = field(default_factory=deque)

    def add(self, offset: int) -> Slot | None:
        """Begin to hold the record at `offset`; None if it was read before.

        Offsets that were skipped (transaction markers, compaction) are holes: they hold
        nothing, so the committed offset passes them together with their neighbours.
        """
        if self.next_offset is not None and offset < self.next_offset:
            return None
        slot = Slot(offset)
        self._open.append(slot)
        self.next_offset = offset + 1
        return slot

    def committable(self) -> int | None:
        """The offset to commit: every record before it is done. None before any record."""
        while self._open and self._open[0].done:
            self._open.popleft()
        return self._open[0].offset if self._open else self.next_offset
