"""What the pages say. A score is an estimate of what listeners would say, never a verdict."""

import math
from typing import Final

from inference.labels import AbsenceReason, Emotion, Modality, Role
from inference.score import WindowScore

CAVEAT: Final = (
    "A score is a calibrated estimate of how listeners would describe what they hear and see, "
    "never a verdict on a person."
)

MODALITY: Final = {Modality.SPEECH: "voice", Modality.TEXT: "words", Modality.FACE: "face"}

ROLE: Final = {
    Role.CUSTOMER: "customer",
    Role.AGENT: "agent",
    Role.BOT: "bot",
    Role.UNKNOWN: "participant",
}

EMOTION: Final = {emotion: emotion.value for emotion in Emotion}

REASON: Final = {
    AbsenceReason.NO_CAMERA: "no camera",
    AbsenceReason.NO_TRACK: "not connected",
    AbsenceReason.NO_FACE: "no face in view",
    AbsenceReason.SILENCE: "silent",
    AbsenceReason.NOT_PERMITTED: "not permitted",
    AbsenceReason.LATE: "came too late",
    AbsenceReason.POOR_QUALITY: "poor quality",
    AbsenceReason.UNDECODABLE: "unreadable",
    AbsenceReason.FAILED: "failed",
}

NONE: Final = "\N{EN DASH}"
"""In place of a number where there is none."""
NOT_SURE: Final = "not sure"
NO_VOICE: Final = "no voice"
NOTHING_TO_READ: Final = "nothing to read"
SAYS_NOTHING: Final = "says nothing"
NOT_ANALYSED: Final = "not analysed"
WAITING: Final = "no score yet"

LIVE: Final = "Live calls"
ENDED: Final = "Ended lately"
CONNECTED: Final = "connected"
AWAY: Final = "API away"
WAITS: Final = "What is shown may be old; this page goes on by itself."
CONNECTING: Final = "<strong>Looking for the API</strong>This page goes on by itself."
NO_CALLS: Final = (
    "<strong>Nobody is talking</strong>A call shows up here within seconds of its first words."
)
UNKNOWN_CALL: Final = (
    "<strong>This conversation is not known</strong>"
    'It may not have a score yet, or it was deleted. <a href="/">Live calls</a>'
)

WINDOW: Final = "Score of {begin} to {end}"
UNSURE_BAND: Final = "not sure: no single label"
NOTHING_BAND: Final = "nothing to read: no estimate"
PICK_A_POINT: Final = "The newest one; click a point of the chart for another."
FOLLOW: Final = "Back to the newest"
RESTS_ON: Final = "What it rests on"
CUES: Final = "Evidence"
NO_CUES: Final = "No single cue stands out."
CONFLICT: Final = ((0.05, "agree"), (0.2, "differ a little"), (math.inf, "disagree"))
"""Upper bounds of the Jensen-Shannon divergence, nats."""
USUAL_SD: Final = 1.0
"""Within so many standard deviations of its usual a voice is as usual: two windows in three are."""


def running(calls: int) -> str:
    """How many conversations the page shows."""
    return "1 conversation now" if calls == 1 else f"{calls} conversations now"


def known(value: str) -> str:
    """Nothing where nobody said: `unknown` and `und` are no facts."""
    return "" if value in {"unknown", "und"} else value


def window_facts(score: WindowScore) -> list[tuple[str, str]]:
    """One score in words, as name and value."""
    if score.distress is None:
        return [("reads as", NOTHING_TO_READ)]
    decision = score.decision
    label = NOT_SURE if decision.label is None or decision.abstained else EMOTION[decision.label]
    among = ", ".join(EMOTION[one] for one in decision.set)
    facts = [
        ("reads as", label),
        (
            "one of",
            f"{among} (together {percent(decision.coverage)} of the estimate or more)",
        ),
        ("distress", f"{percent(score.distress.probability)} in this window"),
        ("vacuity", f"{score.vacuity:.2f} (1: nothing supports a label)"),
    ]
    if score.change is not None:
        facts.append(("own voice", change(score.change)))
    if sum((report.weight or 0.0) > 0.0 for report in score.modalities.values()) > 1:
        verb = next(verb for limit, verb in CONFLICT if score.conflict <= limit)
        facts.append(("modalities", f"{verb} ({score.conflict:.2f})"))
    if score.partial:
        facts.append(("partial", "closed early for want of memory"))
    return facts


def change(deviations: float) -> str:
    """How far a voice is from its owner's usual one, in standard deviations, and which way."""
    away = f"{deviations:+.1f} sd from own usual"
    if abs(deviations) < USUAL_SD:
        return f"{away}, as usual"
    return f"{away}, {'towards' if deviations > 0 else 'away from'} arousal"


def percent(share: float) -> str:
    """A share of one as people read it: `69 %`, with a narrow no-break space."""
    return f"{round(share * 100)}\N{NARROW NO-BREAK SPACE}%"


def duration(seconds: float) -> str:
    """How long, in the coarsest unit that still says something: `8 s`, `3 min`, `2 h 5 min`."""
    whole = max(0, int(seconds))
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def full_name(role: Role, participant: str) -> str:
    """Role and id, said once where they are the same."""
    return ROLE[role] if participant == role else f"{ROLE[role]} {participant}"
