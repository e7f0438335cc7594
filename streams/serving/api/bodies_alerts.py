"""What the API answers about alerts and deliveries, as types."""

from msgspec import Struct

from inference.contract import Time
from storage.alerts import AlertJson
from streams.serving.api.bodies import Cursor


class AlertPage(Struct, frozen=True, kw_only=True):
    """Alerts, newest fired first."""

    items: tuple[AlertJson, ...]
    next: Cursor


class DeliveryBody(Struct, frozen=True, kw_only=True):
    """One message that one sink does not have."""

    id: str
    """Of the message."""
    sink: str
    kind: str
    """`alert`, `score` or `ended`."""
    conversation: str
    participant: str
    at: Time
    """Event time of what it tells."""
    attempts: int
    dead: bool
    """Given up; a retry makes it wait again."""
    error: str | None
    """Why the last attempt failed."""
    next_attempt: Time | None
    """Null for at once, and for never."""


class DeliveryPage(Struct, frozen=True, kw_only=True):
    """Deliveries, newest event first."""

    items: tuple[DeliveryBody, ...]
    next: Cursor
