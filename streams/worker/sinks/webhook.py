"""Signed webhooks, by the scheme of Standard Webhooks; `docs/webhooks.md` tells receivers."""

import base64
import hmac
import time
from collections.abc import Callable

import httpx

from inference.units import SECOND_NS
from storage.outbox import Message
from streams import topics
from streams.cloud_events import JSON, cloud_event
from streams.worker.sinks.http_post import post
from streams.worker.sinks.news import with_link


class Webhook:
    """One receiver of somebody else.

    Args:
        name: in the settings; the sink is `webhook:NAME`.
        url: where it listens.
        key: of the signature, decoded.
        client: from `open_client`.
        tenant: whose alerts it may have; None for everybody's.
        public_url: of the dashboard, for links.
        now_ns: wall time.
    """

    def __init__(
        self,
        name: str,
        url: str,
        key: bytes,
        *,
        client: httpx.AsyncClient,
        tenant: str | None = None,
        public_url: str = "",
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.sink = f"webhook:{name}"
        self.tenant = tenant
        self._url = url
        self._key = key
        self._client = client
        self._public_url = public_url
        self._now_ns = now_ns

    async def send(self, message: Message) -> None:
        """Post it, signed at this moment. Raises as `http_post.post`."""
        body = with_link(message.payload, self._public_url)
        timestamp = str(self._now_ns() // SECOND_NS)
        event = cloud_event(
            message.id,
            topics.ALERTS,
            subject=f"{message.tenant}/{message.conversation}",
            content_type=JSON,
        )
        headers = {name.replace("_", "-"): value for name, value in event.items()} | {
            "webhook-id": message.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._key, message.id, timestamp, body),
        }
        await post(self._client, self._url, body, headers)


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
