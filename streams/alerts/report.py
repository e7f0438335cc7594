"""The findings of a back-test as JSON: what the API answers and the command prints."""

from typing import Final

import msgspec
from msgspec import Struct

from inference.contract import Share, Time, format_time
from storage.hindsight import Stretch
from streams.alerts.backtest import Episode, Findings, Threshold

NS: Final = 1e9


class DelayBody(Struct, frozen=True, kw_only=True):
    """Seconds from the first moment over `enter` to firing."""

    median: float
    p90: float


class ReviewedBody(Struct, frozen=True, kw_only=True):
    """Alerts that would have fired where people judged one on the same metric."""

    right: int
    wrong: int
    unclear: int
    missed: int
    """Judged right, but this rule would not have fired there."""
    precision: Share | None
    """Right ones of right and wrong ones."""


class EpisodeBody(Struct, frozen=True, kw_only=True):
    """One alert that would have fired."""

    conversation: str
    participant: str
    since: Time
    fired: Time
    resolved: Time | None
    peak: float


class ThresholdBody(Struct, frozen=True, kw_only=True):
    """The same rule with another `enter`."""

    enter: float
    exit: float
    alerts_per_hour: float | None
    flaps: int


class SuggestedBody(Struct, frozen=True, kw_only=True):
    """The thresholds that come nearest to the wanted rate from below."""

    enter: float
    exit: float
    alerts_per_hour: float | None


class BackTestBody(Struct, frozen=True, kw_only=True):
    """What a rule would have done between `from` and `to`."""

    begin: Time = msgspec.field(name="from")
    end: Time = msgspec.field(name="to")
    conversations: int
    hours: float
    """Watched time: of each watched participant, each second once."""
    alerts: int
    alerts_per_hour: float | None
    flaps: int
    """Alerts that fired within five minutes after one of the same participant resolved."""
    delay_s: DelayBody | None
    reviewed: ReviewedBody | None
    episodes: tuple[EpisodeBody, ...]
    thresholds: tuple[ThresholdBody, ...]
    suggested: SuggestedBody | None


def report(findings: Findings, stretch: Stretch) -> BackTestBody:
    """`findings` under their public names, seconds and rates rounded."""
    half, most = findings.median_delay_ns, findings.p90_delay_ns
    judged, suggested = findings.judged, findings.suggested
    return BackTestBody(
        begin=format_time(stretch.from_ns),
        end=format_time(stretch.to_ns),
        conversations=findings.conversations,
        hours=round(findings.watched_ns / NS / 3_600, 4),
        alerts=len(findings.episodes),
        alerts_per_hour=_rounded(findings.alerts_per_hour),
        flaps=findings.flaps,
        delay_s=None
        if half is None or most is None
        else DelayBody(median=round(half / NS, 3), p90=round(most / NS, 3)),
        reviewed=None
        if judged is None
        else ReviewedBody(
            right=judged.right,
            wrong=judged.wrong,
            unclear=judged.unclear,
            missed=judged.missed,
            precision=None if judged.precision is None else round(judged.precision, 4),
        ),
        episodes=tuple(_episode(one) for one in findings.episodes),
        thresholds=tuple(_threshold(one) for one in findings.thresholds),
        suggested=None
        if suggested is None
        else SuggestedBody(
            enter=suggested.enter,
            exit=suggested.exit,
            alerts_per_hour=_rounded(suggested.alerts_per_hour),
        ),
    )


def _episode(one: Episode) -> EpisodeBody:
    return EpisodeBody(
        conversation=one.conversation,
        participant=one.participant,
        since=format_time(one.since_ns),
        fired=format_time(one.fired_ns),
        resolved=None if one.resolved_ns is None else format_time(one.resolved_ns),
        peak=one.peak,
    )


def _threshold(one: Threshold) -> ThresholdBody:
    return ThresholdBody(
        enter=one.enter,
        exit=one.exit,
        alerts_per_hour=_rounded(one.alerts_per_hour),
        flaps=one.flaps,
    )


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 2)
