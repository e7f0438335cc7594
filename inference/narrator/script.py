"""The form in which a decoder writes: it cites first, and points where a text has a number.

`[w1][w4]the customer would be called angry from [start] to [end];[w2]…`: times, figures,
quotations and ids are marks that the record fills in. So a network never spells a number. What
it can get wrong is what to cite and what to say of it, which is what the check looks at.

Sources: Wen et al. 2015 (delexicalised generation); Vinyals et al. 2015 (pointer networks).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from inference.narrator.contract import Clause
from inference.narrator.incident import (
    MOST_CUES,
    MOST_FIGURES,
    MOST_SPANS,
    MOST_WINDOWS,
    Fact,
    IncidentRecord,
)
from inference.narrator.language import write
from inference.narrator.pattern import Choose
from inference.narrator.statement import Counted, Said, Statement, When
from inference.narrator.support import Cited
from inference.narrator.telling import Point
from inference.narrator.written import clock, excerpt, number, plain_id

START, END, AT, VALUE, QUOTE, ID = "[start]", "[end]", "[at]", "[value]", "[quote]", "[id]"
MARKS: Final = (START, END, AT, VALUE, QUOTE, ID)
NEXT, STOP = ";", "."
"""After a clause: another one of the sentence, or the end of it."""
PLACES: Final = (
    *(f"[w{place}]" for place in range(1, MOST_WINDOWS + 1)),
    *(f"[c{place}]" for place in range(1, MOST_CUES + 1)),
    *(f"[s{place}]" for place in range(1, MOST_SPANS + 1)),
    *(f"[f{place}]" for place in range(1, MOST_FIGURES + 1)),
)
"""What a script calls each item of a record, by kind and place, whatever its id."""
_CLAUSE: Final = re.compile(r"((?:\[[wcsf]\d+\])*)([^;.]*)([;.])")
_CITED: Final = re.compile(r"\[[wcsf]\d+\]")


def places(record: IncidentRecord) -> dict[str, Fact]:
    """Every item by what a script calls it."""
    kinds: dict[str, Sequence[Fact]] = {
        "w": record.windows,
        "c": record.cues,
        "s": record.spans,
        "f": record.figures,
    }
    return {
        f"[{kind}{place}]": fact
        for kind, facts in kinds.items()
        for place, fact in enumerate(facts, start=1)
    }


def scripted(sentences: Sequence[Sequence[Point]], record: IncidentRecord, choose: Choose) -> str:
    """The script of these points, worded by `choose`."""
    called = {fact.id: place for place, fact in places(record).items()}
    script = []
    for sentence in sentences:
        for left, point in zip(range(len(sentence), 0, -1), sentence, strict=True):
            cited = "".join(called[one] for one in point.evidence)
            text = write(_marked(point.statement), choose)
            script.append(f"{cited}{text}{STOP if left == 1 else NEXT}")
    return "".join(script)


def performed(script: str, record: IncidentRecord) -> tuple[Clause, ...]:
    """The clauses of a script, its marks filled in from what each clause cites.

    A mark that nothing cited can fill stays as it is, and no check lets it pass. What follows
    the last `;` or `.` is a torn clause and left out.
    """
    named = places(record)
    clauses = []
    opens = True
    for cited, text, after in _CLAUSE.findall(script):
        facts = [named.get(place) for place in _CITED.findall(cited)]
        known = tuple(fact.id for fact in facts if fact is not None)
        # a place that the record lacks stays in the evidence, where the check finds it unknown
        ids = known if len(known) == len(facts) else (*known, cited)
        clauses.append(Clause(_filled(text.strip(), known, record), ids, opens))
        opens = after == STOP
    return tuple(clauses)


def _marked(statement: Statement) -> Statement:
    when, claim = statement.when, statement.claim
    if when is not None:
        when = When(AT) if when.end is None else When(START, END)
    if isinstance(claim, Counted):
        claim = replace(claim, value=VALUE)
    elif isinstance(claim, Said):
        claim = replace(claim, quote=QUOTE)
    spelled = None if statement.participant is None else ID
    return replace(statement, claim=claim, when=when, participant=spelled)


def _filled(text: str, ids: Sequence[str], record: IncidentRecord) -> str:
    """One pass over the marks: what is filled in is never itself filled."""
    cited = Cited.of(record, ids)
    if cited is None:
        return text
    values = {
        START: clock(min(one.start_ns for one in cited.windows)) if cited.windows else None,
        END: clock(max(one.end_ns for one in cited.windows)) if cited.windows else None,
        AT: _moment(cited),
        VALUE: number(cited.figures[0]) if cited.figures else None,
        QUOTE: excerpt(cited.spans[0].text) if cited.spans else None,
        ID: plain_id(record.participant),
    }
    return re.sub(
        "|".join(re.escape(mark) for mark in MARKS),
        lambda mark: values[mark.group()] or mark.group(),
        text,
    )


def _moment(cited: Cited) -> str | None:
    if cited.cues:
        at_ns = cited.cues[0].at_ns
    elif cited.spans:
        at_ns = cited.spans[0].start_ns
    else:
        at_ns = cited.windows[0].start_ns if cited.windows else None
    return None if at_ns is None else clock(at_ns)
