"""A two-party call with words, half of it speech, from what ships with the repository.

The turns of the bundled conversation, each followed by a pause of its own length, over the hiss
of a line; under every turn lies a line that somebody might say to a service.
"""

import json
import wave
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from inference.experts.voice_activity import VoiceActivity
from inference.window import SPEECH_RATE_HZ
from streams.demo import BUNDLED, BUNDLED_CHANNELS
from streams.ingest.media import MediaFile
from streams.ingest.options import MediaOptions
from streams.ingest.source import FileSource, records
from streams.records import Record

NAMES: Final = tuple(BUNDLED_CHANNELS.split(","))
HISS: Final = 0.001
"""-60 dB of full scale: nobody's line is digitally silent."""
SHORTEST_TURN: Final = SPEECH_RATE_HZ // 2
LINES: Final = (
    "good morning, you are through to customer care, how can I help you",
    "hello, I am calling about the invoice that came on Monday",
    "of course, can you give me the number on top of the page",
    "yes, it says four seven one one, and then the year",
    "thank you, I can see it here, just a moment please",
    "I have paid this twice already and it still says that I owe you money",
    "let me have a look at your account, one second",
    "that is what your colleague told me last week, and nothing has happened",
    "I understand, I am sorry that you had to call again",
    "this is the third time I am calling, I am really tired of it",
    "I can see the second payment now, it was booked on another contract",
    "so you had the money all along and you still sent me a reminder",
    "that should not have happened, I will have it corrected today",
    "I want this in writing, because I do not believe it any more",
    "you will get an email within the hour that confirms it",
    "okay",
    "is there anything else that I can do for you",
    "no, I just want this to be over",
    "I understand, and thank you for your patience",
    "all right, thank you, goodbye",
    "goodbye, and have a good day",
    "bye",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody speaks: samples `[start, end)` of one channel."""

    channel: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SpreadCall:
    """The call.

    Attributes:
        sound: (2, samples) float32 at 16 kHz.
        turns: ascending, one at a time.
    """

    sound: NDArray[np.float32]
    turns: tuple[Turn, ...]

    @property
    def seconds(self) -> float:
        """Length."""
        return self.sound.shape[1] / SPEECH_RATE_HZ

    @property
    def speech_share(self) -> float:
        """Share of the time in which one of the two speaks."""
        return sum(turn.end - turn.start for turn in self.turns) / self.sound.shape[1]


def spread_call() -> SpreadCall:
    """Cut the bundled conversation into turns and lay them out anew."""
    bundled = _bundled_sound()
    detector = VoiceActivity.load()
    spoken = sorted(
        (
            Turn(channel, span.start, span.end)
            for channel, sound in enumerate(bundled)
            for span in detector.detect(sound).spans
            if span.end - span.start >= SHORTEST_TURN
        ),
        key=lambda turn: turn.start,
    )
    length = 2 * sum(turn.end - turn.start for turn in spoken)
    length = -(-length // SPEECH_RATE_HZ) * SPEECH_RATE_HZ
    sound = np.random.default_rng(0).normal(0.0, HISS, (2, length)).astype(np.float32)
    turns, at = [], 0
    for turn in spoken:
        size = turn.end - turn.start
        sound[turn.channel, at : at + size] += bundled[turn.channel, turn.start : turn.end]
        turns.append(replace(turn, start=at, end=at + size))
        at += 2 * size
    return SpreadCall(sound, tuple(turns))


def call_records(call: SpreadCall, folder: Path) -> list[Record]:
    """The call as `affectstream score CALL.wav --transcript CALL.jsonl` would read it."""
    with wave.open(str(folder / "call.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SPEECH_RATE_HZ)
        file.writeframes((call.sound.T * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes())
    words = [
        json.dumps(
            {
                "start": round(turn.start / SPEECH_RATE_HZ, 3),
                "end": round(turn.end / SPEECH_RATE_HZ, 3),
                "text": LINES[place % len(LINES)],
                "speaker": NAMES[turn.channel],
                "language": "en",
            }
        )
        for place, turn in enumerate(call.turns)
    ]
    transcript = folder / "call.jsonl"
    transcript.write_text("\n".join(words) + "\n")
    options = MediaOptions(channels=BUNDLED_CHANNELS, transcript=transcript, conversation="bench")
    source = FileSource.open(
        folder / "call.wav", options.source_options("bench", start_ns=0), now_ns=0, warn=_ignore
    )
    return [timed.record for timed in records(source, _ignore)]


def bundled_jpegs(count: int) -> list[bytes]:
    """The first pictures of the bundled conversation's camera, two a second."""
    media = MediaFile.open(BUNDLED, _ignore)
    frames = media.frames(media.pictures[0], Fraction(2), _ignore)
    return [next(frames).jpeg for _ in range(count)]


def _bundled_sound() -> NDArray[np.float32]:
    """(2, samples) float32 at 16 kHz."""
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SPEECH_RATE_HZ)
    with av.open(BUNDLED) as container:
        pieces = [
            np.asarray(out.to_ndarray(), np.float32)
            for frame in (*container.decode(audio=0), None)
            for out in resampler.resample(frame)
        ]
    return np.concatenate(pieces, axis=1)


def _ignore(line: str) -> None:
    """What the file lacks was looked at when it was bundled."""
