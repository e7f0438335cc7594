"""What the API answers about many conversations."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from inference.contract import Share, Time, format_time
from inference.labels import Emotion
from inference.score import DECIMALS
from storage.trends import Cell, Group
from streams.serving.trends import Change, mean_interval

BucketWidth = Literal["1m", "1h", "1d"]
Valence = Annotated[float, Meta(ge=-1.0, le=1.0)]
Difference = Annotated[float, Meta(description="Of mean distress, now minus before.")]


class DistressTrend(Struct, frozen=True, kw_only=True):
    """Mean distress of the scored windows, and where that of calls like these probably lies."""

    mean: Share
    low: Share
    high: Share


class TrendBody(Struct, frozen=True, kw_only=True):
    """One group in one bucket. Where figures are withheld, all of them are null."""

    key: str
    start: Time
    end: Time
    conversations: int | None
    """Distinct ones with a scored window."""
    windows: int | None
    scored: int | None
    distress: DistressTrend | None
    emotions: dict[Emotion, Share] | None
    arousal: Share | None
    valence: Valence | None
    withheld: bool


class TrendsBody(Struct, frozen=True, kw_only=True):
    """Groups by bucket and key; a group without windows in a bucket has no item there."""

    group: Group
    bucket: BucketWidth
    start: Time = msgspec.field(name="from")
    """As asked for, down to the start of a bucket."""
    end: Time = msgspec.field(name="to")
    """As asked for, up to the end of a bucket."""
    floor: int
    """Conversations that a shown item has at least."""
    items: tuple[TrendBody, ...]


class MeanBody(Struct, frozen=True, kw_only=True):
    """Mean distress of one stretch."""

    mean: Share
    conversations: int


class ChangeBody(Struct, frozen=True, kw_only=True):
    """One group against itself a week before; null where there is nothing to say, or withheld."""

    key: str
    now: MeanBody | None
    before: MeanBody | None
    difference: Difference | None
    low: float | None
    high: float | None
    news: bool
    """The interval `[low, high]` excludes 0."""
    withheld: bool


class ChangesBody(Struct, frozen=True, kw_only=True):
    """Groups by key."""

    group: Group
    start: Time = msgspec.field(name="from")
    end: Time = msgspec.field(name="to")
    floor: int
    level: Share
    """With which all intervals of this answer hold together."""
    items: tuple[ChangeBody, ...]


def trend_body(cell: Cell, *, withheld: bool) -> TrendBody:
    """`cell` under its public names, or its place alone."""
    told = not withheld
    return TrendBody(
        key=cell.key,
        start=format_time(cell.start_ns),
        end=format_time(cell.end_ns),
        conversations=cell.conversations if told else None,
        windows=cell.windows if told else None,
        scored=cell.scored if told else None,
        distress=distress_trend(cell) if told else None,
        emotions={label: _rounded(share) for label, share in cell.emotions.items()}
        if told and cell.emotions is not None
        else None,
        arousal=_maybe(cell.arousal) if told else None,
        valence=_maybe(cell.valence) if told else None,
        withheld=withheld,
    )


def distress_trend(cell: Cell) -> DistressTrend | None:
    """Mean distress of `cell` with its interval; None where it has neither."""
    interval = mean_interval(cell)
    if cell.distress is None or interval is None:
        return None
    return DistressTrend(
        mean=_rounded(cell.distress), low=_rounded(interval.low), high=_rounded(interval.high)
    )


def change_body(change: Change) -> ChangeBody:
    """`change` under its public names."""
    return ChangeBody(
        key=change.key,
        now=_mean(change.now),
        before=_mean(change.before),
        difference=_maybe(change.difference),
        low=None if change.interval is None else change.interval.low,
        high=None if change.interval is None else change.interval.high,
        news=change.news,
        withheld=change.withheld,
    )


def _mean(cell: Cell | None) -> MeanBody | None:
    if cell is None or cell.distress is None:
        return None
    return MeanBody(mean=_rounded(cell.distress), conversations=cell.conversations)


def _maybe(value: float | None) -> float | None:
    return None if value is None else _rounded(value)


def _rounded(value: float) -> float:
    return round(value, DECIMALS)
