"""What the pages beside Live and Conversation say, and the way in."""

from typing import Final

from streams.serving.dashboard.shell import words

SIGN_IN: Final = "Sign in"
SIGN_IN_LEAD: Final = "With an API key, or a token of your organisation's sign-in (OIDC)."
SIGN_IN_FIELD: Final = "API key or token"
SIGN_OUT: Final = "Sign out"
WRONG_KEY: Final = "The API does not take this key or token. It may be revoked or expired."
TOO_MANY: Final = "Too many attempts. Wait a minute, then try again."
FORM_OLD: Final = "This form was too old. Try again."
API_AWAY: Final = "The API does not answer, so nothing can be checked. Try again in a moment."

PAGES: Final = (
    ("Live", "/", False),
    ("Alerts", "/alerts", False),
    ("Search", "/search", False),
    ("Rules", "/rules", False),
    ("Trends", "/trends", False),
    ("Privacy", "/privacy", True),
    ("System", "/system", False),
)
"""Name, path, and whether only administrators see it."""

LOADING: Final = "<strong>Loading</strong>One moment."
NOT_OFFERED: Final = (
    "<strong>Not available</strong>The API that this page reads does not offer it. "
    "It may be an older version."
)
NOT_ALLOWED: Final = "<strong>Not for this account</strong>It takes the rank of an administrator."
STALE_SINCE: Final = "What is shown is from {at}: {why}"
SAVED: Final = "Saved."
HEARD: Final = (
    "An alert says that estimates stayed over a threshold. It is a reason to listen, "
    "never a finding about a person."
)

SEVERITY: Final = {"critical": "critical", "warning": "warning", "info": "for information"}
STATE: Final = {"firing": "firing", "resolving": "about to end", "resolved": "over"}
ENDED_BECAUSE: Final = {
    "recovered": "the estimate came back down",
    "ended": "the conversation ended",
    "quiet": "nothing was heard for long",
    "rule_changed": "the rule was changed",
    "withdrawn": "consent was withdrawn",
}
VERDICT: Final = {"right": "right", "wrong": "wrong", "unclear": "unclear"}
VERDICT_ASKED: Final = "Was this alert right?"
NO_ALERTS: Final = (
    "<strong>No open alert</strong>New ones appear here, and their number in the navigation."
)
NO_MATCH: Final = "<strong>Nothing matches</strong>No alert passes these filters."
KEYS: Final = "Keys: j and k move, a acknowledges, s snoozes for 15 minutes, o opens the call."
DEAD: Final = "Messages that could not be delivered"

NO_NEWS: Final = "no clear change"
WITHHELD: Final = "withheld: fewer than {floor} conversations, here or in a group beside it"
TOLD_OF_MANY: Final = "Told by {narrator} from the figures below and the alerts of this time."
AGENT_NOTE: Final = "By agent, figures show what their customers expressed, never the agent."

ERASE_WORD: Final = "erase"
ERASE_LEAD: Final = (
    "Deletes scores, evidence, alerts and messages of a conversation, or of every conversation "
    "of a subject. It cannot be undone. Kafka keeps raw records until the time on the receipt."
)
NOTHING_YET: Final = "Nothing yet."
METRIC: Final = {
    "distress": "distress",
    "smoothed": "smoothed distress",
    "arousal": "arousal",
    "valence": "valence",
    "conflict": "disagreement of voice, words and face",
    "change": "change against own baseline",
    "silence": "silence",
}


_MODALITY: Final[dict[str, str]] = {one.value: said for one, said in words.MODALITY.items()}
_ROLE: Final[dict[str, str]] = {one.value: said for one, said in words.ROLE.items()}


def modality(name: str) -> str:
    """A modality as the API writes it; one that is new stays as it is."""
    return _MODALITY.get(name, name)


def role(name: str) -> str:
    """The same of a role."""
    return _ROLE.get(name, name)


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 alert`, `2 alerts`."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"
