"""What a narrator gives back, and what whoever calls one may rely on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inference.narrator.incident import IncidentRecord


@dataclass(frozen=True, slots=True)
class Clause:
    """One statement that stands by itself, and what it rests on.

    Attributes:
        text: without a capital at its start and without a full stop.
        evidence: ids of the record that it cites; every claim in it is about these.
        opens: whether a new sentence begins with it.
    """

    text: str
    evidence: tuple[str, ...]
    opens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrative:
    """An incident in two sentences, or a shift in a paragraph.

    Attributes:
        text: what a reader sees.
        clauses: what `text` was joined from.
        narrator: name and version of who wrote `clauses`.
        fell_back: whether another narrator was asked first and said too little that is true.
    """

    text: str
    clauses: tuple[Clause, ...]
    narrator: str
    fell_back: bool = False


class Narrator(Protocol):
    """Tells an incident. The same record is always told in the same words."""

    @property
    def version(self) -> str:
        """Name and version, as stored beside every text."""
        ...

    def tell(self, record: IncidentRecord) -> Narrative:
        """Put `record` into words; everything said is in the record. Raises nothing."""
        ...


def joined(clauses: Sequence[Clause]) -> str:
    """Sentences from clauses: `a, and b.` of two, `a; b; and c.` of more."""
    sentences: list[list[str]] = []
    for clause in clauses:
        if clause.opens or not sentences:
            sentences.append([])
        sentences[-1].append(clause.text)
    return " ".join(_sentence(parts) for parts in sentences)


def _sentence(parts: Sequence[str]) -> str:
    *first, last = parts
    if len(first) == 1:
        text = f"{first[0]}, and {last}"
    else:
        text = "; ".join([*first, f"and {last}" if first else last])
    return f"{text[:1].upper()}{text[1:]}."
