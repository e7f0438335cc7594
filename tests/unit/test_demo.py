"""The bundled call, wideband and over a telephone: its distress rises where it turns angry."""

from pathlib import Path

import av
import numpy as np
import pytest

from inference.score import WindowScore
from inference.units import SECOND_NS
from storage.values import LIVE_RUN
from streams.cli._scoring import gate_maker, open_aligner, open_scorer
from streams.demo import BUNDLED, BUNDLED_CHANNELS
from streams.demo.telephone import RATE_HZ, over_telephone
from streams.ingest.options import MediaOptions
from streams.ingest.publisher import PublishStats, permitted
from streams.ingest.source import FileSource, records
from streams.offline import scores
from streams.settings import Settings

ANGRY_S = (33, 48)
CALM_S = (0, 20)
SETTLED_S = (62, 70)
NOW_NS = 1_000 * SECOND_NS


def tones(path: Path, frequencies_hz: tuple[int, ...], rate_hz: int = 48_000) -> None:
    """A channel for each tone, a second long."""
    seconds = np.arange(rate_hz) / rate_hz
    sound = np.stack([0.3 * np.sin(2 * np.pi * hz * seconds) for hz in frequencies_hz])
    with av.open(path, "w") as file:
        track = file.add_stream("pcm_f32le", rate=rate_hz, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound.T.reshape(1, -1), np.float32), "flt", "stereo"
        )
        frame.rate = rate_hz
        file.mux([*track.encode(frame), *track.encode(None)])


def sound_of(path: Path) -> np.ndarray:
    """(channels, samples)."""
    with av.open(path) as file:
        pieces = [frame.to_ndarray().reshape(-1, 2).T for frame in file.decode(audio=0)]
    return np.concatenate(pieces, axis=1) / 32_768


def test_a_telephone_line_is_8_khz_mu_law_and_keeps_its_channels_apart(tmp_path: Path) -> None:
    tones(tmp_path / "in.wav", (1_000, 60))
    over_telephone(tmp_path / "in.wav", tmp_path / "out.wav")
    with av.open(tmp_path / "out.wav") as file:
        (track,) = file.streams.audio
        assert (track.codec_context.name, track.rate, track.channels) == ("pcm_mulaw", RATE_HZ, 2)
    inside, outside = np.sqrt((sound_of(tmp_path / "out.wav") ** 2).mean(axis=1))
    assert inside == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert outside < inside / 10


def test_what_has_no_sound_is_refused(tmp_path: Path) -> None:
    with av.open(tmp_path / "silent.mp4", "w") as file:
        track = file.add_stream("mpeg4", rate=5)
        track.width, track.height, track.pix_fmt = 64, 64, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        file.mux([*track.encode(picture), *track.encode(None)])
    with pytest.raises(ValueError, match="no sound"):
        over_telephone(tmp_path / "silent.mp4", tmp_path / "out.wav")


@pytest.mark.slow
@pytest.mark.parametrize("line", ["wideband", "telephone"])
def test_distress_rises_where_the_bundled_call_turns_angry(tmp_path: Path, line: str) -> None:
    media = BUNDLED
    if line == "telephone":
        over_telephone(BUNDLED, media := tmp_path / "call.wav")
    start_ns, found = customer_scores(media)

    def during(from_s: int, until_s: int) -> list[WindowScore]:
        return [
            score
            for score in found
            if score.distress and from_s <= (score.end_ns - start_ns) / SECOND_NS < until_s
        ]

    def mean(from_s: int, until_s: int) -> float:
        heard = during(from_s, until_s)
        return float(np.mean([score.distress.smoothed for score in heard if score.distress]))

    assert mean(*ANGRY_S) > 2 * mean(*CALM_S)
    assert mean(*ANGRY_S) > 2 * Settings().distress_base_rate

    # Against the own voice: unknown at first, far up while angry, back when it has settled.
    assert {score.change for score in during(*CALM_S)} == {None}
    assert min(score.change or 0.0 for score in during(*ANGRY_S)) > 2
    assert max(score.change or 0.0 for score in during(*SETTLED_S)) < 1
    cues = [cue.cue for score in during(*ANGRY_S) for cue in score.evidence]
    assert any(cue.startswith("voice raised +") and "against own" in cue for cue in cues)
    assert any(cue.startswith("pitch +") for cue in cues)


def customer_scores(media: Path) -> tuple[int, list[WindowScore]]:
    """Where the call begins, and what is said of its customer."""
    settings = Settings()
    options = MediaOptions(channels=BUNDLED_CHANNELS).source_options(settings.tenant)
    source = FileSource.open(media, options, now_ns=NOW_NS, warn=lambda _: None)
    timed = permitted(
        records(source, lambda _: None), gate_maker(settings)("default"), PublishStats()
    )
    scorer = open_scorer(settings)
    aligner = open_aligner(settings, scorer, LIVE_RUN)
    found = scores((one.record for one in timed), aligner, scorer)
    return source.start_ns, [score for score in found if score.participant == "customer"]
