"""Who may be analysed, in which modality: decided before inference, and on record."""

from collections.abc import Callable, Mapping

from streams.policy.decision import (
    PROFILES,
    Basis,
    Decision,
    Facts,
    ProfileError,
    decide,
    load_profile,
)
from streams.policy.gate import ConversationGate, Verdict

__all__ = [
    "PROFILES",
    "Basis",
    "ConversationGate",
    "Decision",
    "Facts",
    "ProfileError",
    "Verdict",
    "decide",
    "load_profile",
    "new_gate",
]


def new_gate(
    profile: str, of_tenant: Mapping[str, str] | None = None
) -> Callable[[str], ConversationGate]:
    """Makes a gate for each conversation of a tenant, under shipped profiles.

    Args:
        profile: of every tenant that `of_tenant` does not name.
        of_tenant: profiles by tenant.

    Raises ProfileError naming those there are.
    """
    named = dict(of_tenant or {})
    loaded = {name: load_profile(name) for name in {profile, *named.values()}}

    def make(tenant: str) -> ConversationGate:
        name = named.get(tenant, profile)
        return ConversationGate(loaded[name], name)

    return make
