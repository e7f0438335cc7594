"""Times and figures as a text has them. What is checked is what is written."""

import re
from typing import Final

from inference.narrator.incident import SHARES, Figure, FigureName
from inference.units import SECOND_NS

QUOTED_MOST: Final = 80
"""Characters of a transcript that one quotation may hold."""
CLOCK: Final = r"\d+:\d\d(?::\d\d)?"
NUMBER: Final = r"\d+(?:\.\d)?"
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_UNQUOTABLE: Final = re.compile(r"[^\w\s.,;:!?'’%€$£&/()-]+")  # noqa: RUF001 - an apostrophe


def clock(at_ns: int) -> str:
    """`3:12`, from the hour on `1:03:12`; whole seconds, never before the beginning."""
    minutes, seconds = divmod(max(0, at_ns) // SECOND_NS, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def number(figure: Figure) -> str:
    """The figure without its unit: shares in whole percent, hours with one decimal."""
    if figure.name in SHARES:
        return f"{100 * figure.value:.0f}"
    if figure.name is FigureName.HOURS:
        return f"{figure.value:.1f}"
    return f"{figure.value:.0f}"


def plain_id(participant: str) -> str | None:
    """The id if it is one that can stand in a sentence without being read as part of it."""
    return participant if _PLAIN_ID.fullmatch(participant) else None


def excerpt(words: str) -> str | None:
    """The beginning of a transcript as it may be quoted, cut between words; None for nothing.

    Quotation marks, brackets of mark-up and control characters are left out, so that a
    quotation ends where we end it.
    """
    clean = " ".join(_UNQUOTABLE.sub(" ", words).split())
    if len(clean) <= QUOTED_MOST:
        return clean or None
    return clean[: QUOTED_MOST + 1].rpartition(" ")[0] or None
