"""Decisions, consents and erasures, as the API tells them."""

from typing import Final

import msgspec

from streams.serving.dashboard.asking import Asking

LONGEST_ERASURE_S: Final = 120.0
"""A subject may have many conversations."""


class Facts(msgspec.Struct, frozen=True):
    """What a decision was made from."""

    role: str = "unknown"
    region: str | None = None
    purpose: str | None = None
    notice: bool | str | None = None
    consent: bool | str | None = None


class PolicyDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one modality of one participant may be analysed, and why."""

    conversation: str
    participant: str
    modality: str
    at: str
    allowed: bool
    reason: str
    profile: str = ""
    facts: Facts = Facts()


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What a participant said, or was told."""

    conversation: str
    participant: str
    at: str
    consent: bool | str | None = None
    notice: bool | str | None = None
    deleted_windows: int | None = None


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """The receipt of an erasure."""

    id: str
    kind: str
    at: str
    by: str
    conversations: int = 0
    rows: dict[str, int] = {}
    keys: int = 0
    kafka_until: str | None = None


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did or looked at."""

    at: str
    actor: str
    action: str
    conversation: str | None = None


async def audit(asking: Asking) -> list[Looked]:
    """Who looked at what, and who did what, newest first."""
    return await asking.listed("/v1/audit", Looked)


async def decisions(asking: Asking, *, refused_only: bool) -> list[PolicyDecision]:
    """Newest first."""
    query = {"allowed": "false" if refused_only else None}
    return await asking.listed("/v1/decisions", PolicyDecision, query)


async def consents(asking: Asking) -> list[Consent]:
    """Newest first."""
    return await asking.listed("/v1/consents", Consent)


async def erasures(asking: Asking) -> list[Erasure]:
    """Receipts, newest first."""
    return await asking.listed("/v1/erasures", Erasure)


async def erase(asking: Asking, kind: str, name: str) -> Erasure:
    """Delete a `conversation`, or every conversation of a `subject`. It cannot be undone."""
    body = {kind: name}
    return await asking.send("POST", "/v1/erasures", Erasure, body, timeout_s=LONGEST_ERASURE_S)
