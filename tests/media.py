"""Media files made on the spot, for tests of what people may give us."""

from pathlib import Path

import av
import numpy as np
import pytest

TONE_HZ = 440.0


def tone(seconds: float, rate_hz: int, frequency_hz: float = TONE_HZ) -> np.ndarray:
    """(samples,) float32 at a quarter of full scale."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.25 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def need_encoder(codec: str) -> None:
    """Skip the test where this FFmpeg cannot write `codec`, as with some builds of HEVC."""
    try:
        av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this build of FFmpeg has no encoder {codec}")


def write_sound(
    path: Path,
    channels: np.ndarray,
    rate_hz: int,
    codec: str = "pcm_s16le",
    layout: str = "mono",
    container: str | None = None,
) -> Path:
    """Encode (channels, samples) float32."""
    need_encoder(codec)
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout=layout)
        resampler = av.AudioResampler(stream.format.name, layout, rate_hz)
        packed = np.ascontiguousarray(channels.T).reshape(1, -1)  # planar breaks at 8 channels
        frame = av.AudioFrame.from_ndarray(packed, "flt", layout)
        frame.rate, frame.pts = rate_hz, 0
        size = stream.codec_context.frame_size or 1_024
        fifo = av.AudioFifo()
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            fifo.write(piece)
        while piece := fifo.read(size) or fifo.read(0, partial=True):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return path


def write_pictures(
    path: Path,
    codec: str = "libx264",
    seconds: float = 2.0,
    fps: int = 10,
    size: tuple[int, int] = (320, 240),
    sound_rate_hz: int | None = None,
) -> Path:
    """A picture that brightens, and a tone where `sound_rate_hz` is given."""
    need_encoder(codec)
    width, height = size
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        sound = None
        if sound_rate_hz:
            sound = output.add_stream("aac", rate=sound_rate_hz, layout="mono")
        for number in range(round(seconds * fps)):
            pixels = np.full((height, width, 3), 10 * number % 250, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, "bgr24")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None and sound_rate_hz:
            samples = tone(seconds, sound_rate_hz)
            for start in range(0, len(samples) - 1_023, 1_024):
                piece = samples[None, start : start + 1_024]
                heard = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "fltp", "mono")
                heard.rate, heard.pts = sound_rate_hz, start
                output.mux(sound.encode(heard))
            output.mux(sound.encode(None))
    return path


def first_picture(path: Path) -> np.ndarray:
    """(height, width, 3) the first picture of a video, or a still one, in blue, green, red."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="bgr24").astype(np.uint8)
