"""Hopping windows on integer nanoseconds, aligned to event-time zero."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """All half-open windows `[k * hop_ns, k * hop_ns + length_ns)` for integers k."""

    length_ns: int
    hop_ns: int

    def __post_init__(self) -> None:
        """Refuse grids that would leave time uncovered."""
        if not 0 < self.hop_ns <= self.length_ns:
            raise ValueError(
                f"hop {self.hop_ns} ns must be positive and at most the length {self.length_ns} ns"
            )

    def first_end_after(self, t_ns: int) -> int:
        """End of the earliest window that ends strictly after `t_ns`."""
        first_start = ((t_ns - self.length_ns) // self.hop_ns + 1) * self.hop_ns
        return first_start + self.length_ns

    def last_end_touching(self, t_ns: int) -> int:
        """End of the latest window that starts strictly before `t_ns`."""
        last_start = -((-t_ns) // self.hop_ns + 1) * self.hop_ns
        return last_start + self.length_ns

    def overlapping(self, start_ns: int, end_ns: int) -> range:
        """Ends of the windows that overlap `[start_ns, end_ns)`, ascending.

        An empty interval overlaps nothing.
        """
        if end_ns <= start_ns:
            return range(0)
        return range(
            self.first_end_after(start_ns), self.last_end_touching(end_ns) + 1, self.hop_ns
        )
