"""Whether one modality of one participant may be analysed: a pure function of stated facts."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final, TypeVar

import msgspec

from inference.errors import AffectstreamError
from inference.labels import Modality, Role

PROFILES: Final = ("eu", "text-only", "research")


class ProfileError(AffectstreamError):
    """A profile that does not exist or does not read."""


class Permission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a profile allows, with the rule that it implements."""

    roles: tuple[Role, ...]
    modalities: tuple[Modality, ...]
    because: str
    notice: bool = True
    """Whether the participant must have been told."""
    regions: tuple[str, ...] = ()
    """Of the conversation, in which it holds; none named: wherever."""


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a profile forbids whatever else it says, with the rule that it implements."""

    roles: tuple[Role, ...]
    modalities: tuple[Modality, ...]
    because: str
    purposes: tuple[str, ...] = ()
    """Of the conversation, to which it applies; none named: whatever the purpose."""
    regions: tuple[str, ...] = ()
    """Of the conversation, in which it holds; none named: wherever."""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy as data."""

    about: str
    permissions: tuple[Permission, ...]
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a participant at one moment. None is unknown."""

    role: Role = Role.UNKNOWN
    notice: bool | None = None
    consent: bool | None = None
    purpose: str = "unknown"
    region: str = "unknown"

    def told(self, *, notice: bool | None, consent: bool | None) -> "Facts":
        """These facts with what was said since; None changes nothing."""
        return replace(
            self,
            notice=self.notice if notice is None else notice,
            consent=self.consent if consent is None else consent,
        )


class Basis(StrEnum):
    """What a decision rests on, in one word: it is counted where nobody may be named."""

    CONSENT = "consent"
    """Refused or withdrawn."""
    REFUSAL = "refusal"
    """A clause of the profile forbids it."""
    NO_PERMISSION = "no_permission"
    """No clause of the profile permits it."""
    NO_NOTICE = "no_notice"
    """It would be permitted to those who were told."""
    PERMISSION = "permission"
    """It is allowed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not, and why."""

    allowed: bool
    reason: str
    basis: Basis


@cache
def load_profile(name: str) -> Profile:
    """Read a shipped profile.

    Raises ProfileError naming those there are.
    """
    if name not in PROFILES:
        raise ProfileError(f"policy {name!r}: there are {', '.join(PROFILES)}")
    text = (files("streams.policy") / "profiles" / f"{name}.toml").read_text()
    return msgspec.convert(tomllib.loads(text), Profile)


def decide(profile: Profile, modality: Modality, facts: Facts) -> Decision:
    """Apply a profile to what is known.

    Refused consent comes first, then refusals, then permissions; what no permission names
    is not allowed.
    """
    if facts.consent is False:
        return Decision(allowed=False, reason="consent refused or withdrawn", basis=Basis.CONSENT)
    refusals = [
        item for item in profile.refusals if not item.purposes or facts.purpose in item.purposes
    ]
    refusal = _first(refusals, modality, facts)
    if refusal is not None:
        return Decision(allowed=False, reason=refusal.because, basis=Basis.REFUSAL)
    permission = _first(profile.permissions, modality, facts)
    if permission is None:
        return Decision(
            allowed=False,
            reason=f"the profile permits no {modality} of role {facts.role}",
            basis=Basis.NO_PERMISSION,
        )
    if permission.notice and not facts.notice:
        return Decision(
            allowed=False,
            reason=f"no notice given; {permission.because}",
            basis=Basis.NO_NOTICE,
        )
    return Decision(allowed=True, reason=permission.because, basis=Basis.PERMISSION)


Clause = TypeVar("Clause", Permission, Refusal)


def _first(clauses: Sequence[Clause], modality: Modality, facts: Facts) -> Clause | None:
    matching = (
        item
        for item in clauses
        if facts.role in item.roles
        and modality in item.modalities
        and (not item.regions or facts.region in item.regions)
    )
    return next(matching, None)
