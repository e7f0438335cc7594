"""Which part of the API credentials open: a rank says how much, a scope says of what."""

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """One part of the API. Credentials have some or all."""

    READ = "read"
    """Look at conversations, scores, alerts, rules, trends, found moments, labels and the state
    of the system."""
    ALERTS = "alerts"
    """Acknowledge, snooze and judge alerts; send deliveries again."""
    RULES = "rules"
    """Write rules and labels of one's own, try them on what is stored, and judge moments."""
    PRIVACY = "privacy"
    """Policy decisions, consents and erasures."""
    KEYS = "keys"
    """Keys, and the audit log."""
    METRICS = "metrics"
    """`/metrics`: counts of the process, of all tenants together."""


EVERY_SCOPE: Final = frozenset(Scope)
TENANT_SCOPES: Final = EVERY_SCOPE - {Scope.METRICS}
"""What stays within one tenant."""
OWN: Final = "/v1/me"
"""Whoever has credentials may ask what they are."""
_READING: Final = ("GET", "HEAD")
_PARTS: Final = {
    # first word of the path after /v1: what looking needs, what writing needs
    "conversations": (Scope.READ, Scope.READ),
    "live": (Scope.READ, Scope.READ),
    "trends": (Scope.READ, Scope.READ),
    "search": (Scope.READ, Scope.READ),
    "summary": (Scope.READ, Scope.READ),
    "system": (Scope.READ, Scope.READ),
    "alerts": (Scope.READ, Scope.ALERTS),
    "deliveries": (Scope.READ, Scope.ALERTS),
    "rules": (Scope.READ, Scope.RULES),
    "labels": (Scope.READ, Scope.RULES),
    "decisions": (Scope.PRIVACY, Scope.PRIVACY),
    "consents": (Scope.PRIVACY, Scope.PRIVACY),
    "erasures": (Scope.PRIVACY, Scope.PRIVACY),
    "keys": (Scope.KEYS, Scope.KEYS),
    "audit": (Scope.KEYS, Scope.KEYS),
}


def needed(method: str, path: str) -> frozenset[Scope]:
    """The scopes that a request needs, all of them; a part that nobody listed needs every one.

    Args:
        method: of the request.
        path: of the request, or of a route with its `{parameters}`.
    """
    if path == OWN:
        return frozenset()
    if path == "/metrics":
        return frozenset({Scope.METRICS})
    words = path.strip("/").split("/")
    if words[:2] == ["v1", "conversations"] and words[3:] == ["decisions"]:
        return frozenset({Scope.PRIVACY})
    pair = _PARTS.get(words[1]) if len(words) > 1 and words[0] == "v1" else None
    if pair is None:
        return EVERY_SCOPE
    return frozenset({pair[method not in _READING]})
