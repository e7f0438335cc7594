"""Statements into words and back: whatever is written here is read as what it says."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from inference.labels import Emotion
from inference.narrator import wording
from inference.narrator.pattern import Choose, Pattern, first
from inference.narrator.statement import (
    Called,
    Claim,
    Counted,
    Cued,
    Disagree,
    Distress,
    Moved,
    Nothing,
    Rests,
    Said,
    Silent,
    Statement,
    Sure,
    Unnamed,
    When,
)
from inference.narrator.written import CLOCK, NUMBER

_ROLE_OF: Final = {noun: role for role, nouns in wording.ROLES.items() for noun in nouns}
_WORD_OF: Final[dict[str, Emotion | Distress]] = {
    name: word for word, names in wording.LABELS.items() for name in names
}
_MODALITY_OF: Final = {name: one for one, names in wording.MODALITIES.items() for name in names}
_SUPPORT_OF: Final = {name: one for one, names in wording.SUPPORTS.items() for name in names}

STRETCHES: Final = ("from {} to {}", "between {} and {}", "from {} until {}")
MOMENTS: Final = ("at {}", "around {}")
_TIMED: Final = frozenset({"when", "front", "moment"})


def _any(names: Mapping[str, object]) -> str:
    longest_first = sorted(names, key=lambda name: -len(name))
    return "|".join(re.escape(name) for name in longest_first)


_STRETCH: Final = (
    rf"(?:from (?P<ta>{CLOCK}) (?:to|until) (?P<tb>{CLOCK})"
    rf"|between (?P<tc>{CLOCK}) and (?P<td>{CLOCK})"
    rf"|(?:at|around) (?P<te>{CLOCK}))"
)
_EXPRESSIONS: Final = {
    "who": rf"(?P<who>{_any(_ROLE_OF)})(?: \((?P<id>[A-Za-z0-9._:-]{{1,64}})\))?",
    "word": rf"(?P<word>{_any(_WORD_OF)})",
    "modality": rf"(?P<modality>{_any(_MODALITY_OF)})",
    "support": rf"(?P<support>{_any(_SUPPORT_OF)})",
    "quote": r"\"(?P<quote>[^\"]+)\"",
    "number": rf"(?P<number>{NUMBER})",
    "moment": rf"(?P<te>{CLOCK})",
    "when": rf"(?: {_STRETCH})?",
    "front": rf"{_STRETCH}, ",
}

Found = Mapping[str, str | None]
Shape = tuple[type[Claim], Any]
"""The type of a claim, and that of its fields which decides on the patterns."""

_PATTERNS: Final[Mapping[Shape, Sequence[str]]] = {
    (Called, False): wording.CALLED,
    (Called, True): wording.STRONGEST,
    (Called, Distress.RAISED): wording.RAISED,
    (Called, Distress.USUAL): wording.USUAL,
    (Unnamed, None): wording.UNNAMED,
    (Disagree, None): wording.DISAGREE,
    (Silent, None): wording.SILENT,
    (Nothing, None): wording.NOTHING,
    (Sure, None): wording.SURE,
    (Said, None): wording.SAID,
    **{(Moved, up): sources for up, sources in wording.MOVED.items()},
    **{
        (Cued, kind): [f"{source}{{when}}" for source in sources]
        for kind, sources in wording.CUES.items()
    },
    **{(Rests, share): sources for share, sources in wording.RESTS.items()},
    **{(Counted, name): sources for name, sources in wording.COUNTED.items()},
}
_MAKERS: Final[Mapping[type[Claim], Callable[[Any, Found], Claim]]] = {
    Called: lambda key, found: (
        Called(key) if isinstance(key, Distress) else Called(_word(found), strongest=key)
    ),
    Unnamed: lambda _, __: Unnamed(),
    Disagree: lambda _, __: Disagree(),
    Silent: lambda _, __: Silent(),
    Nothing: lambda _, __: Nothing(),
    Sure: lambda _, found: Sure(_SUPPORT_OF[str(found["support"])]),
    Said: lambda _, found: Said(str(found["quote"])),
    Moved: lambda up, _: Moved(up),
    Cued: lambda kind, _: Cued(kind),
    Rests: lambda share, found: Rests(_MODALITY_OF[str(found["modality"])], share),
    Counted: lambda name, found: Counted(name, str(found["number"]), _label(found)),
}


def write(statement: Statement, choose: Choose = first) -> str:
    """A clause that says `statement`; `choose` takes one of several ways to say a thing.

    Raises ValueError where there are no words for it, as for a cue of kind `OTHER`.
    """
    slots = {
        **_who_slots(statement, choose),
        **_when_slots(statement.when, choose),
        **_claim_slots(statement.claim, choose),
    }
    patterns = _patterns().get(_shape(statement.claim), ())
    usable = [pattern for pattern in patterns if pattern.slots <= set(slots)]
    if statement.when is not None:
        usable = [pattern for pattern in usable if pattern.slots & _TIMED]
    if not usable:
        raise ValueError(f"no words for {statement}")
    by_source = {pattern.source: pattern for pattern in usable}
    return by_source[choose(list(by_source))].write(slots, choose)


def read(text: str) -> Statement | None:
    """What a clause says; None where it is anything but a sentence of this language."""
    for regex, (kind, key) in _readers():
        match = regex.fullmatch(text)
        if match is not None:
            found = match.groupdict()
            who = found.get("who")
            return Statement(
                _MAKERS[kind](key, found),
                role=None if who is None else _ROLE_OF[who],
                participant=found.get("id"),
                when=_when_of(found),
            )
    return None


@cache
def _patterns() -> dict[Shape, tuple[Pattern, ...]]:
    return {shape: tuple(map(Pattern, sources)) for shape, sources in _PATTERNS.items()}


@cache
def _readers() -> tuple[tuple[re.Pattern[str], Shape], ...]:
    return tuple(
        (pattern.regex(_EXPRESSIONS), shape)
        for shape, patterns in _patterns().items()
        for pattern in patterns
    )


def _shape(claim: Claim) -> Shape:
    match claim:
        case Called(word=(Distress.RAISED | Distress.USUAL) as key):
            return Called, key
        case Called(strongest=key) | Moved(up=key):
            return type(claim), key
        case Cued(kind=key) | Rests(share=key) | Counted(name=key):
            return type(claim), key
        case _:
            return type(claim), None


def _who_slots(statement: Statement, choose: Choose) -> dict[str, str]:
    if statement.role is None:
        return {}
    spelled = f" ({statement.participant})" if statement.participant else ""
    return {"who": choose(wording.ROLES[statement.role]) + spelled}


def _when_slots(when: When | None, choose: Choose) -> dict[str, str]:
    if when is None:
        return {"when": ""}
    if when.end is not None:
        told = choose(STRETCHES).format(when.begin, when.end)
        return {"when": f" {told}", "front": f"{told}, "}
    told = choose(MOMENTS).format(when.begin)
    return {"when": f" {told}", "front": f"{told}, ", "moment": when.begin}


def _claim_slots(claim: Claim, choose: Choose) -> dict[str, str]:  # noqa: PLR0911 - a case a claim
    match claim:
        case Called(word=word) if word in wording.LABELS:
            return {"word": choose(wording.LABELS[word])}
        case Rests(modality=modality):
            return {"modality": choose(wording.MODALITIES[modality])}
        case Sure(support=support):
            return {"support": choose(wording.SUPPORTS[support])}
        case Said(quote=quote):
            return {"quote": f'"{quote}"'}
        case Counted(value=value, label=None):
            return {"number": value}
        case Counted(value=value, label=Emotion() as label):
            return {"number": value, "word": choose(wording.LABELS[label])}
        case _:
            return {}


def _word(found: Found) -> Emotion | Distress:
    return _WORD_OF[str(found["word"])]


def _label(found: Found) -> Emotion | None:
    word = found.get("word")
    label = None if word is None else _WORD_OF[word]
    return label if isinstance(label, Emotion) else None


def _when_of(found: Found) -> When | None:
    begin = found.get("ta") or found.get("tc")
    if begin:
        return When(begin, found.get("tb") or found.get("td"))
    moment = found.get("te")
    return When(moment) if moment else None
