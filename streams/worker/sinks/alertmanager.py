"""Alerts for Prometheus Alertmanager, by its API v2."""

import time
from collections.abc import Callable
from typing import Any, Final

import httpx
import msgspec

from inference.contract import format_time
from inference.units import HOUR_NS
from storage.alerts import AlertNews
from storage.outbox import Message
from streams.cloud_events import JSON
from streams.worker.sinks.http_post import post
from streams.worker.sinks.news import absolute, read_news

SINK: Final = "alertmanager"
PATH: Final = "/api/v2/alerts"
FIRES_AT_MOST_NS: Final = 4 * HOUR_NS
"""A firing alert says that it ends so long after it was sent, so that Alertmanager's own
`resolve_timeout` does not apply and nothing has to be sent again; its true end is sent when
it comes. Longer than calls take: one whose end never came, say because it was erased, goes."""


class Alertmanager:
    """One Alertmanager; in a cluster any of its members.

    Args:
        url: its root, for example `http://127.0.0.1:9093`.
        client: from `open_client`.
        public_url: of the dashboard, for `generatorURL`.
        now_ns: wall time.
    """

    sink: str = SINK
    tenant: str | None = None

    def __init__(
        self,
        url: str,
        *,
        client: httpx.AsyncClient,
        public_url: str = "",
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._url = f"{url.rstrip('/')}{PATH}"
        self._client = client
        self._public_url = public_url
        self._now_ns = now_ns

    async def send(self, message: Message) -> None:
        """Post it. Raises as `http_post.post`."""
        news = read_news(message.payload)
        alert = alertmanager_alert(news, message.tenant, until_ns=self._now_ns() + FIRES_AT_MOST_NS)
        if self._public_url:
            alert["generatorURL"] = absolute(news.alert.link, self._public_url)
        await post(self._client, self._url, msgspec.json.encode([alert]), {"content-type": JSON})


def alertmanager_alert(news: AlertNews, tenant: str, *, until_ns: int) -> dict[str, Any]:
    """One alert of `POST /api/v2/alerts`.

    The labels make its fingerprint there: they are the same from the beginning to the end,
    and the next time that the rule fires for the participant.

    Args:
        news: what happened.
        tenant: whose.
        until_ns: wall time at which an alert that fires is taken for ended.
    """
    alert = news.alert
    value = "" if alert.peak is None else f", at its peak {alert.peak:.2f}"
    return {
        "labels": {
            "alertname": alert.rule,
            "service": "affectstream",
            "severity": alert.severity,
            "tenant": tenant,
            "conversation": alert.conversation,
            "participant": alert.participant,
            "role": alert.role.value,
            "queue": alert.queue,
        },
        "annotations": {
            "summary": f"{alert.metric} of the {alert.role.value} in {alert.conversation} "
            f"past its threshold since {alert.since}{value}",
            "alert": alert.id,
        }
        | ({} if alert.narrative is None else {"description": alert.narrative}),
        "startsAt": alert.fired,
        "endsAt": alert.resolved or format_time(until_ns),
    }
