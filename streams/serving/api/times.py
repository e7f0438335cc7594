"""Times that the API receives: RFC 3339, and nothing that merely looks like one."""

import re
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator

_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _written(moment: Any) -> Any:
    """Let pass what is written in full: pydantic would read a number as seconds."""
    if moment is not None and not (isinstance(moment, str) and _RFC_3339.fullmatch(moment)):
        raise ValueError("write it as 2027-01-31T12:00:00Z; in a URL, + of an offset is %2B")
    return moment


Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
"""Documented as `date-time`. Finer than microseconds is cut off."""
