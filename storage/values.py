"""The values that cross the border of storage: plain, frozen, without a session behind them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.labels import Modality, Role
from inference.score import WindowScore

LIVE_RUN = "live"
EVERYBODY = "-"
"""Named as the participant where something is about the whole conversation."""


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
    alerts: bytes = b""
    """What the alert rules carry to the next window; opaque here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConversation:
    """What the database holds of a conversation under one run; empty if it holds nothing."""

    started_ns: int | None = None
    ended_ns: int | None = None
    progress: Mapping[str, Progress] = field(default_factory=dict)
    """By participant."""
    erased: bool = False
    """It was erased: what of it still comes is neither scored nor kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What policy decided on one modality of one participant, from `at_ns` on."""

    participant: str
    modality: Modality
    at_ns: int
    allowed: bool
    reason: str
    profile: str
    facts: Mapping[str, str | None]
    """What it was decided on: `role`, `region`, `purpose`, `notice`, `consent`."""
    basis: str = field(default="", compare=False)
    """In one word, for counting; not stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChange:
    """What was said of consent and notice at one moment; None where nothing was said."""

    participant: str
    """`-` where it was said of everybody."""
    at_ns: int
    consent: str | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyNews:
    """All that policy knows of a conversation; stored once, however often it is told."""

    key: ConversationKey
    run: str
    rulings: tuple[Ruling, ...]
    consents: tuple[ConsentChange, ...]
    """Ascending."""
    passed: Mapping[str, int]
    """Of each participant the end of the last window that is stored or skipped."""
    events: int
    """How many control events it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantFacts:
    """What control said about a participant; frozen at the first storing transaction."""

    participant: str
    role: Role
    joined_ns: int
    subject: str | None = None
    """Keyed digest of who it is."""


class AlertState(StrEnum):
    """Where a rule stands with a participant; a transition names the state that begins."""

    OK = "ok"
    PENDING = "pending"
    """Over the threshold, not yet for as long as the rule asks."""
    FIRING = "firing"
    RESOLVING = "resolving"
    """Under the threshold, not yet for as long as the rule asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One step of one rule for one participant, with the windows that caused it."""

    alert: str
    """Of the whole course from pending to ok: UUIDv5 over its key and its first moment."""
    rule: str
    rule_version: int
    severity: str
    metric: str
    state: AlertState
    """The state that begins at `at_ns`."""
    before: AlertState
    at_ns: int
    """Event time: the end of the window that caused it."""
    pending_ns: int
    fired_ns: int | None
    """When it first fired; None before."""
    reason: str | None = None
    """Why it ended: `recovered`, `ended`, `quiet`, `rule_changed`, `withdrawn`."""
    value: float | None = None
    """Of the rule's metric in the window that caused it."""
    peak: float | None = None
    """Highest value since pending."""
    evidence: tuple[Mapping[str, Any], ...] = ()
    """Windows that caused it, newest last: `start_ns`, `value` and cues."""
    sinks: tuple[str, ...] = ()
    """Targets beside Kafka and the feed that the rule notifies, as deliveries name them."""

    @property
    def begins_alert(self) -> bool:
        """Whether the course fires for the first time: an alert is there from now on."""
        return self.state is AlertState.FIRING and self.before is not AlertState.RESOLVING


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
class Utterance:
    """Words of one participant in `[start_ns, end_ns)`, kept only where the settings say so."""

    participant: str
    segment: str
    start_ns: int
    end_ns: int
    text: str
    language: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredMoment:
    """The vector of one scored window, under which it is searched for."""

    start_ns: int
    end_ns: int
    vector: NDArray[np.float32]
    """(256,) of length one."""
    imputed: bool
    space: str
    """Version of the shared space: vectors of different ones are never compared."""


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
    transitions: tuple[Transition, ...] = ()
    """Of alert rules, caused by `scores`, in order."""
    traceparent: str | None = None
    """Of the span that scored them, for those who are told; None where nobody traces."""
    words: tuple[Utterance, ...] = ()
    """What `scores` were the first to see; empty unless transcripts are kept."""
    moments: tuple[StoredMoment, ...] = ()
    """Of those of `scores` that can be searched for."""
