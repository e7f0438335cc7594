"""What the page *Privacy* says of decisions, consents and receipts. Pure."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from streams.serving.dashboard.privacy.client import Consent, Erasure, PolicyDecision
from streams.serving.dashboard.shell import desk_words, words

KINDS: Final = {"conversation": "One conversation", "subject": "All of one subject"}


def decision_said(one: PolicyDecision) -> str:
    """What was decided, in a word; never by colour alone."""
    return "allowed" if one.allowed else "refused"


def together(found: Iterable[PolicyDecision]) -> list[tuple[PolicyDecision, str]]:
    """Decisions that differ in the modality only as one, with their modalities in words."""
    groups: dict[PolicyDecision, list[str]] = {}
    for one in found:
        of_one = groups.setdefault(replace(one, modality=""), [])
        of_one.append(desk_words.modality(one.modality))
    return [(one, ", ".join(modalities)) for one, modalities in groups.items()]


def facts_said(one: PolicyDecision) -> str:
    """What it was decided from."""
    facts = one.facts
    named = {
        "role": facts.role,
        "region": facts.region,
        "purpose": facts.purpose,
        "notice": facts.notice,
        "consent": facts.consent,
    }
    parts = [f"{name} {answer(value)}" for name, value in named.items() if value is not None]
    return ", ".join(parts)


def answer(value: bool | str | None) -> str:  # noqa: FBT001 - as the API says it
    """Yes, no, or the word that was used."""
    if value is None:
        return words.NONE
    if isinstance(value, str):
        return value
    return "yes" if value else "no"


def participant_said(participant: str) -> str:
    """Who it is about; `-` is everybody of the conversation."""
    return "everybody" if participant == "-" else participant


def deleted(one: Consent) -> str:
    """What a withdrawal deleted."""
    if one.deleted_windows is None:
        return words.NONE
    return desk_words.counted(one.deleted_windows, "window")


def receipt(one: Erasure) -> str:
    """What an erasure deleted, row by row."""
    parts = [desk_words.counted(one.conversations, "conversation")]
    parts += [
        f"{count} {table.replace('_', ' ')}"
        for table, count in one.rows.items()
        if count and table != "conversations"
    ]
    parts.append(f"{desk_words.counted(one.keys, 'key')} of the cache")
    return ", ".join(parts)


def may_erase(name: str, typed: str) -> str:
    """Why nothing is deleted yet; empty where it may begin."""
    if not name.strip():
        return "say what to erase"
    if typed.strip().lower() != f"{desk_words.ERASE_WORD} {name.strip()}".lower():
        return f"type: {desk_words.ERASE_WORD} {name.strip()}"
    return ""
