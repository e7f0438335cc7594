"""Sentence patterns that are written from and read with: one definition serves both ways."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

Choose = Callable[[Sequence[str]], str]
_PARTS: Final = re.compile(r"\(([^()]*)\)|\{(\w+)\}|([^(){}]+)")


def first(options: Sequence[str]) -> str:
    """The plain way of saying it."""
    return options[0]


@dataclass(frozen=True)
class Pattern:
    """`{who} would (|probably )be called {word}{when}`: choices in brackets, slots in braces.

    A regular language: what it writes it reads back, and it reads nothing else.
    """

    source: str

    @cached_property
    def _parts(self) -> tuple[tuple[list[str], str, str], ...]:
        return tuple(
            (choices.split("|"), name, literal)
            for choices, name, literal in _PARTS.findall(self.source)
        )

    @cached_property
    def slots(self) -> frozenset[str]:
        """Names of the slots."""
        return frozenset(name for _, name, _ in self._parts if name)

    def write(self, slots: Mapping[str, str], choose: Choose) -> str:
        """The sentence with these slots; `choose` takes one of each choice."""
        return "".join(
            slots[name] if name else literal or choose(choices)
            for choices, name, literal in self._parts
        )

    def regex(self, slots: Mapping[str, str]) -> re.Pattern[str]:
        """What reads the sentence; `slots` gives the expression, with its groups, of each."""
        return re.compile(
            "".join(
                slots[name]
                if name
                else re.escape(literal) or f"(?:{'|'.join(map(re.escape, choices))})"
                for choices, name, literal in self._parts
            )
        )
