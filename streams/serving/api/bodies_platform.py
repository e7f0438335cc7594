"""What the API answers to a platform."""

from typing import Literal

from msgspec import Struct


class Outcome(Struct, frozen=True):
    """What a check found."""

    name: str
    ok: bool
    reason: str | None = None


class AliveBody(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyBody(Struct, frozen=True, kw_only=True):
    """Every dependency answers."""

    status: Literal["ready"] = "ready"
    checks: tuple[Outcome, ...]
