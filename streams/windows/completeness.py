"""How far a track is known to be complete, and what the broker confirmed.

The rules are those of docs/decisions/0003-delivery.md: local time alone never decides.
A stalled worker makes no track look idle, and a broker outage makes no sender look late.
"""

from dataclasses import dataclass
from typing import Final

FOREVER: Final = (1 << 63) - 1
BROKEN_ROW_NS: Final = 2_000_000_000
"""Two polls further apart than this are two rows: the broker was away in between."""


@dataclass(slots=True)
class PollRow:
    """The unbroken row of successful polls of one topic partition."""

    since_ns: int | None = None
    """First poll of the row; None for the row that began with the assignment: nothing is
    known to have been retried before it."""
    latest_ns: int | None = None
    caught_up_ns: int | None = None
    """Latest poll that showed our position at the high watermark."""

    def observe(self, poll_ns: int, *, caught_up: bool) -> None:
        """Take one successful poll, made at clock time `poll_ns`."""
        if self.latest_ns is not None and poll_ns - self.latest_ns > BROKEN_ROW_NS:
            self.since_ns, self.caught_up_ns = poll_ns, None
        self.latest_ns = poll_ns if self.latest_ns is None else max(self.latest_ns, poll_ns)
        if caught_up:
            self.caught_up_ns = poll_ns

    def confirms(self, moment_ns: int, *, settle_ns: int) -> bool:
        """Whether the broker said, after `moment_ns`, that there is nothing beyond.

        In a row that began after an outage this counts only once the row is older than
        `settle_ns`, the time in which producers repeat what the outage swallowed.
        """
        if self.caught_up_ns is None or self.caught_up_ns <= moment_ns:
            return False
        return self.since_ns is None or self.caught_up_ns - self.since_ns >= settle_ns

    def quiet_for(self, moment_ns: int, duration_ns: int) -> bool:
        """Whether an unbroken row says that nothing came for `duration_ns` after `moment_ns`."""
        if self.caught_up_ns is None:
            return False
        begin_ns = moment_ns if self.since_ns is None else max(moment_ns, self.since_ns)
        return self.caught_up_ns - begin_ns >= duration_ns


@dataclass(slots=True)
class ConfirmedFrontier:
    """An event time, believed only once a poll made after it was reached confirmed it."""

    confirmed_ns: int = -1
    _pending_ns: int = -1
    _pending_clock_ns: int = 0

    def update(self, value_ns: int, clock_ns: int, row: PollRow, *, settle_ns: int) -> int:
        """Offer the newest value; returns the newest confirmed one."""
        if self._pending_ns > self.confirmed_ns and row.confirms(
            self._pending_clock_ns, settle_ns=settle_ns
        ):
            self.confirmed_ns = self._pending_ns
        if self._pending_ns <= self.confirmed_ns < value_ns:
            self._pending_ns, self._pending_clock_ns = value_ns, clock_ns
        return self.confirmed_ns


@dataclass(slots=True)
class TrackClock:
    """How far one track of one participant is complete, in event time."""

    last_ns: int = -1
    """End of the newest data."""
    begun_ns: int = -1
    """Just after the newest beginning of data."""
    promised_ns: int = -1
    """Nothing before this will come: by heartbeat, or because the broker confirmed quiet."""
    arrived_ns: int = 0
    """Clock time of the newest record."""
    ended: bool = False

    def data(self, start_ns: int, end_ns: int, clock_ns: int) -> None:
        """A data record of `[start_ns, end_ns)` was read."""
        self.begun_ns = max(self.begun_ns, start_ns + 1)
        self.last_ns = max(self.last_ns, end_ns)
        self.arrived_ns = clock_ns

    def heartbeat(self, at_ns: int, clock_ns: int) -> None:
        """The sender promises that nothing before `at_ns` will come."""
        self.promised_ns = max(self.promised_ns, at_ns)
        self.arrived_ns = clock_ns

    def end(self, at_ns: int, clock_ns: int) -> None:
        """The sender says that the track is complete."""
        self.heartbeat(at_ns, clock_ns)
        self.ended = True

    @property
    def frontier_ns(self) -> int:
        """The newest event time that this track has spoken of."""
        return max(self.last_ns, self.promised_ns)

    def complete_until(self, disorder_ns: int) -> int:
        """Every record that begins before this event time has been read.

        A record is sent when its content is over. One longer than the allowance has nobody
        before it who may still come. A shorter one may have overtaken its neighbour, which
        ended within the allowance but began earlier: a window that ends inside that must wait.
        """
        if self.ended:
            return FOREVER
        reached_ns = self.last_ns - disorder_ns
        if reached_ns < self.begun_ns:
            reached_ns = self.begun_ns - disorder_ns
        return max(self.promised_ns, reached_ns)

    def settle(self, row: PollRow, idle_ns: int) -> None:
        """Drop the disorder allowance once the broker confirmed quiet for `idle_ns`.

        Idleness reaches at most the end of the track's own last record: a sender that
        merely stalled loses nothing.
        """
        if self.last_ns > self.promised_ns and row.quiet_for(self.arrived_ns, idle_ns):
            self.promised_ns = self.last_ns
