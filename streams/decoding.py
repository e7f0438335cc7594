"""Audio records of one window as sound at 16 kHz. Pure: the same records give the same samples.

Sound is decoded and resampled run by run, a run being chunks of one format without a gap;
so a resampler never clicks at the border of two chunks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ, AudioSpan
from streams.records import AudioChunk, AudioCodec

Samples = NDArray[np.float32]
JITTER_NS: Final = 2_000_000
"""Chunks that meet within this are one run: clocks round to milliseconds."""
OPUS_RATE_HZ: Final = 48_000
_INT16: Final = 32_768.0


def _mulaw_table() -> Samples:
    """ITU-T G.711: the 256 values of mu-law, as floats in [-1, 1)."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4) & 7
    magnitude = ((((code & 15).astype(np.int32) << 3) + 132) << exponent) - 132
    return (np.where(code & 128, -magnitude, magnitude) / _INT16).astype(np.float32)


def _alaw_table() -> Samples:
    """ITU-T G.711: the 256 values of A-law, as floats in [-1, 1)."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = ((code >> 4) & 7).astype(np.int32)
    mantissa = ((code & 15).astype(np.int32) << 4) + 8
    magnitude = np.where(exponent > 0, (mantissa + 256) << np.maximum(exponent - 1, 0), mantissa)
    return (np.where(code & 128, magnitude, -magnitude) / _INT16).astype(np.float32)


MULAW: Final = _mulaw_table()
ALAW: Final = _alaw_table()


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """What could be heard, and how many chunks could not be read."""

    spans: tuple[AudioSpan, ...] = ()
    """Ascending, free of overlap, within the window."""
    undecodable: int = 0


class _UndecodableError(ValueError):
    """A payload that is not what its codec says."""


@dataclass(slots=True)
class _Run:
    """Samples of one rate without a gap."""

    start_ns: int
    rate_hz: int
    pieces: list[Samples]

    @property
    def end_ns(self) -> int:
        return self.start_ns + sum(map(len, self.pieces)) * SECOND_NS // self.rate_hz


def decode_audio(chunks: Sequence[AudioChunk], start_ns: int, end_ns: int) -> DecodedAudio:
    """Sound of `[start_ns, end_ns)`.

    Where chunks overlap the earlier one wins; where they leave a gap, spans end and begin.

    Args:
        chunks: in any order.
        start_ns: event time from which sound is wanted.
        end_ns: event time up to which it is.
    """
    undecodable = 0
    runs: list[_Run] = []
    ordered = sorted(chunks, key=lambda chunk: (chunk.start_ns, chunk.sequence))
    for same_format, group in groupby(ordered, key=_format):
        codec, rate_hz = same_format
        for begin_ns, samples in _decoded(codec, group):
            if samples is None:
                undecodable += 1
            elif len(samples):
                _append(runs, begin_ns, rate_hz, samples)
    spans = (_span(run, start_ns, end_ns) for run in runs)
    return DecodedAudio(tuple(span for span in spans if len(span.samples)), undecodable)


def _format(chunk: AudioChunk) -> tuple[AudioCodec, int]:
    return chunk.codec, OPUS_RATE_HZ if chunk.codec is AudioCodec.OPUS else chunk.rate_hz


def _decoded(
    codec: AudioCodec, chunks: Iterable[AudioChunk]
) -> Iterator[tuple[int, Samples | None]]:
    """Start and samples of each chunk; None where they cannot be read."""
    opus = _opus_decoder() if codec is AudioCodec.OPUS else None
    for chunk in chunks:
        try:
            if opus is not None:
                yield chunk.start_ns, _opus(opus, chunk.payload)
            else:
                yield chunk.start_ns, _companded(codec, chunk.payload)
        except (_UndecodableError, av.FFmpegError):
            yield chunk.start_ns, None


def _opus_decoder() -> AudioCodecContext:
    """Gives 16-bit samples; mono whatever the packets say."""
    decoder = av.CodecContext.create("libopus", "r")
    if not isinstance(decoder, AudioCodecContext):
        raise TypeError("libopus decodes no audio")
    decoder.sample_rate, decoder.layout = OPUS_RATE_HZ, "mono"
    return decoder


def _companded(codec: AudioCodec, payload: bytes) -> Samples:
    if codec is not AudioCodec.PCM_S16LE:
        table = MULAW if codec is AudioCodec.MULAW else ALAW
        return table[np.frombuffer(payload, np.uint8)]
    if len(payload) % 2:
        raise _UndecodableError("16-bit samples in an odd number of bytes")
    return np.frombuffer(payload, "<i2").astype(np.float32) / np.float32(_INT16)


def _opus(decoder: AudioCodecContext, payload: bytes) -> Samples:
    if not payload:
        raise _UndecodableError("an empty Opus packet")
    frames = decoder.decode(av.Packet(payload))
    heard = [np.asarray(frame.to_ndarray(), np.float32).reshape(-1) for frame in frames]
    return np.concatenate(heard) / np.float32(_INT16) if heard else np.zeros(0, np.float32)


def _append(runs: list[_Run], begin_ns: int, rate_hz: int, samples: Samples) -> None:
    """Continue the last run, trim what it already holds, or begin another."""
    last = runs[-1] if runs else None
    covered_ns = 0 if last is None else last.end_ns - begin_ns
    if last is None or covered_ns < -JITTER_NS or last.rate_hz != rate_hz:
        if covered_ns > 0:
            cut = min(-(-covered_ns * rate_hz // SECOND_NS), len(samples))
            samples, begin_ns = samples[cut:], begin_ns + cut * SECOND_NS // rate_hz
        if len(samples):
            runs.append(_Run(begin_ns, rate_hz, [samples]))
        return
    cut = 0 if covered_ns <= JITTER_NS else -(-covered_ns * rate_hz // SECOND_NS)
    if cut < len(samples):
        last.pieces.append(samples[cut:])


def _span(run: _Run, start_ns: int, end_ns: int) -> AudioSpan:
    """The run at 16 kHz, clipped to the window."""
    samples = np.concatenate(run.pieces)
    if run.rate_hz != SPEECH_RATE_HZ:
        samples = _resampled(samples, run.rate_hz)
    first = max(0, _samples_before(start_ns - run.start_ns))
    last = max(first, min(len(samples), _samples_before(end_ns - run.start_ns)))
    begin_ns = run.start_ns + first * SECOND_NS // SPEECH_RATE_HZ
    return AudioSpan(begin_ns, samples[first:last])


def _samples_before(duration_ns: int) -> int:
    """How many samples begin within `duration_ns`."""
    return -(-duration_ns * SPEECH_RATE_HZ // SECOND_NS)


def _resampled(samples: Samples, rate_hz: int) -> Samples:
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
    frame.rate = rate_hz
    resampler = av.AudioResampler("flt", "mono", SPEECH_RATE_HZ)
    pieces = [
        np.asarray(out.to_ndarray(), np.float32).reshape(-1)
        for given in (frame, None)
        for out in resampler.resample(given)
    ]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
