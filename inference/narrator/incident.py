"""The record of an incident: all that a narrator may speak of, every item with an id.

Times are nanoseconds since the conversation began, so that a record says neither when nor
where. Strings in a record are data: whatever a transcript says, it is quoted or left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from inference.errors import AffectstreamError
from inference.labels import Emotion, Modality, Role

MOST_EVIDENCE: Final = 64
MOST_WINDOWS: Final = 24
MOST_CUES: Final = 16
MOST_SPANS: Final = 12
MOST_FIGURES: Final = 12
"""Together `MOST_EVIDENCE`: what the model's reader holds."""


class CrowdedRecordError(AffectstreamError):
    """More evidence than a record holds, or two items with one id."""


class Kind(StrEnum):
    """What a record is about."""

    ALERT = "alert"
    """One participant while one rule fired."""
    CONVERSATION = "conversation"
    """One participant of one conversation."""
    SHIFT = "shift"
    """Many conversations, in figures."""


class FigureName(StrEnum):
    """What a figure counts or measures."""

    PEAK = "peak"
    """Highest probability of distress, a share."""
    DWELL_S = "dwell_s"
    """How long it lasted, seconds."""
    WINDOWS = "windows"
    """Windows with a score."""
    DISTRESSED_SHARE = "distressed_share"
    """Of windows, in which distress was at least twice its base rate."""
    ABSTAINED_SHARE = "abstained_share"
    """Of windows, on which no emotion was named."""
    LABELLED_SHARE = "labelled_share"
    """Of windows, that were called by `Figure.label`."""
    CONVERSATIONS = "conversations"
    ALERTS = "alerts"
    HOURS = "hours"
    """Of scored conversation."""


SHARES: Final = frozenset(
    {
        FigureName.PEAK,
        FigureName.DISTRESSED_SHARE,
        FigureName.ABSTAINED_SHARE,
        FigureName.LABELLED_SHARE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFact:
    """One scored window `[start_ns, end_ns)`.

    Attributes:
        label: the decision, None where abstained.
        emotions: probabilities; empty where nothing was present.
        distress: calibrated probability, not smoothed.
        set: labels that may not be ruled out.
        weights: shares of the present modalities in the score; empty where nothing was present.
        change: of the voice against its owner's usual one, standard deviations.
    """

    id: str
    start_ns: int
    end_ns: int
    label: Emotion | None
    emotions: Mapping[Emotion, float] = field(default_factory=dict)
    distress: float | None = None
    set: tuple[Emotion, ...] = ()
    weights: Mapping[Modality, float] = field(default_factory=dict)
    vacuity: float = 1.0
    conflict: float = 0.0
    change: float | None = None

    @property
    def abstained(self) -> bool:
        """Whether no emotion is named."""
        return self.label is None


@dataclass(frozen=True, slots=True, kw_only=True)
class CueFact:
    """One computed reason. `text` is as the score has it."""

    id: str
    modality: Modality
    text: str
    at_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFact:
    """Words of the participant, in a record only where policy keeps transcripts."""

    id: str
    start_ns: int
    end_ns: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number about the whole record."""

    id: str
    name: FigureName
    value: float
    label: Emotion | None = None


Fact = WindowFact | CueFact | SpanFact | Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRecord:
    """What a narrator reads. Ids are `w1`, `c1`, `s1`, `f1` and so on, in the order of time.

    Raises CrowdedRecordError on construction with more than the evidence that fits.

    Attributes:
        rule: name of the alert rule; free text, told to nobody.
        metric: what the rule watches, a name of `docs/alerts.md`.
        participant: id of whom it is about; empty for a shift.
        windows: ascending.
        base_rate: of distress, that the scores are calibrated to.
    """

    kind: Kind
    rule: str = ""
    metric: str = ""
    severity: str = ""
    role: Role = Role.UNKNOWN
    participant: str = ""
    windows: tuple[WindowFact, ...] = ()
    cues: tuple[CueFact, ...] = ()
    spans: tuple[SpanFact, ...] = ()
    figures: tuple[Figure, ...] = ()
    base_rate: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what the reader cannot hold and what a citation could not name."""
        for name, items, most in (
            ("windows", self.windows, MOST_WINDOWS),
            ("cues", self.cues, MOST_CUES),
            ("spans", self.spans, MOST_SPANS),
            ("figures", self.figures, MOST_FIGURES),
        ):
            if len(items) > most:
                raise CrowdedRecordError(
                    f"{len(items)} {name}: a record holds at most {most}; leave out the weakest"
                )
        ids = [fact.id for fact in self.facts()]
        if len(set(ids)) < len(ids):
            twice = sorted({one for one in ids if ids.count(one) > 1})
            raise CrowdedRecordError(f"evidence ids {', '.join(twice)} name more than one item")

    def facts(self) -> Iterator[Fact]:
        """Every item of evidence."""
        yield from self.windows
        yield from self.cues
        yield from self.spans
        yield from self.figures

    def by_id(self) -> dict[str, Fact]:
        """Evidence by its id."""
        return {fact.id: fact for fact in self.facts()}
