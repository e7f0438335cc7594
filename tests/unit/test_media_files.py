"""Whatever FFmpeg reads becomes sound and pictures; the rest says in one line why not."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from inference.units import SECOND_NS
from streams.ingest.errors import MediaError
from streams.ingest.media import SAMPLE_NS, MediaFile
from tests.media import TONE_HZ, tone, write_pictures, write_sound

RATE_HZ = 16_000


def heard(path: Path, warnings: list[str] | None = None) -> np.ndarray:
    """(samples, channels) of the first sound track."""
    said = [] if warnings is None else warnings
    media = MediaFile.open(path, said.append)
    return np.concatenate([b.samples for b in media.blocks(media.sound[0], said.append)])


def loudest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE_HZ / len(samples))


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 37_000, 44_100, 48_000, 96_000])
def test_sound_of_any_rate_is_the_same_sound_at_16_khz(tmp_path: Path, rate_hz: int) -> None:
    path = write_sound(tmp_path / "tone.wav", tone(1.5, rate_hz)[None], rate_hz)
    samples = heard(path)
    assert abs(len(samples) - 1.5 * RATE_HZ) <= 2
    assert abs(loudest_hz(samples[:, 0]) - TONE_HZ) < 1
    middle = samples[2_000:-2_000, 0]
    assert abs(np.sqrt(np.mean(middle**2)) - 0.25 / np.sqrt(2)) < 0.003


@pytest.mark.parametrize("codec", ["pcm_mulaw", "pcm_alaw", "pcm_u8"])
def test_telephone_and_8_bit_sound_is_read(tmp_path: Path, codec: str) -> None:
    path = write_sound(tmp_path / "call.wav", tone(1.0, 8_000)[None], 8_000, codec)
    samples = heard(path)
    assert abs(len(samples) - RATE_HZ) <= 2
    assert abs(loudest_hz(samples[:, 0]) - TONE_HZ) < 1


def test_channels_stay_apart(tmp_path: Path) -> None:
    both = np.stack([tone(1.0, 16_000, 300.0), tone(1.0, 16_000, 700.0)])
    samples = heard(write_sound(tmp_path / "two.wav", both, 16_000, layout="stereo"))
    assert abs(loudest_hz(samples[:, 0]) - 300) < 1
    assert abs(loudest_hz(samples[:, 1]) - 700) < 1


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_pictures_without_sound_are_read(tmp_path: Path, codec: str) -> None:
    path = write_pictures(tmp_path / "silent.mp4", codec, seconds=2.0, fps=10)
    media = MediaFile.open(path, pytest.fail)
    assert media.sound == ()
    pictures = list(media.frames(media.pictures[0], Fraction(2), pytest.fail))
    assert [picture.at_ns for picture in pictures] == [n * SECOND_NS // 2 for n in range(4)]
    decoded = [cv2.imdecode(np.frombuffer(p.jpeg, np.uint8), cv2.IMREAD_COLOR) for p in pictures]
    assert all(image.shape == (240, 320, 3) for image in decoded)
    brightness = [image.mean() for image in decoded]
    assert brightness == sorted(brightness)


def test_pictures_are_scaled_to_640_at_most_and_keep_their_shape(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "tall.mp4", seconds=0.5, size=(720, 1280))
    media = MediaFile.open(path, pytest.fail)
    (picture,) = media.frames(media.pictures[0], Fraction(1), pytest.fail)
    assert (picture.width, picture.height) == (360, 640)


def test_a_video_with_sound_gives_both(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "call.mp4", sound_rate_hz=44_100)
    media = MediaFile.open(path, pytest.fail)
    assert (len(media.sound), len(media.pictures)) == (1, 1)
    assert abs(loudest_hz(heard(path)[:, 0]) - TONE_HZ) < 1


def test_blocks_stand_on_one_grid_without_overlap(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "tone.wav", tone(1.0, 44_100)[None], 44_100)
    media = MediaFile.open(path, pytest.fail)
    position = 0
    for block in media.blocks(media.sound[0], pytest.fail):
        assert block.first_sample == position
        position += len(block.samples)
    assert abs(position * SAMPLE_NS - SECOND_NS) <= 2 * SAMPLE_NS


def test_sound_that_the_file_does_not_hold_is_a_gap_and_not_a_shift(tmp_path: Path) -> None:
    path = tmp_path / "hole.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for second in (0, 1, 4):
            samples = (tone(1.0, RATE_HZ)[None] * 32_767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.rate, frame.pts = RATE_HZ, second * RATE_HZ
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    media = MediaFile.open(path, pytest.fail)
    held = np.zeros(5 * RATE_HZ, bool)
    for block in media.blocks(media.sound[0], pytest.fail):
        held[block.first_sample : block.first_sample + len(block.samples)] = True
    assert held.reshape(5, RATE_HZ).mean(axis=1) == pytest.approx([1, 1, 0, 0, 1], abs=0.01)


def test_a_track_that_does_not_decode_is_named_and_left_out(tmp_path: Path) -> None:
    whole = write_pictures(tmp_path / "whole.mkv", "mpeg4", seconds=1.0, sound_rate_hz=16_000)
    with av.open(str(whole)) as given, av.open(str(tmp_path / "odd.mkv"), "w") as output:
        copies = [output.add_stream_from_template(stream) for stream in given.streams]
        for packet in given.demux():
            if packet.dts is None:
                continue
            kind, stream = packet.stream.type, copies[packet.stream.index]
            if kind == "video":
                broken = av.Packet(b"\0" * 64)
                broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                packet = broken  # noqa: PLW2901 - the same packet with nothing in it
            packet.stream = stream
            output.mux(packet)
    warnings: list[str] = []
    media = MediaFile.open(tmp_path / "odd.mkv", warnings.append)
    assert (len(media.sound), len(media.pictures)) == (1, 0)
    (line,) = warnings
    assert "video track 1 does not decode" in line


def test_a_truncated_recording_gives_what_is_left_and_says_so(tmp_path: Path) -> None:
    whole = write_sound(tmp_path / "whole.wav", tone(4.0, 16_000)[None], 16_000)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[: len(whole.read_bytes()) // 2])
    warnings: list[str] = []
    samples = heard(cut, warnings)
    assert abs(len(samples) - 2 * RATE_HZ) < RATE_HZ / 10
    assert samples.any()
    (line,) = warnings
    assert "damaged" in line


def test_an_announced_length_that_is_not_there_is_named(tmp_path: Path) -> None:
    whole = write_sound(tmp_path / "whole.mp3", tone(4.0, 16_000)[None], 16_000, "libmp3lame")
    cut = tmp_path / "cut.mp3"
    cut.write_bytes(whole.read_bytes()[: len(whole.read_bytes()) // 2])
    warnings: list[str] = []
    heard(cut, warnings)
    (line,) = warnings
    assert "breaks off after 1.9 s of the 4.0 s" in line


def test_a_video_cut_in_the_middle_gives_what_is_left(tmp_path: Path) -> None:
    whole = write_pictures(tmp_path / "whole.mkv", seconds=4.0, sound_rate_hz=16_000)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: len(whole.read_bytes()) // 2])
    media = MediaFile.open(cut, pytest.fail)
    pictures = list(media.frames(media.pictures[0], Fraction(2), lambda line: None))
    assert 2 <= len(pictures) < 8


def test_an_mp4_without_its_index_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = write_pictures(tmp_path / "whole.mp4", seconds=4.0, sound_rate_hz=16_000)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: len(whole.read_bytes()) // 2])
    refused_in_one_line(cut)


def refused_in_one_line(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        MediaFile.open(path, lambda line: None)
    line = str(caught.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    return line


def test_what_is_no_media_is_refused_in_one_line(tmp_path: Path) -> None:
    empty, text, folder = tmp_path / "empty.wav", tmp_path / "notes.mp4", tmp_path / "calls"
    empty.touch()
    text.write_text("These are my notes.\n" * 50)
    folder.mkdir()
    assert "is empty" in refused_in_one_line(empty)
    assert "cannot read it as media" in refused_in_one_line(text)
    assert "is a folder" in refused_in_one_line(folder)
    assert "no such file" in refused_in_one_line(tmp_path / "none.wav")


def test_a_play_list_reaches_no_other_address(tmp_path: Path) -> None:
    play_list = tmp_path / "list.m3u8"
    play_list.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/1.ts\n#EXT-X-ENDLIST\n"
    )
    refused_in_one_line(play_list)


def test_every_shared_clip_is_read(shared_data: Path) -> None:
    clips = sorted((shared_data / "clips").glob("*.*"))
    read = [path for path in clips if path.suffix in {".wav", ".mp4", ".mpg", ".flac"}]
    assert read
    for path in read:
        media = MediaFile.open(path, pytest.fail)
        assert media.duration_ns > SECOND_NS
