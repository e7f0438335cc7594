"""What is told of an alert, as it leaves the house."""

from typing import Final

import msgspec

from storage.alerts import AlertNews

_decoder: Final = msgspec.json.Decoder(AlertNews)


def read_news(payload: bytes) -> AlertNews:
    """The payload of an outbox row of kind `alert`. Raises msgspec.ValidationError."""
    return _decoder.decode(payload)


def with_link(payload: bytes, public_url: str) -> bytes:
    """The same with an absolute link; without a `public_url` it stays as it is."""
    if not public_url:
        return payload
    news = read_news(payload)
    alert = msgspec.structs.replace(news.alert, link=absolute(news.alert.link, public_url))
    return msgspec.json.encode(msgspec.structs.replace(news, alert=alert))


def absolute(link: str, public_url: str) -> str:
    """A link of the dashboard that leads there from elsewhere."""
    return f"{public_url.rstrip('/')}{link}"
