"""A call as it sounds over a telephone line."""

from itertools import pairwise
from pathlib import Path
from typing import Final

import av
from av.filter import Graph

RATE_HZ: Final = 8_000
LINE: Final = (
    ("aformat", {"channel_layouts": "mono|stereo"}),  # filters pass over channels without a place
    ("highpass", {"frequency": "300"}),
    ("lowpass", {"frequency": "3400"}),
    ("aresample", {"sample_rate": str(RATE_HZ)}),
    ("aformat", {"sample_fmts": "s16"}),
)
"""The band of a line before it is sampled."""


def over_telephone(media: Path, out: Path) -> None:
    """Write the first sound track of `media` as WAV in mu-law at 8 kHz, channel by channel.

    Raises:
        av.FFmpegError: `media` cannot be read.
        ValueError: it has no sound.
    """
    with av.open(media) as source, av.open(out, "w", format="wav") as target:
        if not source.streams.audio:
            raise ValueError(f"{media} has no sound to send over a telephone")
        track = source.streams.audio[0]
        graph = Graph()
        chain = [
            graph.add_abuffer(template=track),
            *(graph.add(name, **arguments) for name, arguments in LINE),
            graph.add("abuffersink"),
        ]
        for one, next_ in pairwise(chain):
            one.link_to(next_)
        graph.configure()
        line = target.add_stream(
            "pcm_mulaw", rate=RATE_HZ, layout="mono" if track.channels == 1 else "stereo"
        )
        for frame in (*source.decode(track), None):
            chain[0].push(frame)
            while True:
                try:
                    heard = chain[-1].pull()
                except (av.BlockingIOError, av.EOFError):
                    break
                if isinstance(heard, av.AudioFrame):
                    heard.pts = None
                    target.mux(line.encode(heard))
        target.mux(line.encode(None))
