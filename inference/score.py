"""The score of one window: the value that is stored, counted, shown and alerted on.

Times are integers of nanoseconds here; the public JSON with RFC 3339 times is
`inference.contract`.
"""

import uuid
from typing import Final

import msgspec

from inference.evidence import Quality
from inference.labels import AbsenceReason, Emotion, Modality, Role

SCORE_NAMESPACE: Final = uuid.UUID("6c1e1b5e-7a51-5d0e-9a3e-5f2b8f6c9d10")
DECIMALS: Final = 4
"""Scores are rounded to 1e-4 before state, alerts and storage: equality across replays needs it."""


class Distress(msgspec.Struct, frozen=True, kw_only=True):
    """Calibrated probability that a listener would call the participant distressed."""

    probability: float
    smoothed: float
    """Exponential smoothing over the participant's earlier windows; raw is always kept."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said in one word, if anything may."""

    label: Emotion | None
    set: tuple[Emotion, ...]
    """Conformal set: holds the listener's label with probability `coverage`."""
    coverage: float
    abstained: bool


class ModalityReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a modality had a say in this score, and how much."""

    present: bool
    weight: float | None = None
    """Share of the fused evidence; the weights of present modalities sum to 1."""
    quality: Quality | None = None
    reason: AbsenceReason | None = None


class CueReport(msgspec.Struct, frozen=True, kw_only=True):
    """One computed reason behind the score."""

    modality: Modality
    cue: str
    at_ns: int | None = None


class ContextReport(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate given the participant's earlier windows; the raw one stands beside it."""

    emotions: dict[Emotion, float]
    distress: float | None = None


class Expectation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the other modalities of a window let expect of one.

    Each is None where it does not apply.
    """

    would_change: float | None = None
    """Of an absent modality: how likely the decision would be another one with it, in [0, 1]."""
    surprise: float | None = None
    """Of a present one: its distance from what was expected, 1 at the edge of what nine in ten
    stay within."""


class Versions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What made this score; a replay under other versions is another run."""

    scorer: str
    calibration: str
    fusion: str
    config: str
    methods: dict[str, str] = {}
    """Version by name of every optional method that was switched on."""


class WindowScore(msgspec.Struct, frozen=True, kw_only=True):
    """The fused result of one window `[start_ns, end_ns)` of one participant.

    With nothing present `emotions`, `distress`, `arousal`, `valence` and
    `decision.label` are None, `decision.abstained` is True and `vacuity` is 1.
    """

    tenant: str
    run: str
    conversation: str
    participant: str
    role: Role
    start_ns: int
    end_ns: int
    final: bool
    emotions: dict[Emotion, float] | None
    distress: Distress | None
    arousal: float | None
    valence: float | None
    decision: Decision
    modalities: dict[Modality, ModalityReport]
    conflict: float
    """Jensen-Shannon divergence of the present modalities, nats."""
    vacuity: float
    """1 where nothing supports any label, towards 0 with strong evidence."""
    evidence: tuple[CueReport, ...]
    versions: Versions
    partial: bool = False
    shed: tuple[str, ...] = ()
    change: float | None = None
    """How far the voice is from the participant's own usual one, in standard deviations,
    smoothed; above 0 towards arousal. None without speech, or while too little was heard."""
    context: ContextReport | None = None
    """Only where a context is switched on and the window is scored."""
    expected: dict[Modality, Expectation] = {}
    """Only where imputation is switched on."""

    @property
    def shares(self) -> dict[Modality, float]:
        """Weight of each modality that had any say."""
        return {
            modality: report.weight
            for modality, report in self.modalities.items()
            if report.present and report.weight
        }

    @property
    def id(self) -> uuid.UUID:
        """The same window of the same run always has the same id."""
        key = (
            f"{self.tenant}/{self.run}/score/{self.conversation}/{self.participant}/{self.start_ns}"
        )
        return uuid.uuid5(SCORE_NAMESPACE, key)


class UsualMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of a participant's voice over what was heard so far."""

    mean: float = 0.0
    variance: float = 0.0
    """Between windows."""
    seconds: float = 0.0
    """Of speech that taught it, up to the first minute."""


class UsualVoice(msgspec.Struct, frozen=True, kw_only=True):
    """What a participant's voice is usually like, see `inference.experts.own_voice`."""

    heard_until_ns: int = 0
    """Speech before this was counted."""
    measures: dict[str, UsualMeasure] = {}
    """By the name of a field of `inference.evidence.Prosody`."""


class ParticipantState(msgspec.Struct, frozen=True, kw_only=True):
    """What scoring carries from one final window to the next: numbers only.

    Stored with `progress`, so a new owner goes on exactly where the old one stopped. Fields
    are appended with defaults: what an older version stored is still read.
    """

    version: int = 1
    smoothed_distress: float | None = None
    smoothed_at_ns: int = 0
    smoothed_change: float | None = None
    changed_at_ns: int = 0
    """End of the window that `smoothed_change` is of."""
    voice: UsualVoice | None = None
    context: bytes = b""
    """What the method of context carries on; opaque here."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ParticipantState)


def encode_state(state: ParticipantState) -> bytes:
    """Serialise for the progress row."""
    return _encoder.encode(state)


def decode_state(data: bytes) -> ParticipantState:
    """Inverse of `encode_state`. Raises msgspec.ValidationError on foreign bytes."""
    return _decoder.decode(data)
