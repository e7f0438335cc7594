"""A second opinion on a narrator's clauses: neither its language nor its check is used here.

It reads words and figures by keyword, looks at the whole record and ignores citations, so it
is easier on where a clause got something from, and knows nothing of what the check lets pass.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from inference.labels import Emotion, Modality, Role
from inference.narrator.incident import SHARES, IncidentRecord, WindowFact
from inference.units import SECOND_NS

FIRM, FAIR, DISAGREE_NATS = 0.4, 0.7, 0.25
"""As documented; written down again, so that a slip in the check is not a slip here."""
_TIME: Final = re.compile(r"\b\d+(?::\d\d){1,2}\b")
_QUOTE: Final = re.compile(r'"([^"]*)"')
_NUMBER: Final = re.compile(r"\b\d+(?:\.\d+)?\b")
_ID: Final = re.compile(r"\(([^()]+)\)")
_NOUNS: Final = {
    Role.CUSTOMER: r"customer|caller|client",
    Role.AGENT: r"agent|representative|adviser",
    Role.BOT: r"bot|automatic assistant",
    Role.UNKNOWN: r"participant|speaker",
}
_ADJECTIVES: Final = {
    Emotion.ANGER: r"angry|cross",
    Emotion.DISGUST: r"disgusted",
    Emotion.FEAR: r"fearful|afraid|frightened",
    Emotion.JOY: r"joyful|glad|happy",
    Emotion.NEUTRAL: r"neutral",
    Emotion.SADNESS: r"sad|sorrowful",
    Emotion.SURPRISE: r"surprised",
}
_CUES: Final = (
    (r"pitch was (above|higher)|pitch (rose|went up)", r"pitch \+"),
    (r"pitch was (below|lower)|pitch (fell|went down)", r"pitch -"),
    (r"livelier", r"livelier"),
    (r"flatter", r"flatter"),
    (r"voice was raised|raised voice", r"voice raised|raised voice"),
    (r"voice was soft|soft voice", r"voice softer|soft voice"),
    (r"faster than usual|pace went up", r"speech faster"),
    (r"slower than usual|pace went down", r"speech slower"),
    (r"complaint", r"complaint"),
    (r"worry", r"worry"),
    (r"loss", r"loss"),
    (r"calm phrase", r"calm phrase"),
    (r"\bof anger\b", r"words of anger"),
    (r"\bof disgust\b", r"words of disgust"),
    (r"\bof fear\b", r"words of fear"),
    (r"\bof joy\b", r"words of joy"),
    (r"\bof sadness\b", r"words of sadness"),
    (r"\bof surprise\b", r"words of surprise"),
    (r"those of distress|words of distress", r"words of distress"),
    (r"smile|corners of the mouth", r"smiles"),
    (r"wide open", r"wide open"),
)
_CARRIERS: Final = {
    Modality.SPEECH: r"voice",
    Modality.TEXT: r"words|what was said",
    Modality.FACE: r"face|facial",
}


def borne_out(text: str, record: IncidentRecord) -> bool:
    """Whether everything that a clause names is somewhere in the record."""
    bare = _QUOTE.sub("", text)
    untimed = _TIME.sub("", _ID.sub("", bare))
    return (
        _quotes_are_said(text, record)
        and _times_are_there(bare, record)
        and _numbers_are_figures(untimed, record)
        and _names_the_right_one(bare, record)
        and _says_something_true(bare, untimed, record)
    )


def _quotes_are_said(text: str, record: IncidentRecord) -> bool:
    said = [_letters(span.text) for span in record.spans]
    return all(any(_letters(quote) in one for one in said) for quote in _QUOTE.findall(text))


def _times_are_there(text: str, record: IncidentRecord) -> bool:
    moments = {_second(window.start_ns) for window in record.windows}
    moments |= {_second(window.end_ns) for window in record.windows}
    moments |= {_second(cue.at_ns) for cue in record.cues if cue.at_ns is not None}
    moments |= {_second(span.start_ns) for span in record.spans}
    return set(_seconds(text)) <= moments


def _numbers_are_figures(text: str, record: IncidentRecord) -> bool:
    values = [one.value * (100 if one.name in SHARES else 1) for one in record.figures]
    return all(
        any(abs(float(number) - value) <= (0.051 if "." in number else 0.51) for value in values)
        for number in _NUMBER.findall(text)
    )


def _names_the_right_one(text: str, record: IncidentRecord) -> bool:
    named = [role for role, nouns in _NOUNS.items() if re.search(rf"\b({nouns})\b", text)]
    return set(named) <= {record.role} and set(_ID.findall(text)) <= {record.participant}


def _says_something_true(text: str, untimed: str, record: IncidentRecord) -> bool:
    """At least one claim is recognised, and none is false."""
    found: list[bool] = []
    if re.search(r"\d", untimed) and "%" not in text:
        return True  # a count or a duration: the number itself was looked up
    if "%" in text:
        return _shares(text, record)
    for pattern, cue in _CUES:
        if re.search(pattern, text):
            found.append(any(re.search(cue, one.text) for one in record.cues))
    if not found:
        found += _of_windows(text, record)
    if '""' in text.replace(" ", "") or re.search(r"said|words were|transcript", text):
        found.append(bool(record.spans) or bool(found))
    return bool(found) and all(found)


def _shares(text: str, record: IncidentRecord) -> bool:
    label = next((one for one, words in _ADJECTIVES.items() if _has(words, text)), None)
    return label is None or any(figure.label is label for figure in record.figures)


def _of_windows(text: str, record: IncidentRecord) -> list[bool]:
    found = [
        _mostly(text, record, lambda one, label=label: one.label is label)  # type: ignore[misc]
        for label, words in _ADJECTIVES.items()
        if _has(words, text)
    ]
    if re.search(r"distress(ed)?\b", text):
        found.append(_mostly(text, record, _distress(text, record)))
    if re.search(r"no (single )?emotion", text):
        found.append(_mostly(text, record, lambda one: one.label is None))
    if re.search(r"different directions|did not agree|contradicted", text):
        found.append(_mostly(text, record, lambda one: one.conflict >= DISAGREE_NATS))
    if re.search(r"nothing was heard|said nothing|neither voice nor words", text):
        found.append(_mostly(text, record, lambda one: not set(one.weights) - {Modality.FACE}))
    if re.search(r"nothing (of|was scored)", text):
        found.append(not any(one.weights for one in record.windows))
    if re.search(r"voice.* (above|more aroused)", text):
        found.append(_mostly(text, record, lambda one: (one.change or 0) >= 1))
    if re.search(r"voice.* (below|less aroused)", text):
        found.append(_mostly(text, record, lambda one: (one.change or 0) <= -1))
    if re.search(r"estimate (rests|is based)|comes from|nothing but", text):
        found.append(any(_carried(text, one) for one in record.windows))
    if re.search(r"evidence|support", text):
        found.append(any(_sure(text, one) for one in record.windows))
    return found


def _distress(text: str, record: IncidentRecord) -> Callable[[WindowFact], bool]:
    twice = 2 * record.base_rate
    if re.search(r"no more|near its usual", text):
        return lambda one: one.distress is not None and one.distress < twice
    least = twice if re.search(r"usual", text) else 0.5
    return lambda one: (one.distress or 0.0) >= least


def _mostly(text: str, record: IncidentRecord, holds: Callable[[WindowFact], bool]) -> bool:
    """Over the stretch or at the moment that the clause names, else anywhere."""
    seconds = _seconds(text)
    windows: Sequence[WindowFact] = record.windows
    if len(seconds) == 1:
        return any(holds(one) for one in windows if _second(one.start_ns) == seconds[0])
    if seconds:
        begin, end = seconds
        windows = [
            one for one in windows if begin <= _second(one.start_ns) and _second(one.end_ns) <= end
        ]
        return 2 * sum(map(holds, windows)) >= len(windows) > 0
    return any(map(holds, windows))


def _carried(text: str, window: WindowFact) -> bool:
    modality = next(one for one, words in _CARRIERS.items() if _has(words, text))
    if re.search(r"alone|only|solely|nothing but", text):
        return set(window.weights) == {modality}
    return max(window.weights.values(), default=0.0) == window.weights.get(modality, -1.0)


def _sure(text: str, window: WindowFact) -> bool:
    if re.search(r"firm|strong", text):
        return window.vacuity <= FIRM
    if re.search(r"thin|weak", text):
        return window.vacuity > FAIR
    return FIRM < window.vacuity <= FAIR


def _has(words: str, text: str) -> bool:
    return re.search(rf"\b({words})\b", text) is not None


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text).lower()


def _second(at_ns: int) -> int:
    return max(0, at_ns) // SECOND_NS


def _seconds(text: str) -> list[int]:
    found = []
    for clock in _TIME.findall(text):
        seconds = 0
        for part in clock.split(":"):
            seconds = 60 * seconds + int(part)
        found.append(seconds)
    return found
