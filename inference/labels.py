"""The vocabulary: emotions, modalities, reasons of absence, and what distress means.

Order matters nowhere: labels travel by name. Where an array needs an order it is
`EMOTIONS`, which is alphabetical.
"""

from enum import StrEnum
from typing import Final


class Emotion(StrEnum):
    """How a listener would name what they hear and see."""

    ANGER = "anger"
    DISGUST = "disgust"
    FEAR = "fear"
    JOY = "joy"
    NEUTRAL = "neutral"
    SADNESS = "sadness"
    SURPRISE = "surprise"


EMOTIONS: Final = tuple(Emotion)

DISTRESS: Final = frozenset({Emotion.ANGER, Emotion.FEAR, Emotion.SADNESS, Emotion.DISGUST})
"""Emotions that a listener would call distress; the binary heads are trained on them."""

NOT_DISTRESS: Final = frozenset({Emotion.JOY, Emotion.NEUTRAL})
"""Their contrast. Surprise is in neither set: it is left out of training and headline figures."""

HIGH_AROUSAL: Final = frozenset({Emotion.ANGER, Emotion.JOY, Emotion.FEAR})
LOW_AROUSAL: Final = frozenset({Emotion.SADNESS, Emotion.NEUTRAL})


class Modality(StrEnum):
    """A channel of expression. Also the names of groups in fusion."""

    SPEECH = "speech"
    TEXT = "text"
    FACE = "face"


MODALITIES: Final = tuple(Modality)


class AbsenceReason(StrEnum):
    """Why a modality has no say in a window."""

    NO_CAMERA = "no_camera"
    """The participant never declared a video track, or it had no picture in this window."""
    NO_TRACK = "no_track"
    """The participant never declared an audio or transcript track."""
    NO_FACE = "no_face"
    """Frames arrived; the detector found nobody."""
    SILENCE = "silence"
    """The track is there; nothing was said in this window (and its look-back)."""
    NOT_PERMITTED = "not_permitted"
    """The policy gate dropped it before inference."""
    LATE = "late"
    """The track was given up for this window: its data had not come in time."""
    POOR_QUALITY = "poor_quality"
    UNDECODABLE = "undecodable"
    """Bytes arrived that no decoder could read."""
    FAILED = "failed"
    """The expert raised; the others were scored without it."""


class Role(StrEnum):
    """What a participant is in the conversation."""

    CUSTOMER = "customer"
    AGENT = "agent"
    BOT = "bot"
    UNKNOWN = "unknown"
