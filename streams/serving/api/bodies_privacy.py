"""What the API answers about policy: decisions, consents and erasures."""

from typing import Literal

from msgspec import Struct

from inference.contract import Time, format_time
from inference.labels import Modality, Role
from storage.consents import StoredConsent
from storage.decisions import StoredDecision
from storage.erasure import Receipt
from streams.serving.api.bodies import Cursor

__all__ = [
    "ConsentBody",
    "ConsentPage",
    "DecisionBody",
    "DecisionPage",
    "ErasurePage",
    "FactsBody",
    "Receipt",
    "consent_body",
    "decision_body",
]

Word = Literal["yes", "no"]


class FactsBody(Struct, frozen=True, kw_only=True):
    """What a decision was made on; null is unknown."""

    role: Role
    region: str | None = None
    purpose: str | None = None
    notice: Word | None = None
    consent: Word | None = None


class DecisionBody(Struct, frozen=True, kw_only=True):
    """Whether one modality of one participant may be analysed from `at` on, and why."""

    conversation: str
    participant: str
    modality: Modality
    at: Time
    allowed: bool
    reason: str
    """The rule that the profile implements."""
    profile: str
    facts: FactsBody


class DecisionPage(Struct, frozen=True, kw_only=True):
    """Decisions."""

    items: tuple[DecisionBody, ...]
    next: Cursor


class ConsentBody(Struct, frozen=True, kw_only=True):
    """What was said of consent and notice; participant `-` is everybody."""

    conversation: str
    participant: str
    at: Time
    consent: Word | None
    notice: Word | None
    deleted_windows: int
    """Stored windows that a withdrawal took."""


class ConsentPage(Struct, frozen=True, kw_only=True):
    """Consents, newest first."""

    items: tuple[ConsentBody, ...]
    next: Cursor


class ErasurePage(Struct, frozen=True, kw_only=True):
    """Receipts of erasures, newest first."""

    items: tuple[Receipt, ...]
    next: Cursor


def decision_body(one: StoredDecision) -> DecisionBody:
    """`one` under its public names."""
    ruling = one.ruling
    return DecisionBody(
        conversation=one.conversation,
        participant=ruling.participant,
        modality=ruling.modality,
        at=format_time(ruling.at_ns),
        allowed=ruling.allowed,
        reason=ruling.reason,
        profile=ruling.profile,
        facts=FactsBody(
            role=Role(ruling.facts.get("role") or Role.UNKNOWN),
            region=ruling.facts.get("region"),
            purpose=ruling.facts.get("purpose"),
            notice=_word(ruling.facts.get("notice")),
            consent=_word(ruling.facts.get("consent")),
        ),
    )


def consent_body(one: StoredConsent) -> ConsentBody:
    """`one` under its public names."""
    return ConsentBody(
        conversation=one.conversation,
        participant=one.change.participant,
        at=format_time(one.change.at_ns),
        consent=_word(one.change.consent),
        notice=_word(one.change.notice),
        deleted_windows=one.deleted_windows,
    )


def _word(text: str | None) -> Word | None:
    match text:
        case "yes" | "no":
            return text
        case _:
            return None
