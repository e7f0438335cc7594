"""Alerts and their deliveries, as the API tells them."""

from typing import Final
from urllib.parse import quote

import msgspec

from streams.serving.dashboard.asking import Asking
from streams.serving.dashboard.live.raised import Alert

MOST: Final = 300
"""Alerts that a page shows; who has more filters."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one target that was given up."""

    id: str
    sink: str
    attempts: int
    dead: bool = True
    error: str | None = None
    next_attempt: str | None = None
    conversation: str | None = None
    at: str | None = None


async def alerts(asking: Asking, *, state: str, queue: str = "", most: int = MOST) -> list[Alert]:
    """Alerts in a state: `open`, `firing`, `resolving`, `resolved` or, empty, all; newest first."""
    return await asking.listed("/v1/alerts", Alert, {"state": state, "queue": queue}, most=most)


async def acknowledge(asking: Asking, alert: str) -> Alert:
    """Say that somebody has seen it."""
    return await asking.send("POST", f"{_path(alert)}/acknowledge", Alert, {})


async def snooze(asking: Asking, alert: str, minutes: int) -> Alert:
    """Put it aside for a while; 0 ends that."""
    return await asking.send("POST", f"{_path(alert)}/snooze", Alert, {"minutes": minutes})


async def judge(asking: Asking, alert: str, verdict: str, note: str) -> Alert:
    """Say whether the alert was right."""
    body = {"verdict": verdict} | ({"note": note} if note else {})
    return await asking.send("POST", f"{_path(alert)}/verdict", Alert, body)


async def dead_deliveries(asking: Asking) -> list[Delivery]:
    """Messages that no target took."""
    return await asking.listed("/v1/deliveries", Delivery, {"dead": "true"})


async def retry(asking: Asking, delivery: Delivery) -> None:
    """Try one again from the start."""
    path = f"/v1/deliveries/{quote(delivery.id, safe='')}/{quote(delivery.sink, safe='')}/retry"
    await asking.send_only("POST", path)


def _path(alert: str) -> str:
    return f"/v1/alerts/{quote(alert, safe='')}"
