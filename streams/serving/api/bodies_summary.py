"""What the API answers about a shift."""

import msgspec
from msgspec import Struct

from inference.contract import Time, format_time
from inference.narrator.contract import Narrative
from streams.serving.api.bodies_trends import (
    ChangeBody,
    DistressTrend,
    change_body,
    distress_trend,
)
from streams.serving.summary import VERSION, Summary


class AlertTotalsBody(Struct, frozen=True, kw_only=True):
    """How many alerts fired."""

    total: int
    severities: dict[str, int]
    rules: dict[str, int]
    """Most frequent first."""
    queues: dict[str, int]
    """Of the queues that are shown."""


class SummaryBody(Struct, frozen=True, kw_only=True):
    """What may be said of `[from, to)`; figures that are withheld are null, and not in the text."""

    start: Time = msgspec.field(name="from")
    """As asked for, down to a whole hour."""
    end: Time = msgspec.field(name="to")
    """As asked for, up to a whole hour."""
    queue: str | None
    """The one that was asked for; null for all of them."""
    floor: int
    """Conversations that a shown group has at least."""
    text: str
    """In a short paragraph: its figures stand in the fields beside it."""
    narrator: str
    """What told it, with its version."""
    conversations: int | None
    """Distinct ones in which a customer was scored."""
    distress: DistressTrend | None
    """Of customers, over their scored windows."""
    change: ChangeBody
    """Of all that was asked for, against the same stretch a week before."""
    queues: tuple[ChangeBody, ...]
    """Each against itself a week before, by key; empty where one was asked for."""
    alerts: AlertTotalsBody | None
    """Of the queues in which a customer was scored."""
    withheld: bool


def summary_body(told: Summary, narrative: Narrative | None) -> SummaryBody:
    """`told` under its public names, in the words of `narrative` where there is one."""
    now, alerts = told.whole.now, told.alerts
    return SummaryBody(
        start=format_time(told.from_ns),
        end=format_time(told.to_ns),
        queue=told.queue,
        floor=told.floor,
        text=told.paragraph(narrative),
        narrator=VERSION if narrative is None else f"{VERSION}+{narrative.narrator}",
        conversations=None if now is None else now.conversations,
        distress=None if now is None else distress_trend(now),
        change=change_body(told.whole),
        queues=tuple(map(change_body, told.queues)),
        alerts=None
        if alerts is None
        else AlertTotalsBody(
            total=alerts.total,
            severities=dict(alerts.severities),
            rules=dict(alerts.rules),
            queues=dict(alerts.queues),
        ),
        withheld=told.whole.withheld,
    )
