"""Who may be analysed, in which modality: decided before inference, and on record."""

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
]
