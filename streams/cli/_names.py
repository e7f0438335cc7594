"""Choosing some of several things by name."""

from collections.abc import Mapping
from typing import TypeVar

from inference.errors import AffectstreamError

_Thing = TypeVar("_Thing")


class UnknownNameError(AffectstreamError):
    """A name that nothing has."""


def chosen(only: str, known: Mapping[str, _Thing]) -> list[_Thing]:
    """Those that `only` names, comma-separated, or all; in the order of `known`.

    Raises UnknownNameError naming those there are.
    """
    names = {name.strip() for name in only.split(",")} - {""}
    if strange := sorted(names - set(known)):
        raise UnknownNameError(f"--only {', '.join(strange)}: there are {', '.join(known)}")
    return [thing for name, thing in known.items() if not names or name in names]
