"""Trends and changes, as the API tells them."""

import msgspec

from streams.serving.dashboard.asking import Asking


class Mean(msgspec.Struct, frozen=True):
    """A mean with the interval that its noise leaves open."""

    mean: float
    low: float | None = None
    high: float | None = None


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """One group in one stretch of time; withheld below the floor of conversations."""

    key: str
    start: str
    end: str
    conversations: int | None = None
    windows: int | None = None
    scored: int | None = None
    distress: Mean | None = None
    withheld: bool = False


class Trends(msgspec.Struct, frozen=True, kw_only=True):
    """All groups over all stretches."""

    group: str
    bucket: str
    floor: int = 5
    items: tuple[Trend, ...] = ()


class Side(msgspec.Struct, frozen=True):
    """One of the two stretches that are compared."""

    mean: float | None = None
    conversations: int | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One group now and a week before."""

    key: str
    now: Side | None = None
    before: Side | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    news: bool = False
    withheld: bool = False


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time in a short paragraph."""

    text: str
    narrator: str = ""


async def summary(asking: Asking, start: str, end: str) -> Summary:
    """What may be said of `[start, end)`, RFC 3339."""
    return await asking.get("/v1/summary", Summary, {"from": start, "to": end})


async def trends(asking: Asking, group: str, bucket: str, start: str, end: str) -> Trends:
    """Groups in stretches of `[start, end)`, RFC 3339."""
    query = {"group": group, "bucket": bucket, "from": start, "to": end}
    return await asking.get("/v1/trends", Trends, query)


async def changes(asking: Asking, group: str, start: str, end: str) -> list[Change]:
    """The same groups against the week before."""
    query = {"group": group, "from": start, "to": end}
    return await asking.items("/v1/trends/changes", Change, query)
