"""What kind of cue a score names: the words of a cue are never repeated, only its kind."""

import re
from enum import StrEnum
from typing import Final

from inference.labels import Modality


class CueKind(StrEnum):
    """Everything that the experts of this product compute as a reason."""

    PITCH_UP = "pitch_up"
    PITCH_DOWN = "pitch_down"
    LIVELIER = "livelier"
    FLATTER = "flatter"
    LOUDER = "louder"
    SOFTER = "softer"
    FASTER = "faster"
    SLOWER = "slower"
    COMPLAINT = "complaint"
    WORRY = "worry"
    LOSS = "loss"
    CALM = "calm"
    ANGRY_WORDS = "angry_words"
    DISGUSTED_WORDS = "disgusted_words"
    FEARFUL_WORDS = "fearful_words"
    GLAD_WORDS = "glad_words"
    SAD_WORDS = "sad_words"
    SURPRISED_WORDS = "surprised_words"
    DISTRESSED_WORDS = "distressed_words"
    SMILE = "smile"
    WIDE_OPEN = "wide_open"
    OTHER = "other"
    """A quotation, or a cue of somebody else's expert: there, and not put into words."""


_PATTERNS: Final = {
    Modality.SPEECH: (
        (r"pitch \+[\d.]+ sd against own .*", CueKind.PITCH_UP),
        (r"pitch -[\d.]+ sd against own .*", CueKind.PITCH_DOWN),
        (r"melody livelier [+-][\d.]+ sd against own .*", CueKind.LIVELIER),
        (r"melody flatter [+-][\d.]+ sd against own .*", CueKind.FLATTER),
        (r"voice raised [+-][\d.]+ sd against own .*", CueKind.LOUDER),
        (r"voice softer [+-][\d.]+ sd against own .*", CueKind.SOFTER),
        (r"speech faster [+-][\d.]+ sd against own .*", CueKind.FASTER),
        (r"speech slower [+-][\d.]+ sd against own .*", CueKind.SLOWER),
        (r"raised voice \([+-][\d.]+ sd of effort .*\)", CueKind.LOUDER),
        (r"soft voice \([+-][\d.]+ sd of effort .*\)", CueKind.SOFTER),
    ),
    Modality.TEXT: (
        (r"complaint phrase", CueKind.COMPLAINT),
        (r"phrase of worry", CueKind.WORRY),
        (r"phrase of loss", CueKind.LOSS),
        (r"calm phrase", CueKind.CALM),
        (r"words of anger", CueKind.ANGRY_WORDS),
        (r"words of disgust", CueKind.DISGUSTED_WORDS),
        (r"words of fear", CueKind.FEARFUL_WORDS),
        (r"words of joy", CueKind.GLAD_WORDS),
        (r"words of sadness", CueKind.SAD_WORDS),
        (r"words of surprise", CueKind.SURPRISED_WORDS),
        (r"words of distress", CueKind.DISTRESSED_WORDS),
    ),
    Modality.FACE: (
        (r"smiles", CueKind.SMILE),
        (r"eyes, jaw or brows wide open", CueKind.WIDE_OPEN),
    ),
}
_COMPILED: Final = {
    modality: tuple((re.compile(pattern), kind) for pattern, kind in patterns)
    for modality, patterns in _PATTERNS.items()
}


def kind_of(modality: Modality, text: str) -> CueKind:
    """Kind of a cue as scores name it; `OTHER` for any other text."""
    for pattern, kind in _COMPILED[modality]:
        if pattern.fullmatch(text):
            return kind
    return CueKind.OTHER
