"""What `/v1/system` answers, as types."""

from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import asdict

from inference.contract import Share, Time, format_time
from inference.labels import Modality
from inference.units import SECOND_NS
from storage.system import Stale, SystemState, Waiting

LATELY_NS: Final = 15 * 60 * SECOND_NS
"""What shares and counts are of: long enough for shares, short enough to be now."""
DIGITS: Final = 4
Seconds = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=0)]


class DelayBody(Struct, frozen=True, kw_only=True):
    """How far scores are behind what happens now."""

    median: Seconds
    max: Seconds


class StaleBody(Struct, frozen=True, kw_only=True):
    """Somebody in a live conversation whose windows stand still for a minute."""

    conversation: str
    participant: str
    closed_until: Time


class VersionBody(Struct, frozen=True, kw_only=True):
    """How many windows these versions scored."""

    scorer: str
    calibration: str
    fusion: str
    config: str
    methods: dict[str, str]
    """Versions of what was switched on beside them."""
    windows: Count


class WaitingBody(Struct, frozen=True, kw_only=True):
    """What one sink still has to take of this tenant."""

    waiting: Count
    oldest_s: Seconds | None
    dead: Count
    """Given up: see `GET /v1/deliveries?dead=true`."""


class SystemBody(Struct, frozen=True, kw_only=True):
    """The caller's tenant over the last 15 minutes."""

    now: Time
    since: Time
    live: Count
    """Conversations that run."""
    windows: Count
    """Final windows, of which the shares are."""
    delay_s: DelayBody | None
    stale: tuple[StaleBody, ...]
    modalities: dict[Modality, dict[str, Share]]
    """Share of windows by `present` or the reason of absence."""
    partial: Share
    shed: dict[str, Count]
    """Windows that overload cost something, by step."""
    abstained: Share
    versions: tuple[VersionBody, ...]
    outbox: dict[str, WaitingBody]
    schema: str | None
    """Revision of the database."""


def system_body(state: SystemState, now_ns: int, schema: str | None) -> SystemBody:
    """`state` under its public names, counts as shares."""
    delay = state.delay
    return SystemBody(
        now=format_time(now_ns),
        since=format_time(now_ns - LATELY_NS),
        live=state.live,
        windows=state.windows,
        delay_s=None
        if delay is None
        else DelayBody(median=round(delay.median_s, 1), max=round(delay.max_s, 1)),
        stale=tuple(_stale(item) for item in state.stale),
        modalities={
            Modality(name): _shares(outcomes) for name, outcomes in state.modalities.items()
        },
        partial=_share(state.partial, state.windows),
        shed=dict(state.shed),
        abstained=_share(state.abstained, state.windows),
        versions=tuple(
            VersionBody(**asdict(item.versions), windows=item.windows) for item in state.versions
        ),
        outbox={sink: _waiting(item, now_ns) for sink, item in state.outbox.items()},
        schema=schema,
    )


def _stale(item: Stale) -> StaleBody:
    return StaleBody(
        conversation=item.conversation,
        participant=item.participant,
        closed_until=format_time(item.closed_until_ns),
    )


def _waiting(item: Waiting, now_ns: int) -> WaitingBody:
    oldest_ns = item.oldest_ns
    return WaitingBody(
        waiting=item.waiting,
        oldest_s=None if oldest_ns is None else round(max(now_ns - oldest_ns, 0) / SECOND_NS, 1),
        dead=item.dead,
    )


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: _share(count, total) for name, count in sorted(counts.items())}


def _share(count: int, total: int) -> float:
    return round(count / total, DIGITS) if total else 0.0
