"""EmotionML 1.0 (W3C Recommendation, 22 May 2014).

One `<emotion>` a window. `confidence` of a category is the probability that a listener would
name it; `value` of a dimension is its place on the scale, 0 to 1. Dimensions are the W3C's
own vocabulary. None of its category sets has a neutral state, so ours stands in the document.
"""

from collections.abc import AsyncIterator
from typing import Final
from xml.sax.saxutils import quoteattr

from inference.labels import EMOTIONS, MODALITIES, Modality
from inference.score import WindowScore
from inference.units import MS_NS
from streams.serving.exports.source import Source

NAMESPACE: Final = "http://www.w3.org/2009/10/emotionml"
DIMENSIONS: Final = "http://www.w3.org/TR/emotion-voc/xml#fsre-dimensions"
"""Valence, potency, arousal, unpredictability (Fontaine and others 2007); we use two of them."""
CATEGORIES: Final = "listeners"
"""Id of our vocabulary within the document."""
OURS: Final = "urn:affectstream:window:1"
"""Namespace of what EmotionML has no place for."""
CHANNELS: Final = {Modality.SPEECH: "voice", Modality.TEXT: "text", Modality.FACE: "face"}
"""Names that the specification proposes for `expressed-through`."""


async def encode(source: Source) -> AsyncIterator[bytes]:
    """The document; times are milliseconds since the epoch.

    A window with nothing to go by is left out: an `<emotion>` must describe one.
    """
    items = "".join(f"<item name={quoteattr(emotion)}/>" for emotion in EMOTIONS)
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<emotionml version="1.0" xmlns="{NAMESPACE}" xmlns:as="{OURS}"'
        f' category-set="#{CATEGORIES}" dimension-set="{DIMENSIONS}">\n'
        f"<info><as:conversation{_attributes(id=source.conversation, run=source.run)}/></info>\n"
        f'<vocabulary type="category" id="{CATEGORIES}">{items}</vocabulary>\n'
    ).encode()
    async for page in source.pages:
        yield "".join(_emotion(score) for score in page).encode()
    yield b"</emotionml>\n"


def _emotion(score: WindowScore) -> str:
    if score.emotions is None:
        return ""
    through = " ".join(
        CHANNELS[modality]
        for modality in MODALITIES
        if modality in score.modalities and score.modalities[modality].present
    )
    window = _attributes(
        participant=score.participant,
        role=score.role.value,
        distress=None if score.distress is None else f"{score.distress.probability:.4f}",
        label=score.decision.label,
        vacuity=f"{score.vacuity:.4f}",
    )
    times = _attributes(start=str(score.start_ns // MS_NS), end=str(score.end_ns // MS_NS))
    categories = "".join(
        f"<category{_attributes(name=emotion, confidence=f'{share:.4f}')}/>"
        for emotion, share in score.emotions.items()
    )
    dimensions = {
        "arousal": score.arousal,
        "valence": None if score.valence is None else (score.valence + 1) / 2,
    }
    placed = "".join(
        f"<dimension{_attributes(name=name, value=f'{value:.4f}')}/>"
        for name, value in dimensions.items()
        if value is not None
    )
    channels = _attributes(**{"expressed-through": through or None})
    return (
        f"<emotion{times}{channels}><info><as:window{window}/></info>{categories}{placed}"
        "</emotion>\n"
    )


def _attributes(**values: str | None) -> str:
    return "".join(
        f" {name}={quoteattr(value)}" for name, value in values.items() if value is not None
    )
