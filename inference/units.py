"""Lengths of time in nanoseconds: media time is an integer of them."""

from typing import Final

MS_NS: Final = 1_000_000
SECOND_NS: Final = 1_000 * MS_NS
DAY_NS: Final = 86_400 * SECOND_NS
