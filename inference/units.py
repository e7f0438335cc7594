"""Lengths of time in nanoseconds: media time is an integer of them."""

from typing import Final

MS_NS: Final = 1_000_000
SECOND_NS: Final = 1_000 * MS_NS
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS
