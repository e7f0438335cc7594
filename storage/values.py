"""The values that cross the border of storage: plain, frozen, without a session behind them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.labels import Role
from inference.score import WindowScore

LIVE_RUN = "live"


@dataclass(frozen=True, slots=True, order=True)
class ConversationKey:
    """Names one conversation."""

    tenant: str
    conversation: str


@dataclass(frozen=True, slots=True, order=True)
class ParticipantKey:
    """Names one participant of one conversation under one run."""

    tenant: str
    run: str
    conversation: str
    participant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a participant is scored: one row, compared and set with every batch."""

    closed_until_ns: int
    """Every window ending at or before this is stored; later ones are not."""
    flushed_until_ns: int = 0
    """Look-back of later windows never reaches behind this."""
    state: bytes = b""
    """`inference.score.encode_state`; opaque here."""
    state_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConversation:
    """What the database holds of a conversation under one run; empty if it holds nothing."""

    started_ns: int | None = None
    ended_ns: int | None = None
    progress: Mapping[str, Progress] = field(default_factory=dict)
    """By participant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantFacts:
    """What control said about a participant; frozen at the first storing transaction."""

    participant: str
    role: Role
    joined_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFacts:
    """What control said about a conversation; queue, role and language freeze at `started`."""

    tenant: str
    conversation: str
    queue: str = "unknown"
    language: str = "und"
    region: str = "unknown"
    purpose: str = "unknown"
    channel: str = "unknown"
    started_ns: int
    ended_ns: int | None = None
    """None while it runs."""
    participants: tuple[ParticipantFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantBatch:
    """New final scores of one participant, and the progress they were built on."""

    key: ParticipantKey
    expected: Progress | None
    """The row this batch was built on; None if there was none. Anything else in the
    database rejects the batch: somebody else stored in between."""
    progress: Progress
    scores: tuple[WindowScore, ...]
    """Ascending, each ending after `expected.closed_until_ns`."""
    conversation: ConversationFacts
