"""What a clause claims, apart from its words: the form that is checked against a record."""

from dataclasses import dataclass
from enum import StrEnum

from inference.labels import Emotion, Modality, Role
from inference.narrator.cues import CueKind
from inference.narrator.incident import FigureName


class Distress(StrEnum):
    """How often listeners would speak of distress."""

    LIKELY = "likely"
    """In most cases."""
    RAISED = "raised"
    """At least twice as often as the base rate."""
    USUAL = "usual"
    """Less than that."""


class Share(StrEnum):
    """How much of a score one modality carries."""

    MOST = "most"
    ALL = "all"


class Support(StrEnum):
    """How much the evidence decides, from `vacuity`."""

    FIRM = "firm"
    FAIR = "fair"
    THIN = "thin"


@dataclass(frozen=True, slots=True)
class Called:
    """Listeners would use this word. `strongest`: in the window with the most distress."""

    word: Emotion | Distress
    strongest: bool = False


@dataclass(frozen=True, slots=True)
class Unnamed:
    """No single emotion was named."""


@dataclass(frozen=True, slots=True)
class Disagree:
    """Modalities pointed in different directions."""


@dataclass(frozen=True, slots=True)
class Silent:
    """Neither voice nor words were there to be scored."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The record holds no window in which anything was present."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The voice was off its owner's usual one."""

    up: bool


@dataclass(frozen=True, slots=True)
class Cued:
    """A computed reason of this kind."""

    kind: CueKind


@dataclass(frozen=True, slots=True)
class Rests:
    """On which modality the score rests."""

    modality: Modality
    share: Share


@dataclass(frozen=True, slots=True)
class Sure:
    """How much the evidence decides."""

    support: Support


@dataclass(frozen=True, slots=True)
class Said:
    """These very words."""

    quote: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A figure, its value as it is written."""

    name: FigureName
    value: str
    label: Emotion | None = None


Claim = (
    Called | Unnamed | Disagree | Silent | Nothing | Moved | Cued | Rests | Sure | Said | Counted
)


@dataclass(frozen=True, slots=True)
class When:
    """Clock times since the conversation began, as written: a stretch, or a moment."""

    begin: str
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One claim, of whom and when.

    Attributes:
        role: None where the clause names nobody.
        participant: an id that the clause spells out.
    """

    claim: Claim
    role: Role | None = None
    participant: str | None = None
    when: When | None = None
