"""What the page *System* says, and what of it needs a look. Pure."""

from dataclasses import dataclass
from typing import Final

from streams.serving.dashboard.shell import desk_words, words
from streams.serving.dashboard.system.client import Queue, System

SLOW_S: Final = 10.0
"""Scores later than this are marked: a supervisor would act on the past."""
OLD_S: Final = 60.0
"""A message that waits for longer is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure; `is_bad` is said in its note too."""

    name: str
    figure: str
    note: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    """One modality's presence."""

    name: str
    level: int
    figure: str


def tiles(now: System) -> list[Tile]:
    """The figures at the top."""
    delay = now.delay_s
    dead = sum(one.dead for one in now.outbox.values())
    shed = sum(now.shed.values())
    stale = len(now.stale)
    is_slow = delay is not None and delay.max > SLOW_S
    return [
        Tile(name="Calls now", figure=str(now.live), note="running"),
        Tile(
            name="Delay of scores",
            figure=words.NONE if delay is None else f"{delay.median:.1f} s",
            note="no score in 15 minutes"
            if delay is None
            else f"median; longest {delay.max:.1f} s{', too long' if is_slow else ''}",
            is_bad=is_slow,
        ),
        Tile(
            name="Stale calls",
            figure=str(stale),
            note="run without new scores" if stale else "every call is scored",
            is_bad=stale > 0,
        ),
        Tile(
            name="Closed early",
            figure=_share(now.partial),
            note="windows, for want of memory",
            is_bad=bool(now.partial),
        ),
        Tile(
            name="Left out under load",
            figure=str(shed),
            note=", ".join(
                f"{desk_words.modality(name)} {count}" for name, count in now.shed.items()
            )
            or "nothing was shed",
            is_bad=shed > 0,
        ),
        Tile(
            name="Not sure",
            figure=_share(now.abstained),
            note="of windows: the label was withheld",
        ),
        Tile(
            name="Undeliverable",
            figure=str(dead),
            note="messages were given up; see Alerts" if dead else "no dead letters",
            is_bad=dead > 0,
        ),
    ]


def shares(now: System) -> list[ShareRow]:
    """How often each modality was there."""
    return [
        ShareRow(
            name=desk_words.modality(name),
            level=round(100 * one.present),
            figure=_share(one.present),
        )
        for name, one in now.modalities.items()
    ]


def queue_said(one: Queue) -> str:
    """How messages to one target stand."""
    if one.dead:
        return "given up on some"
    if one.oldest_s is not None and one.oldest_s > OLD_S:
        return "late"
    return "waits" if one.waiting else "up to date"


def age(seconds: float | None) -> str:
    """How long the oldest message waits."""
    return words.NONE if seconds is None else words.duration(seconds)


def _share(value: float | None) -> str:
    return words.NONE if value is None else words.percent(value)
