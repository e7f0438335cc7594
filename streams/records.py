"""The four wire records, their limits and their bytes.

msgpack arrays. Rules of change: field 0 is the schema version; append only, always with
a default, never reorder; a new meaning is a new topic suffix (`.v2`). The golden bytes in
`tests/unit/test_records.py` show an accidental change.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Final, Self, TypeVar

import msgspec
from msgspec import Meta

from inference.labels import Role

SCHEMA: Final = 1
MAX_RECORD_BYTES: Final = 1_000_000
"""Nothing larger travels on Kafka; larger values are refused before they are sent."""
MAX_TEXT_CHARS: Final = 8_000
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
"""Tenant, conversation, participant and segment ids. No `/`: the Kafka key uses it."""
Nanoseconds = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""Event time since the Unix epoch. Fits a signed 64-bit column."""
Sequence = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""Counts the records of one track of one participant from 0."""
Duration = Annotated[int, Meta(ge=0, le=60_000_000_000)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Kind(StrEnum):
    """What a media record is."""

    DATA = "data"
    HEARTBEAT = "heartbeat"
    """Nothing of this track before its time will come any more."""
    END = "end"
    """The track is complete."""


class AudioCodec(StrEnum):
    """How audio payloads are encoded. Mono."""

    PCM_S16LE = "pcm_s16le"
    MULAW = "mulaw"
    ALAW = "alaw"
    OPUS = "opus"


class FrameCodec(StrEnum):
    """How pictures are encoded."""

    JPEG = "jpeg"


class Track(StrEnum):
    """A kind of media that a participant may declare; the topic it travels on."""

    AUDIO = "audio"
    FRAMES = "frames"
    TRANSCRIPTS = "transcripts"


class ControlKind(StrEnum):
    """What happened to a conversation."""

    STARTED = "started"
    PARTICIPANT_JOINED = "participant_joined"
    PARTICIPANT_LEFT = "participant_left"
    CONSENT_CHANGED = "consent_changed"
    ENDED = "ended"


class _Record(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Fields that every record begins with, in this order."""

    schema: Annotated[int, Meta(ge=1, le=SCHEMA)] = SCHEMA
    tenant: Id
    conversation: Id
    participant: Id
    sequence: Sequence

    @property
    def key(self) -> bytes:
        """Kafka key: every record of a conversation lands on one partition."""
        return f"{self.tenant}/{self.conversation}".encode()

    def evolve(self, **changes: Any) -> Self:
        """Copy with `changes`."""
        return msgspec.structs.replace(self, **changes)


class AudioChunk(_Record, frozen=True, array_like=True, kw_only=True):
    """Mono audio of one participant in `[start_ns, start_ns + duration_ns)`.

    A heartbeat or end has an empty payload and speaks of `start_ns`.
    """

    kind: Kind = Kind.DATA
    start_ns: Nanoseconds
    duration_ns: Duration = 0
    rate_hz: Annotated[int, Meta(ge=4_000, le=192_000)] = 16_000
    codec: AudioCodec = AudioCodec.PCM_S16LE
    payload: Annotated[bytes, Meta(max_length=MAX_RECORD_BYTES)] = b""


class VideoFrame(_Record, frozen=True, array_like=True, kw_only=True):
    """One camera picture of one participant."""

    kind: Kind = Kind.DATA
    captured_ns: Nanoseconds
    codec: FrameCodec = FrameCodec.JPEG
    width: Annotated[int, Meta(ge=0, le=8_192)] = 0
    height: Annotated[int, Meta(ge=0, le=8_192)] = 0
    payload: Annotated[bytes, Meta(max_length=MAX_RECORD_BYTES)] = b""


class TranscriptSegment(_Record, frozen=True, array_like=True, kw_only=True):
    """Words of one participant in `[start_ns, end_ns)`.

    The same `segment_id` may come again with a higher `sequence`: the highest revision
    wins. Only final segments are scored. A heartbeat or end speaks of `end_ns`.
    """

    kind: Kind = Kind.DATA
    segment_id: Id = "-"
    start_ns: Nanoseconds
    end_ns: Nanoseconds
    text: Annotated[str, Meta(max_length=MAX_TEXT_CHARS)] = ""
    language: Annotated[str, Meta(max_length=35)] = "und"
    confidence: Share | None = None
    is_final: bool = True

    def __post_init__(self) -> None:
        """Refuse a segment that ends before it starts; msgspec reports it as a bad record."""
        if self.end_ns < self.start_ns:
            raise ValueError(f"segment ends at {self.end_ns}, before its start {self.start_ns}")


class ControlEvent(_Record, frozen=True, array_like=True, kw_only=True):
    """A fact about the conversation or one participant, true from `at_ns`.

    `participant` is `-` where the fact is about the whole conversation.
    Attributes that are read: `started` and `participant_joined` take `role`, `tracks`
    (comma-separated `audio,frames,transcripts`), `notice` and `consent` (`yes`, `no`,
    `unknown`); `started` also `queue`, `language`, `region`, `purpose`, `channel`;
    `participant_joined` also `subject`; `consent_changed` takes `consent`.
    """

    kind: ControlKind
    at_ns: Nanoseconds
    attributes: dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]] = (
        msgspec.field(default_factory=dict)
    )

    @property
    def role(self) -> Role:
        """The declared role; unknown names are `unknown`, so that policy decides."""
        name = self.attributes.get("role", "")
        return Role(name) if name in set(Role) else Role.UNKNOWN

    @property
    def tracks(self) -> frozenset[Track]:
        """Declared tracks; names that no version of us knows are left out."""
        names = {name.strip() for name in self.attributes.get("tracks", "").split(",")}
        return frozenset(Track(name) for name in names if name in set(Track))


MediaRecord = AudioChunk | VideoFrame | TranscriptSegment
Record = MediaRecord | ControlEvent
AnyRecord = TypeVar("AnyRecord", bound=Record)


class BadRecordError(ValueError):
    """Bytes on an input topic that are no record. Never improves on retry: dead letter."""

    reason = "undecodable"
    """Header of the dead letter."""


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(kind)
    for kind in (AudioChunk, VideoFrame, TranscriptSegment, ControlEvent)
}


def encode(record: Record) -> bytes:
    """Bytes of `record`. Raises BadRecordError over `MAX_RECORD_BYTES`."""
    data = _encoder.encode(record)
    if len(data) > MAX_RECORD_BYTES:
        raise BadRecordError(
            f"{type(record).__name__} of {record.tenant}/{record.conversation} takes "
            f"{len(data)} bytes, the limit is {MAX_RECORD_BYTES}: "
            "send shorter chunks or smaller frames"
        )
    return data


def storable(text: str) -> str:
    """`text` with a mark in place of what no database keeps, so that it reads like nothing else.

    That is a zero character, and half of a surrogate pair.
    """
    return _UNSTORABLE.sub("\ufffd", text)


def decode(kind: type[AnyRecord], data: bytes) -> AnyRecord:
    """Inverse of `encode`. Raises BadRecordError with the field that is wrong."""
    if len(data) > MAX_RECORD_BYTES:
        raise BadRecordError(f"{len(data)} bytes, the limit is {MAX_RECORD_BYTES}")
    try:
        record: AnyRecord = _decoders[kind].decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadRecordError(f"not a {kind.__name__}: {exc}") from exc
    return record
