"""Topic names and their settings."""

from typing import Final

from streams.records import AudioChunk, ControlEvent, Record, TranscriptSegment, VideoFrame

AUDIO: Final = "affect.audio.v1"
FRAMES: Final = "affect.frames.v1"
TRANSCRIPTS: Final = "affect.transcripts.v1"
CONTROL: Final = "affect.control.v1"
SCORES: Final = "affect.scores.v1"
ALERTS: Final = "affect.alerts.v1"

RECORD_TYPES: Final[dict[str, type[Record]]] = {
    AUDIO: AudioChunk,
    FRAMES: VideoFrame,
    TRANSCRIPTS: TranscriptSegment,
    CONTROL: ControlEvent,
}
INPUTS: Final = tuple(RECORD_TYPES)
RESULTS: Final = (SCORES, ALERTS)


def dead_letters(topic: str) -> str:
    """Where undecodable and misplaced records of `topic` go."""
    return f"{topic}.dlq"


def late(topic: str) -> str:
    """Where records of `topic` go that came after their windows were final."""
    return f"{topic}.late"


ALL: Final = (
    *INPUTS,
    *RESULTS,
    *(dead_letters(topic) for topic in INPUTS),
    *(late(topic) for topic in INPUTS),
    dead_letters(SCORES),
)
