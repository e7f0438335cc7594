"""What the page *Search* says of moments and labels of one's own. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from inference.alignment.own_labels import FEWEST_JUDGED, MOST_PROMPTS
from inference.contract import format_time, parse_time
from inference.labels import EMOTIONS
from inference.units import DAY_NS, SECOND_NS
from streams.serving.dashboard.alerts.rows import moment_link
from streams.serving.dashboard.search.client import Calibration, Found, Label, Moment
from streams.serving.dashboard.shell import desk_words, words

ANY: Final = ""
TIMES: Final = {ANY: "any time", "1": "last 24 hours", "7": "last 7 days", "30": "last 30 days"}
DISTRESS: Final = {ANY: "any", "0.3": "30 % or more", "0.5": "50 % or more", "0.7": "70 % or more"}
LABELS: Final = {ANY: "any"} | {one.value: one.value for one in EMOTIONS}
ROLES: Final = {ANY: "anybody"} | {role.value: said for role, said in words.ROLE.items()}
EXAMPLES: Final = (
    "raised voice, asks for refund",
    "speaks quietly and sounds sad",
    "laughs, sounds relieved",
)
NAME: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
LONGEST_PROMPT: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentRow:
    """One found moment."""

    title: str
    """The conversation, and when in it."""
    link: str
    who: str
    said: str
    """Kept words; empty where none are kept."""
    cues: str
    label: str
    distress: str
    near: str
    """In words for whoever does not see the bar."""
    share: int
    """How far the bar is filled, in percent."""
    expected: bool
    probability: str
    """Of a label of one's own; empty while there is none."""


def moment_row(one: Moment, zone: tzinfo) -> MomentRow:
    """`one` as a row."""
    said = " ".join(words_.text for words_ in one.words)
    return MomentRow(
        title=f"{one.conversation} at {second(one.start, zone)}",
        link=moment_link(one.conversation, one.start),
        who=", ".join(
            part for part in (f"{desk_words.role(one.role)} {one.participant}", one.queue) if part
        ),
        said=said,
        cues="; ".join(dict.fromkeys(cue.cue for cue in one.cues)),
        label=one.label or "not sure",
        distress="no estimate"
        if one.distress is None
        else f"distress {words.percent(one.distress)}",
        near=f"similarity {one.similarity:.2f}",
        share=round(100 * max(0.0, one.similarity)),
        expected=one.imputed,
        probability="" if one.probability is None else words.percent(one.probability),
    )


def second(at: str, zone: tzinfo) -> str:
    """Day and second where somebody looks."""
    return datetime.fromtimestamp(parse_time(at) // SECOND_NS, zone).strftime("%d %b %H:%M:%S")


def filters(chosen: Mapping[str, str], now_ns: int) -> dict[str, str]:
    """The query of what was chosen; what is left open is left out."""
    query = {name: value.strip() for name, value in chosen.items() if value.strip()}
    days = query.pop("days", "")
    if days:
        query["from"] = format_time(now_ns - int(days) * DAY_NS)
    return query


def found_said(found: Found) -> str:
    """Among how many, and what could not be looked at."""
    count, older = desk_words.counted, "older window"
    among = count(found.indexed, "window")
    parts = [f"{count(len(found.items), 'moment')} of {among}, the nearest first"]
    if found.other_space:
        parts.append(
            f"{count(found.other_space, older)} cannot be compared: other weights were used then"
        )
    if found.left_out:
        parts.append(f"{count(found.left_out, older)} did not fit in memory")
    return ". ".join(parts) + "."


def label_state(label: Label) -> str:
    """How far a label is, in words: an order, or probabilities."""
    holds, holds_not = label.judged.holds, label.judged.holds_not
    judged = holds + holds_not
    if judged < FEWEST_JUDGED:
        return f"{judged} of {FEWEST_JUDGED} judged: ranked only"
    if label.needed:
        lacking = "for" if holds == 0 else "against"
        return f"{judged} judged, none of them {lacking} it: ranked only"
    return f"{judged} judged: with probabilities"


def calibration_said(calibration: Calibration | None, missing: str | None) -> str:
    """What the probabilities beside moments rest on, or what they lack."""
    if calibration is None:
        return f"Ranked only: {missing}. Judge moments to get probabilities." if missing else ""
    right = words.percent(calibration.accuracy)
    rests = f"Probabilities rest on {calibration.judged} judged moments; left out one at a time, "
    rests += f"{right} of them were judged right."
    if not calibration.informative:
        rests += " That says little more than how often the label holds: describe it otherwise."
    return rests


def name_wrong(name: str) -> str:
    """What is wrong with the name of a label; empty where nothing is."""
    if NAME.fullmatch(name.strip()):
        return ""
    return "letters, digits and . _ : - only, at most 128"


def prompts_of(text: str) -> list[str]:
    """One prompt a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def prompts_wrong(text: str) -> str:
    """What is wrong with prompts, one a line; empty where nothing is."""
    prompts = prompts_of(text)
    if not 1 <= len(prompts) <= MOST_PROMPTS:
        return f"1 to {MOST_PROMPTS} sentences, one a line"
    if any(len(prompt) > LONGEST_PROMPT for prompt in prompts):
        return f"each at most {LONGEST_PROMPT} characters"
    return ""
