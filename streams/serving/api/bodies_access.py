"""What the API answers about access: callers, keys and the audit log."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from inference.contract import Time, format_time
from storage.audit import Recorded
from storage.keys import ApiKey
from streams.serving.access.caller import Caller, Rank
from streams.serving.access.scopes import Scope

Cursor = Annotated[str | None, Meta(description="Ask for the next page with it; null at the end.")]


class MeBody(Struct, frozen=True, kw_only=True):
    """Whose the credentials are, and what they open."""

    tenant: str
    name: str
    rank: Rank
    scopes: tuple[Scope, ...]


class KeyBody(Struct, frozen=True, kw_only=True):
    """One API key, without its text."""

    id: str
    name: str
    rank: Rank
    scopes: tuple[Scope, ...]
    created: Time
    created_by: str
    expires: Time | None
    revoked: Time | None
    used: Time | None
    """Of its last request, to the minute."""


class KeyPage(Struct, frozen=True, kw_only=True):
    """Every key of the tenant, newest first."""

    items: tuple[KeyBody, ...]
    next: Cursor


class NewKeyBody(KeyBody, frozen=True, kw_only=True):
    """A key that was just made. Its text is never shown again."""

    key: str


class AuditBody(Struct, frozen=True, kw_only=True):
    """One thing that somebody did or looked at."""

    at: Time
    actor: str
    action: str
    conversation: str | None
    details: dict[str, Any]


class AuditPage(Struct, frozen=True, kw_only=True):
    """Entries, newest first."""

    items: tuple[AuditBody, ...]
    next: Cursor


def me_body(caller: Caller) -> MeBody:
    """`caller` under its public names."""
    return MeBody(
        tenant=caller.tenant,
        name=caller.name,
        rank=caller.rank,
        scopes=tuple(scope for scope in Scope if scope in caller.scopes),
    )


def key_fields(key: ApiKey) -> dict[str, Any]:
    """`key` under its public names, for `KeyBody` and `NewKeyBody`."""
    return {
        "id": key.id,
        "name": key.name,
        "rank": Rank(key.rank),
        "scopes": tuple(scope for scope in Scope if scope in key.scopes),
        "created": format_time(key.created_ns),
        "created_by": key.created_by,
        "expires": _time(key.expires_ns),
        "revoked": _time(key.revoked_ns),
        "used": _time(key.used_ns),
    }


def audit_body(recorded: Recorded) -> AuditBody:
    """`recorded` under its public names."""
    entry = recorded.entry
    return AuditBody(
        at=format_time(recorded.at_ns),
        actor=entry.actor,
        action=entry.action,
        conversation=entry.conversation,
        details=dict(entry.details),
    )


def _time(ns: int | None) -> str | None:
    return None if ns is None else format_time(ns)
