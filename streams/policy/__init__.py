"""Who may be analysed, in which modality: decided before inference, and on record."""

from collections.abc import Callable

from streams.policy.decision import PROFILES, Decision, Facts, ProfileError, decide, load_profile
from streams.policy.gate import ConversationGate, Verdict

__all__ = [
    "PROFILES",
    "ConversationGate",
    "Decision",
    "Facts",
    "ProfileError",
    "Verdict",
    "decide",
    "load_profile",
    "new_gate",
]


def new_gate(profile: str) -> Callable[[], ConversationGate]:
    """Makes a gate for each conversation, under a shipped profile.

    Raises ProfileError naming those there are.
    """
    loaded = load_profile(profile)
    return lambda: ConversationGate(loaded)
