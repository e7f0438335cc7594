"""How the service does, as the API tells it."""

import msgspec

from streams.serving.dashboard.asking import Asking


class DelayNow(msgspec.Struct, frozen=True):
    """From the end of a window to its stored score, seconds."""

    median: float
    max: float


class Stale(msgspec.Struct, frozen=True):
    """A running call without new scores."""

    conversation: str
    participant: str
    closed_until: str | None = None


class Share(msgspec.Struct, frozen=True):
    """Of the windows with this modality asked for, how many had it."""

    present: float = 0.0


class VersionsNow(msgspec.Struct, frozen=True):
    """What made the scores."""

    scorer: str
    calibration: str
    fusion: str
    config: str
    methods: dict[str, str] = {}
    windows: int = 0


class Queue(msgspec.Struct, frozen=True):
    """Messages to one target."""

    waiting: int = 0
    oldest_s: float | None = None
    dead: int = 0


class System(msgspec.Struct, frozen=True, kw_only=True):
    """The last 15 minutes of the caller's tenant."""

    now: str
    live: int = 0
    delay_s: DelayNow | None = None
    stale: tuple[Stale, ...] = ()
    modalities: dict[str, Share] = {}
    partial: float | None = None
    shed: dict[str, int] = {}
    abstained: float | None = None
    versions: tuple[VersionsNow, ...] = ()
    outbox: dict[str, Queue] = {}
    schema: str | None = None


async def system(asking: Asking) -> System:
    """How it is now."""
    return await asking.get("/v1/system", System)
