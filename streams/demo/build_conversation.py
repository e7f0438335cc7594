"""Builds the bundled conversation: `python -m streams.demo.build_conversation EMODB CLIP OUT`.

Two channels and a camera, from recordings that may be shared: EmoDB (CC0-1.0), speaker 03
as the agent and speaker 16 as the customer, neither of whom is in the training data of the
shipped weights; the camera is a GRID clip (CC BY 4.0) played forth and back. The customer
is calm, then angry, then calm again; who is seen is not who is heard.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 48_000
FPS: Final = 5
GAP_S: Final = 0.35
PEAK: Final = 0.6
AGENT, CUSTOMER = 0, 1
CALM: Final = (
    (AGENT, "03a01Nc"),
    (CUSTOMER, "16a01Nc"),
    (AGENT, "03b03Nb"),
    (CUSTOMER, "16b03Nb"),
    (AGENT, "03a05Nd"),
    (CUSTOMER, "16a07Nb"),
    (AGENT, "03b02Na"),
    (CUSTOMER, "16a02Nb"),
    (CUSTOMER, "16a04Nc"),
)
ANGRY: Final = (
    (CUSTOMER, "16a05Wb"),
    (AGENT, "03a04Nc"),
    (CUSTOMER, "16b03Wb"),
    (CUSTOMER, "16b09Wb"),
    (AGENT, "03a02Nc"),
    (CUSTOMER, "16a05Wc"),
    (CUSTOMER, "16b02Wb"),
)
SETTLED: Final = (
    (AGENT, "03b09Nc"),
    (CUSTOMER, "16b03Nb"),
    (AGENT, "03a07Nc"),
    (CUSTOMER, "16a01Nc"),
    (AGENT, "03b10Na"),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """Who speaks from when, in samples."""

    channel: int
    start: int
    samples: NDArray[np.float32]


def read(path: Path) -> NDArray[np.float32]:
    """(samples,) float32 at `RATE_HZ`, at a common level."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    with av.open(path) as container:
        frames = [*container.decode(audio=0), None]
        pieces = [out.to_ndarray()[0] for frame in frames for out in resampler.resample(frame)]
    samples = np.concatenate(pieces).astype(np.float32)
    return samples * np.float32(PEAK / max(float(np.abs(samples).max()), 1e-6))


def turns(emodb: Path) -> Iterator[Turn]:
    """The recordings one after the other, with a short gap."""
    start = int(GAP_S * RATE_HZ)
    for channel, name in (*CALM, *ANGRY, *SETTLED):
        samples = read(emodb / f"{name}.flac")
        yield Turn(channel, start, samples)
        start += len(samples) + int(GAP_S * RATE_HZ)


def mix(spoken: list[Turn]) -> NDArray[np.float32]:
    """(2, samples): the agent's channel and the customer's."""
    end = max(turn.start + len(turn.samples) for turn in spoken)
    sound = np.zeros((2, -(-end // RATE_HZ) * RATE_HZ), np.float32)
    for turn in spoken:
        sound[turn.channel, turn.start : turn.start + len(turn.samples)] = turn.samples
    return sound


def pictures(clip: Path, count: int) -> list[NDArray[np.uint8]]:
    """`count` pictures of the clip at `FPS`, forth and back so that nothing jumps."""
    with av.open(clip) as container:
        step = round(float(container.streams.video[0].average_rate or FPS) / FPS)
        forth = [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for frame in islice(container.decode(video=0), 0, None, step)
        ]
    return list(islice(cycle([*forth, *forth[-2:0:-1]]), count))


def build(emodb: Path, clip: Path, out: Path) -> None:
    """Write the conversation as WebM: Opus in two channels, VP9."""
    sound = mix(list(turns(emodb)))
    frames = pictures(clip, sound.shape[1] // RATE_HZ * FPS)
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])
    with av.open(out, "w", format="webm") as container:
        audio = container.add_stream("libopus", rate=RATE_HZ, layout="stereo", bit_rate=64_000)
        video = container.add_stream("libvpx-vp9", rate=FPS, bit_rate=20_000)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"deadline": "good", "cpu-used": "2"}
        per_picture = RATE_HZ // FPS
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture[:height, :width], format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
            piece = sound[:, number * per_picture : (number + 1) * per_picture]
            heard = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(piece), format="fltp", layout="stereo"
            )
            heard.rate, heard.pts = RATE_HZ, number * per_picture
            heard.time_base = Fraction(1, RATE_HZ)
            container.mux(audio.encode(heard))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


if __name__ == "__main__":
    build(*(Path(argument) for argument in sys.argv[1:4]))
