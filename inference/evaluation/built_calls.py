"""Calls put together by code, so that who says what, how and when is known to the sample.

Voices are acted EmoDB sentences of the two speakers that no shipped weight has heard; words are
GoEmotions test lines of the same class. Voice and words of a turn never belonged together:
figures with words are a check of the code and no claim about calls.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.experts.text_features import as_recognised
from inference.labels import Emotion, Role
from inference.training.degrade import Samples
from inference.training.emodb import Clip
from inference.training.goemotions import Comments
from inference.training.speech_corpus import in_one_format
from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ

VOICES: Final = {Role.AGENT: "03", Role.CUSTOMER: "16"}
"""EmoDB speakers; by `HELD_OUT_SPEAKERS` strangers to everything that is shipped."""
TROUBLES: Final = (Emotion.ANGER, Emotion.FEAR, Emotion.SADNESS, Emotion.DISGUST)
"""What the customer of one call after the other is overcome by."""
GLAD_EVERY: Final = 5
"""Each fifth customer is delighted instead: just as loud, and not in distress."""
OPENING: Final = (Role.AGENT, Role.CUSTOMER) * 3
MIDDLE: Final = (Role.CUSTOMER, Role.CUSTOMER, Role.AGENT) * 2 + (Role.CUSTOMER, Role.CUSTOMER)
SETTLED: Final = (Role.AGENT, Role.CUSTOMER) * 2
WANDERING_SENTENCES: Final = 30
CALM_PASSAGES: Final = 0.5
"""Share of a wandering call's passages that are neutral."""
MOST_OF_A_MOOD: Final = 6
"""Sentences, one after the other."""
ANSWERED: Final = 0.4
"""How often the agent says something in between."""
MOST_CALM_SENTENCES: Final = 2
"""Of one calm turn, one after the other."""
PAUSE_S: Final = (0.2, 0.6)
PEAK: Final = 0.6
"""Every sentence is as loud as any other at its loudest: how near the microphone was tells nothing
of a call."""
SPOKEN_DB: Final = -35.0
"""A frame of 20 ms this far below the loudest of its sentence is no longer spoken."""
FRAME_SAMPLES: Final = SPEECH_RATE_HZ // 50
WORDS: Final = (4, 10)
"""Of a line that can be said in two seconds."""
SAMPLE_NS: Final = SECOND_NS // SPEECH_RATE_HZ

_Choice = TypeVar("_Choice")


class NothingToSayError(AffectstreamError):
    """Recordings or lines of a class that a call needs are missing."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One sentence, spoken in `[start_ns, end_ns)` from the start of the call."""

    role: Role
    emotion: Emotion
    start_ns: int
    end_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class BuiltCall:
    """A call of two channels.

    Attributes:
        name: unlike that of any other call of its seed.
        emotion: what the customer is overcome by in the middle; everything else is calm.
        sound: (2, samples) float32 at 16 kHz, agent and customer.
        turns: in order of time.
    """

    name: str
    emotion: Emotion
    sound: NDArray[np.float32]
    turns: tuple[Turn, ...]

    @property
    def overcome_ns(self) -> tuple[int, int]:
        """From the first word of the middle passage of the customer to its last."""
        strong = [turn for turn in self.turns if turn.emotion is self.emotion]
        return strong[0].start_ns, strong[-1].end_ns

    def spoken(self, role: Role, start_ns: int, end_ns: int) -> Emotion | None:
        """What fills at least half of a window of one party with speech; None if nothing does."""
        shares: dict[Emotion, int] = {}
        for turn in self.turns:
            if turn.role is role:
                overlap = min(turn.end_ns, end_ns) - max(turn.start_ns, start_ns)
                shares[turn.emotion] = shares.get(turn.emotion, 0) + max(0, overlap)
        most = max(shares, key=lambda emotion: shares[emotion], default=None)
        if most is None or 2 * shares[most] < end_ns - start_ns:
            return None
        return most


def build_calls(
    clips: Sequence[Clip],
    lines: Comments | None,
    *,
    count: int,
    seed: int,
    on_call: Callable[[], None] = lambda: None,
) -> Iterator[BuiltCall]:
    """`count` calls; each depends on `seed` and its number alone.

    Every recording goes through the one cut and codec in which all classes of EmoDB exist
    (see `in_one_format`), so that no format gives a passage away.

    Args:
        clips: of EmoDB; those of other speakers are not used.
        lines: of the test split; None builds calls whose words nobody knows.
        count: how many.
        seed: of sentences, lines and pauses.
        on_call: called after each.

    Raises:
        NothingToSayError: no call is asked for, or a voice or a line of a needed class is missing.
    """
    if count < 1:
        raise NothingToSayError(f"{count} calls: at least one is needed")
    cast = _Cast(clips, lines, VOICES, (*TROUBLES, Emotion.JOY))
    troubled = 0
    for number in range(count):
        glad = number % GLAD_EVERY == GLAD_EVERY - 1
        emotion = Emotion.JOY if glad else TROUBLES[troubled % len(TROUBLES)]
        troubled += not glad
        yield cast.play(f"built-{number:03}", emotion, np.random.default_rng([seed, number]))
        on_call()


def build_wandering_call(
    clips: Sequence[Clip], voices: Mapping[Role, str], name: str, random: np.random.Generator
) -> BuiltCall:
    """A call without a plan, to learn from: passages of any mood in any order, nobody's words.

    What is learnt from calls that all begin calm is that calls begin calm. The customer's moods
    last a few sentences each, the agent stays neutral.

    Args:
        clips: of EmoDB.
        voices: speakers of agent and customer.
        name: of the call.
        random: of moods, sentences and pauses.

    Raises:
        NothingToSayError: a voice has no neutral recording.
    """
    shown = {clip.emotion for clip in clips if clip.speaker == voices[Role.CUSTOMER]}
    moods = [emotion for emotion in (*TROUBLES, Emotion.JOY) if emotion in shown]
    script: list[tuple[Role, Emotion]] = []
    while len(script) < WANDERING_SENTENCES:
        calm = not moods or random.random() < CALM_PASSAGES
        mood = Emotion.NEUTRAL if calm else _one_of(moods, random)
        for _ in range(int(random.integers(1, MOST_OF_A_MOOD + 1))):
            script.append((Role.CUSTOMER, mood))
            if random.random() < ANSWERED:
                script.append((Role.AGENT, Emotion.NEUTRAL))
    felt = [mood for _, mood in script if mood is not Emotion.NEUTRAL]
    cast = _Cast(clips, None, voices, moods)
    return cast.perform(name, felt[0] if felt else Emotion.NEUTRAL, script, random)


class _Cast:
    """The two voices with their sentences, and what they may say."""

    def __init__(
        self,
        clips: Sequence[Clip],
        lines: Comments | None,
        voices: Mapping[Role, str],
        feelings: Sequence[Emotion],
    ) -> None:
        self._voices = voices
        self._clips = {
            (role, emotion): [
                clip for clip in clips if clip.speaker == voice and clip.emotion is emotion
            ]
            for role, voice in voices.items()
            for emotion in Emotion
        }
        self._lines = {emotion: _sayable(lines, emotion) for emotion in Emotion}
        self._heard: dict[str, tuple[Samples, slice]] = {}
        needed = {(Role.CUSTOMER, emotion) for emotion in feelings}
        needed |= {(role, Emotion.NEUTRAL) for role in voices}
        for role, emotion in sorted(needed):
            if not self._clips[role, emotion]:
                raise NothingToSayError(
                    f"no recording of {emotion} by EmoDB speaker {voices[role]}: give the whole "
                    "corpus, with the recordings of boredom, disgust and fear"
                )
            if not self._lines[emotion]:
                raise NothingToSayError(f"no test line of {emotion} alone with 4 to 10 words")

    def play(self, name: str, emotion: Emotion, random: np.random.Generator) -> BuiltCall:
        """Calm, then the customer is overcome by `emotion`, then calm again."""
        script = [
            *_calm(OPENING, random),
            *((role, emotion if role is Role.CUSTOMER else Emotion.NEUTRAL) for role in MIDDLE),
            *_calm(SETTLED, random),
        ]
        return self.perform(name, emotion, script, random)

    def perform(
        self,
        name: str,
        emotion: Emotion,
        script: Sequence[tuple[Role, Emotion]],
        random: np.random.Generator,
    ) -> BuiltCall:
        """Sentences of `script`, one after the other."""
        at = _pause(random)
        turns: list[Turn] = []
        pieces: list[tuple[Role, int, Samples]] = []
        for role, mood in script:
            samples, spoken = self._hear(_one_of(self._clips[role, mood], random))
            start_ns, end_ns = ((at + place) * SAMPLE_NS for place in (spoken.start, spoken.stop))
            text = _one_of(self._lines[mood], random)
            turns.append(Turn(role, mood, start_ns, end_ns, text))
            pieces.append((role, at, samples))
            at += len(samples) + _pause(random)
        sound = np.zeros((len(self._voices), -(-at // SPEECH_RATE_HZ) * SPEECH_RATE_HZ), np.float32)
        for role, start, samples in pieces:
            sound[list(self._voices).index(role), start : start + len(samples)] = samples
        return BuiltCall(name, emotion, sound, tuple(turns))

    def _hear(self, clip: Clip) -> tuple[Samples, slice]:
        """The recording at the common level, and which of its samples are spoken."""
        known = self._heard.get(clip.path.stem)
        if known is None:
            samples = in_one_format(clip)
            samples = samples * np.float32(PEAK / max(float(np.abs(samples).max()), 1e-6))
            known = self._heard[clip.path.stem] = samples, spoken_part(samples)
        return known


def spoken_part(samples: Samples) -> slice:
    """From the first to the last frame that is within `SPOKEN_DB` of the loudest."""
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (SPOKEN_DB / 10))
    return slice(int(loud[0]) * FRAME_SAMPLES, (int(loud[-1]) + 1) * FRAME_SAMPLES)


def _calm(roles: Sequence[Role], random: np.random.Generator) -> Iterator[tuple[Role, Emotion]]:
    for role in roles:
        for _ in range(int(random.integers(1, MOST_CALM_SENTENCES + 1))):
            yield role, Emotion.NEUTRAL


def _sayable(lines: Comments | None, emotion: Emotion) -> list[str]:
    """Lines of that label alone, as a recogniser writes them, short enough to be said."""
    if lines is None:
        return [""]
    fewest, most = WORDS
    said = (as_recognised(text) for text, label in lines.single_lines if label is emotion)
    return [text for text in said if fewest <= len(text.split()) <= most]


def _pause(random: np.random.Generator) -> int:
    """Samples of silence."""
    return round(random.uniform(*PAUSE_S) * SPEECH_RATE_HZ)


def _one_of(choices: Sequence[_Choice], random: np.random.Generator) -> _Choice:
    return choices[int(random.integers(len(choices)))]
