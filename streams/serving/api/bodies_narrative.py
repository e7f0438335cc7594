"""What the API answers about a call in words."""

from typing import Literal

from msgspec import Struct

from inference.contract import Time, format_time
from inference.labels import Role
from inference.narrator.contract import Narrative
from inference.narrator.incident import (
    CueFact,
    Fact,
    IncidentRecord,
    SpanFact,
    WindowFact,
)

Kind = Literal["window", "cue", "words", "figure"]


class CitedBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a clause rests on."""

    kind: Kind
    start: Time | None = None
    end: Time | None = None
    says: str | None = None
    """The cue, the words, or the name of the figure."""
    value: float | None = None
    """Of the figure."""


class ClauseBody(Struct, frozen=True, kw_only=True):
    """One statement, and what it rests on."""

    text: str
    evidence: tuple[CitedBody, ...]


class NarrativeBody(Struct, frozen=True, kw_only=True):
    """How one participant came across so far. Everything in it stands in the stored scores."""

    participant: str
    role: Role
    start: Time
    """Of the first window that it rests on."""
    end: Time
    """Of the newest."""
    windows: int
    text: str | None
    """In two sentences; null where nobody tells."""
    narrator: str | None
    """Name and version of who told it."""
    clauses: tuple[ClauseBody, ...]


class NarrativesBody(Struct, frozen=True, kw_only=True):
    """One for everybody who was scored, customers first."""

    conversation: str
    items: tuple[NarrativeBody, ...]


def clause_bodies(told: Narrative, record: IncidentRecord, began_ns: int) -> tuple[ClauseBody, ...]:
    """Clauses with what they cite, times as the clock had them."""
    known = record.by_id()
    return tuple(
        ClauseBody(
            text=clause.text,
            evidence=tuple(
                cited_body(known[name], began_ns) for name in clause.evidence if name in known
            ),
        )
        for clause in told.clauses
    )


def cited_body(fact: Fact, began_ns: int) -> CitedBody:
    """One item of a record under its public name."""
    match fact:
        case WindowFact():
            return CitedBody(
                kind="window",
                start=format_time(began_ns + fact.start_ns),
                end=format_time(began_ns + fact.end_ns),
            )
        case CueFact():
            at = None if fact.at_ns is None else format_time(began_ns + fact.at_ns)
            return CitedBody(kind="cue", start=at, says=fact.text)
        case SpanFact():
            return CitedBody(
                kind="words",
                start=format_time(began_ns + fact.start_ns),
                end=format_time(began_ns + fact.end_ns),
                says=fact.text,
            )
    return CitedBody(kind="figure", says=fact.name.value, value=round(fact.value, 4))
