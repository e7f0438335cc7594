"""What somebody might call a moment: captions to learn from, in many words for the same thing.

Everything in a caption was measured or labelled: the label, thirds of the voice's measures,
the parts of the face that move, the words said. Nothing is made up about why.
"""

import random
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from inference.evidence import Prosody
from inference.labels import Emotion


class Third(IntEnum):
    """Where a measure lies among those of the training data."""

    LOW = 0
    MIDDLE = 1
    HIGH = 2


class Measure(IntEnum):
    """What is measured of a voice, in the order of every array of measures."""

    EFFORT = 0
    PITCH = 1
    MELODY = 2
    PACE = 3


MEASURES: Final = tuple(Measure)


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a moment; what is not known, or not to be said, is None or empty."""

    label: Emotion | None = None
    thirds: tuple[Third | None, ...] = (None,) * len(MEASURES)
    """In the order of `Measure`."""
    actions: tuple[str, ...] = ()
    """Parts of the face that move, in words: "lips pressed"."""
    words: str = ""


def measures_of(prosody: Prosody | None) -> tuple[float | None, ...]:
    """The measures of a voice in the order of `Measure`."""
    if prosody is None:
        return (None,) * len(MEASURES)
    return (
        prosody.effort_db,
        prosody.pitch_semitones,
        prosody.melody_semitones,
        prosody.pace_per_s,
    )


ADJECTIVES: Final = {
    Emotion.ANGER: ("angry", "furious", "mad", "annoyed", "irritated", "outraged", "frustrated"),
    Emotion.DISGUST: ("disgusted", "repelled", "grossed out", "sickened", "contemptuous"),
    Emotion.FEAR: ("afraid", "scared", "frightened", "anxious", "worried", "nervous", "terrified"),
    Emotion.JOY: ("happy", "glad", "cheerful", "delighted", "excited", "pleased", "joyful"),
    Emotion.NEUTRAL: ("neutral", "calm", "matter of fact", "even", "relaxed", "bored"),
    Emotion.SADNESS: ("sad", "unhappy", "down", "sorry", "disappointed", "depressed", "hurt"),
    Emotion.SURPRISE: ("surprised", "astonished", "amazed", "startled", "confused", "shocked"),
}
NOUNS: Final = {
    Emotion.ANGER: ("anger", "rage", "annoyance", "fury"),
    Emotion.DISGUST: ("disgust", "contempt", "revulsion"),
    Emotion.FEAR: ("fear", "worry", "anxiety", "panic"),
    Emotion.JOY: ("joy", "happiness", "excitement", "delight"),
    Emotion.NEUTRAL: ("calm", "no emotion", "nothing special"),
    Emotion.SADNESS: ("sadness", "grief", "sorrow", "disappointment"),
    Emotion.SURPRISE: ("surprise", "amazement", "astonishment"),
}
_WHO: Final = (
    "customer",
    "caller",
    "client",
    "speaker",
    "person",
    "agent",
    "somebody",
    "he",
    "she",
)
_FELT: Final = (
    "{who} is {adjective}",
    "{who} sounds {adjective}",
    "sounds {adjective}",
    "seems {adjective}",
    "{adjective} {who}",
    "{adjective} voice",
    "{who} feels {adjective}",
    "{adjective}",
    "{noun}",
    "{noun} in the voice",
    "full of {noun}",
    "{who} shows {noun}",
)
VOICED: Final = {
    (Measure.EFFORT, Third.HIGH): (
        "raised voice", "loud voice", "loud", "shouting", "speaks loud", "yelling", "yells",
        "strong voice", "screaming",
    ),
    (Measure.EFFORT, Third.MIDDLE): ("normal volume", "ordinary voice", "neither loud nor quiet"),
    (Measure.EFFORT, Third.LOW): (
        "quiet voice", "quiet", "soft voice", "speaks softly", "speaks quietly", "whisper",
        "gentle voice",
    ),
    (Measure.PITCH, Third.HIGH): ("high pitch", "high voice", "high pitched", "shrill voice"),
    (Measure.PITCH, Third.MIDDLE): ("medium pitch", "middle pitch"),
    (Measure.PITCH, Third.LOW): ("low pitch", "deep voice", "low pitched", "dark voice"),
    (Measure.MELODY, Third.HIGH): (
        "animated voice", "expressive", "vivid", "sing song voice", "lively",
    ),
    (Measure.MELODY, Third.MIDDLE): ("natural voice", "ordinary tone"),
    (Measure.MELODY, Third.LOW): ("flat voice", "monotone", "monotonous", "dull voice"),
    (Measure.PACE, Third.HIGH): ("fast", "speaks fast", "quick", "talks quickly", "hurried"),
    (Measure.PACE, Third.MIDDLE): ("normal speed", "regular pace"),
    (Measure.PACE, Third.LOW): ("slow", "speaks slowly", "slowly", "drawn out", "hesitant"),
}  # fmt: skip
_SAID: Final = (
    "{words}",
    'says "{words}"',
    "says {words}",
    "asks for {words}",
    "talks about {words}",
    "mentions {words}",
    'in the words: "{words}"',
)
_JOINTS: Final = (", ", " and ", "; ", " ", " with ")


def caption(description: Description, chance: random.Random) -> str:
    """One way to put `description`: its parts in any order and in any of their words.

    Args:
        description: what to say; nothing at all gives an empty line.
        chance: decides; the same state gives the same caption.
    """
    clauses = [
        chance.choice(VOICED[measure, third])
        for measure, third in zip(MEASURES, description.thirds, strict=True)
        if third is not None
    ]
    if description.label is not None:
        clauses.append(
            chance.choice(_FELT).format(
                who=chance.choice(_WHO),
                adjective=chance.choice(ADJECTIVES[description.label]),
                noun=chance.choice(NOUNS[description.label]),
            )
        )
    clauses += description.actions
    if description.words:
        clauses.append(chance.choice(_SAID).format(words=description.words))
    chance.shuffle(clauses)
    said = clauses[0] if clauses else ""
    for clause in clauses[1:]:
        said += chance.choice(_JOINTS) + clause
    return said


def plain_caption(description: Description) -> str:
    """The one caption of `description` without chance: its first words in a fixed order."""
    clauses = [
        VOICED[measure, third][0]
        for measure, third in zip(MEASURES, description.thirds, strict=True)
        if third is not None
    ]
    if description.label is not None:
        clauses.append(f"sounds {ADJECTIVES[description.label][0]}")
    clauses += description.actions
    if description.words:
        clauses.append(f'says "{description.words}"')
    return ", ".join(clauses)
