"""What the pages say. A score is an estimate of what listeners would say, never a verdict."""

import math
from collections.abc import Iterable
from typing import Final, Protocol

from inference.labels import AbsenceReason, Emotion, Modality, Role
from inference.score import WindowScore
from streams.serving.dashboard.live.raised import Alert


class Party(Protocol):
    """Somebody who takes part."""

    @property
    def participant(self) -> str:
        """Their id."""
        ...

    @property
    def role(self) -> Role:
        """What they are in it."""
        ...


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
BY_POLICY: Final = "not permitted by policy"
WAITING: Final = "no score yet"

LIVE: Final = "Live calls"
ENDED: Final = "Ended lately"
LIVE_COLUMNS: Final = ("Call", "Who", "Distress now", "Last minutes", "Reads as", "Rests on")
RUNNING: Final = "{count} conversations now"
RUNNING_SOME: Final = "{shown} of {count} conversations now"
FILTER: Final = "Queue"
ALL_QUEUES: Final = "all queues"
ORDER_HELD: Final = "Order held while you are in the list"
TREND: Final = "distress of the last 6 minutes"
NEW_ALERT: Final = "New alert: {alert}, {queue}"
KEYS_TITLE: Final = "Keys"
SKIP: Final = "Skip to the content"
CLOSE: Final = "Close"
KEYS: Final = (
    (("j", "\N{DOWNWARDS ARROW}"), "next call"),
    (("k", "\N{UPWARDS ARROW}"), "call before"),
    (("Enter",), "open the call"),
    (("/",), "filter by queue"),
    (("Esc",), "leave the list or the filter: calls are sorted again"),
    (("?",), "this list"),
)
AWAY_SINCE: Final = "The API has not answered since {time}: what is shown is from then."
LOST_SINCE: Final = "This page has been cut off since {time}: what is shown is from then."
NO_MATCH: Final = (
    "<strong>No call in such a queue</strong>Clear the filter to see every running call."
)
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
PICK_A_POINT: Final = (
    "The newest one. Click the chart for another second, or use the arrow keys in it."
)
FOLLOW: Final = "Back to the newest"
MEANS: Final = "mean of 10 s"
CONVERSATION: Final = "Conversation"
COPY: Final = "Copy id"
COPIED: Final = "Copied"
EXPORT: Final = "Take it elsewhere:"
EXPORTS: Final = (
    ("csv", "CSV"),
    ("jsonl", "JSON lines"),
    ("parquet", "Parquet"),
    ("vtt", "WebVTT"),
    ("emotionml", "EmotionML"),
)
NO_EXPORT: Final = "The API has no such export of this conversation."
STILL_OPEN: Final = "to now"
TRANSCRIPT: Final = "Transcript"
GONE_CALL: Final = (
    "<strong>This conversation is gone</strong>"
    'It was deleted while this page was open. <a href="/">Live calls</a>'
)
WITHDRAWN: Final = "Consent withdrawn at {at}: what was read later is deleted and not shown."
ALERTS: Final = "Alerts"
STORY: Final = "In short"
TOLD_BY: Final = (
    "Told by {narrator} from the evidence below; times count from the beginning of the call. "
    "An estimate of how listeners would describe it."
)
DECISIONS: Final = "What may be analysed"
ALLOWED: Final = "allowed"
DROPPED: Final = "not analysed"
ALL_EVIDENCE: Final = "All evidence, in order"
PROVISIONAL_KEY: Final = "provisional: not final yet, not kept"
RESTS_ON: Final = "What it rests on"
CUES: Final = "Evidence"
NO_CUES: Final = "No single cue stands out."
CONFLICT: Final = ((0.05, "agree"), (0.2, "differ a little"), (math.inf, "disagree"))
"""Upper bounds of the Jensen-Shannon divergence, nats."""
NEWS_POINTS: Final = 8
"""Smoothed distress wavers by a few points by itself."""
USUAL_SD: Final = 1.0
"""Within so many standard deviations of its usual a voice is as usual: two windows in three are."""


def running(calls: int) -> str:
    """How many conversations the page shows."""
    return "1 conversation now" if calls == 1 else RUNNING.format(count=calls)


def known(value: str) -> str:
    """Nothing where nobody said: `unknown` and `und` are no facts."""
    return "" if value in {"unknown", "und"} else value


def reads_as(score: WindowScore) -> str:
    """The label of a window, or why it has none."""
    if score.distress is None:
        return NOTHING_TO_READ
    label = score.decision.label
    return NOT_SURE if label is None or score.decision.abstained else EMOTION[label]


def window_facts(score: WindowScore) -> list[tuple[str, str]]:
    """One score in words, as name and value."""
    if score.distress is None:
        return [("reads as", NOTHING_TO_READ)]
    decision = score.decision
    among = ", ".join(EMOTION[one] for one in decision.set)
    facts = [
        ("reads as", reads_as(score)),
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


def headline(queue: str, parties: Iterable[Party]) -> str:
    """A conversation by what people know of it: `billing: customer and agent`."""
    names = [full_name(one.role, one.participant) for one in parties]
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return ": ".join(filter(None, (known(queue), listed))) or "conversation"


def alert(rule: str) -> str:
    """The name of a rule as people say it: `sustained-distress` is `sustained distress`."""
    return rule.replace("-", " ").replace("_", " ")


def alert_title(one: Alert, *, waits: bool) -> str:
    """What stands behind a mark: severity, peak, and whether somebody took it on."""
    parts = [f"{one.severity} alert"]
    if one.peak is not None:
        parts.append(
            f"{one.peak:.2f} when it fired" if one.state == "firing" else f"peak {one.peak:.2f}"
        )
    if one.acknowledged is not None:
        parts.append(
            f"acknowledged by {one.acknowledged.by}" if one.acknowledged.by else "taken on"
        )
    elif one.open and not waits:
        parts.append("snoozed")
    return ", ".join(parts)


def rise(difference: float) -> str:
    """How far a number moved in two minutes; nothing where that is no news."""
    points = round(difference * 100)
    if abs(points) < NEWS_POINTS:
        return ""
    arrow = "\N{UPWARDS ARROW}" if points > 0 else "\N{DOWNWARDS ARROW}"
    return f"{arrow} {abs(points)} in 2 min"


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
