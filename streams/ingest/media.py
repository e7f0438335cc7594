"""Any file that FFmpeg reads, as 16 kHz sound and timed pictures.

Time zero is the earliest timestamp of the file. Sound is resampled once, by one streaming
resampler per track: resampling each chunk alone would click at every border.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar

import av
import cv2
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ
from streams.ingest.errors import MediaError

SAMPLE_NS: Final = SECOND_NS // SPEECH_RATE_HZ
"""62 500: a sample of 16 kHz audio is a whole number of nanoseconds, so nothing drifts."""
LONGEST_SIDE: Final = 640
JPEG_QUALITY: Final = 85
_HOLE_NS: Final = SECOND_NS // 10
"""Timestamps that jump ahead by more than this mean missing sound; below it, jitter."""
_SHORTFALL_NS: Final = SECOND_NS // 2
"""A track that ends this long before its announced end is called truncated."""
_LONGEST_PAUSE_NS: Final = 86_400 * SECOND_NS
"""A timestamp further ahead is damage: it would be years of heartbeats."""
_RATES_HZ: Final = range(1_000, 1_000_001)
_MOST_CHANNELS: Final = 64
"""Outside of these a header is damaged, and FFmpeg has no resampler for it."""

Warn = Callable[[str], None]
"""Takes one line that a person should read."""
Kind = Literal["audio", "video"]
AnyPacket: TypeAlias = "av.Packet[Any]"  # generic in the stubs only
AnyFrame = TypeVar("AnyFrame", av.AudioFrame, av.VideoFrame)


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """One audio stream of a file."""

    index: int
    """Among the audio streams, from 0."""
    layout: str
    channels: tuple[str, ...]
    """Name of each channel as FFmpeg gives it, for example `FL`; `NONE` where unknown."""


@dataclass(frozen=True, slots=True)
class PictureTrack:
    """One video stream of a file, cover pictures left out."""

    index: int
    """Among the video streams, from 0."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """Sound without a gap.

    Attributes:
        first_sample: position on the 16 kHz grid of the file; the gap to the block
            before is sound that the file does not hold.
        samples: (samples, channels) float32.
    """

    first_sample: int
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Picture:
    """One JPEG picture, `at_ns` after time zero of the file."""

    at_ns: int
    width: int
    height: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class MediaFile:
    """What a file holds. Reading opens it anew, so that each track reads at its own pace."""

    path: Path
    sound: tuple[SoundTrack, ...]
    pictures: tuple[PictureTrack, ...]
    duration_ns: int
    """As the file announces it, or measured from its packets where it does not."""

    @classmethod
    def open(cls, path: Path, warn: Warn) -> Self:
        """Look into `path` and decode the start of each track.

        Tracks that do not decode are named to `warn` and left out. Raises MediaError if
        nothing is left, or if the file is missing, empty, a folder, or no media at all.
        """
        with _opened(path) as container:
            sound_count = len(container.streams.audio)
            picture_indices = [
                index
                for index, stream in enumerate(container.streams.video)
                if not stream.disposition & av.stream.Disposition.attached_pic
            ]
            duration_ns = _duration_ns(container)
        if not sound_count and not picture_indices:
            raise MediaError(path, "holds neither sound nor moving pictures")
        sound, pictures = [], []
        for index in range(sound_count):
            heard = next(_decoded_sound(path, index), None)
            if heard is None:
                warn(f"{path}: sound track {index + 1} does not decode, it is left out")
                continue
            names = tuple(channel.name for channel in heard.layout.channels)
            sound.append(SoundTrack(index, heard.layout.name, names))
        for index in picture_indices:
            seen = next(_decoded_pictures(path, index), None)
            if seen is None:
                warn(f"{path}: video track {index + 1} does not decode, it is left out")
                continue
            pictures.append(PictureTrack(index, seen.width, seen.height))
        if not sound and not pictures:
            raise MediaError(path, "none of its sound or pictures can be decoded")
        return cls(path, tuple(sound), tuple(pictures), duration_ns)

    def blocks(self, track: SoundTrack, warn: Warn) -> Iterator[SoundBlock]:
        """All channels of `track` at 16 kHz, in order, free of overlap.

        What does not decode is left out and named to `warn` once, at the end.
        """
        resampler: av.AudioResampler | None = None
        source: tuple[str, str, int] | None = None
        position = expected_ns = 0

        def block(frames: list[av.AudioFrame]) -> Iterator[SoundBlock]:
            nonlocal position
            for frame in frames:
                packed = frame.to_ndarray().astype(np.float32, copy=False)
                samples = packed.reshape(-1, len(track.channels))
                yield SoundBlock(position, samples)
                position += len(samples)

        for frame in _decoded_sound(self.path, track.index, warn):
            starts_ns = _time_ns(frame, expected_ns)
            shape = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or shape != source or starts_ns - expected_ns > _HOLE_NS:
                if resampler is not None:
                    yield from block(resampler.resample(None))
                # packed floats: planar frames of eight channels crash PyAV 18.1
                resampler = av.AudioResampler("flt", track.layout, SPEECH_RATE_HZ)
                source = shape
                expected_ns = max(starts_ns, expected_ns)
                position = max(position, _nearest_sample(expected_ns))
            expected_ns += frame.samples * SECOND_NS // frame.sample_rate
            frame.pts = None  # the grid counts samples; timestamps had their say above
            yield from block(resampler.resample(frame))
        if resampler is not None:
            yield from block(resampler.resample(None))

    def frames(self, track: PictureTrack, fps: Fraction, warn: Warn) -> Iterator[Picture]:
        """Pictures of `track`, the first of each `1 / fps` seconds, scaled, as JPEG.

        Turned upright where the file says how the camera was held.
        """
        period_ns = int(SECOND_NS / fps)
        last_slot, last_ns = -1, -1
        for frame in _decoded_pictures(self.path, track.index, warn):
            at_ns = _time_ns(frame, last_ns + period_ns if last_ns >= 0 else 0)
            slot = at_ns // period_ns
            if slot <= last_slot or at_ns <= last_ns:
                continue
            last_slot, last_ns = slot, at_ns
            yield _picture(frame, at_ns)


def _picture(frame: av.VideoFrame, at_ns: int) -> Picture:
    """Scale to at most `LONGEST_SIDE`, turn upright, encode."""
    shrink = max(Fraction(1), Fraction(max(frame.width, frame.height), LONGEST_SIDE))
    pixels = frame.to_ndarray(
        format="bgr24",
        width=max(1, round(frame.width / shrink)),
        height=max(1, round(frame.height / shrink)),
        interpolation="AREA",
    )
    upright = np.rot90(pixels, k=round(frame.rotation / 90) % 4)
    height, width = upright.shape[:2]
    _, jpeg = cv2.imencode(
        ".jpg", np.ascontiguousarray(upright), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return Picture(at_ns, width, height, jpeg.tobytes())


def _nearest_sample(at_ns: int) -> int:
    return (at_ns + SAMPLE_NS // 2) // SAMPLE_NS


def _time_ns(frame: av.AudioFrame | av.VideoFrame, otherwise_ns: int) -> int:
    """Time of `frame` after the file's zero, which `_decoded` has subtracted."""
    if frame.pts is None or frame.time_base is None:
        return otherwise_ns
    return max(0, int(frame.pts * frame.time_base * SECOND_NS))


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """Open a local file and nothing else: a play list must not reach the network."""
    if not path.exists():
        raise MediaError(path, "there is no such file")
    if path.is_dir():
        raise MediaError(path, "is a folder, name the media files in it")
    if path.stat().st_size == 0 and path.is_file():
        raise MediaError(path, "is empty")
    try:
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise MediaError(path, f"FFmpeg cannot read it as media ({reason})") from exc
    with container:
        yield container


def _decoded_sound(path: Path, index: int, warn: Warn | None = None) -> Iterator[av.AudioFrame]:
    for frame in _decoded(path, "audio", index, warn):
        if isinstance(frame, av.AudioFrame) and frame.samples:
            yield frame


def _decoded_pictures(path: Path, index: int, warn: Warn | None = None) -> Iterator[av.VideoFrame]:
    for frame in _decoded(path, "video", index, warn):
        if isinstance(frame, av.VideoFrame):
            yield frame


def _decoded(
    path: Path, kind: Kind, index: int, warn: Warn | None
) -> Iterator[av.AudioFrame | av.VideoFrame]:
    """Frames of one stream with timestamps from the file's zero.

    What is damaged is skipped; `warn` hears once how much, and if the stream ends early.
    """
    damaged = end_ns = last_ns = 0
    with _opened(path) as container:
        stream = container.streams.get({kind: index})[0]
        if isinstance(stream, av.VideoStream):
            stream.thread_type = "AUTO"
        zero = Fraction(container.start_time or 0, av.time_base)
        for packet in _until_broken(container.demux(stream)):
            damaged += packet.is_corrupt
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            end_ns = max(end_ns, _end_ns(packet, zero))
            for frame in frames:
                timed = _from_zero(frame, zero)
                at_ns = _time_ns(timed, last_ns)
                if at_ns - last_ns > _LONGEST_PAUSE_NS or not _plausible(timed):
                    damaged += 1
                    continue
                last_ns = at_ns
                yield timed
        announced_ns = int((stream.duration or 0) * (stream.time_base or 0) * SECOND_NS)
    if warn is None:
        return
    track = f"{'sound' if kind == 'audio' else 'video'} track {index + 1}"
    if announced_ns - end_ns > _SHORTFALL_NS:
        warn(
            f"{path}: {track} breaks off after {end_ns / SECOND_NS:.1f} s of the "
            f"{announced_ns / SECOND_NS:.1f} s that it announces; what decoded is used"
        )
    elif damaged:
        warn(f"{path}: {track} has {damaged} damaged pieces; what decoded is used")


def _from_zero(frame: AnyFrame, zero: Fraction) -> AnyFrame:
    """`frame` with its timestamp counted from the file's zero."""
    if frame.pts is not None and frame.time_base is not None:
        frame.pts -= round(zero / frame.time_base)
    return frame


def _plausible(frame: av.AudioFrame | av.VideoFrame) -> bool:
    """Whether what the header says of `frame` can be true."""
    return isinstance(frame, av.VideoFrame) or (
        frame.sample_rate in _RATES_HZ and len(frame.layout.channels) <= _MOST_CHANNELS
    )


def _until_broken(packets: Iterator[AnyPacket]) -> Iterator[AnyPacket]:
    """Packets up to the end, or to where the container is too damaged to go on."""
    with suppress(av.FFmpegError):
        yield from packets


def _end_ns(packet: AnyPacket, zero: Fraction) -> int:
    """End of `packet` after the file's zero; 0 for the packet that flushes the decoder."""
    if packet.pts is None or packet.time_base is None:
        return 0
    return int(((packet.pts + (packet.duration or 0)) * packet.time_base - zero) * SECOND_NS)


def _duration_ns(container: InputContainer) -> int:
    """Announced length, or the end of the last packet where the header has none."""
    if container.duration:
        return container.duration * SECOND_NS // av.time_base
    zero = Fraction(container.start_time or 0, av.time_base)
    end_ns = 0
    with suppress(av.FFmpegError):  # reading meets the same damage again and reports it
        for packet in container.demux():
            end_ns = max(end_ns, _end_ns(packet, zero))
    return end_ns
