"""Sound has no seams, pictures stand upright, and damage is left out or refused in one line."""

import random
import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from inference.units import SECOND_NS
from streams.ingest.errors import MediaError
from streams.ingest.media import MediaFile
from streams.ingest.source import FileSource, SourceOptions, records
from streams.records import encode
from tests.media import TONE_HZ, tone, write_pictures, write_sound

RATE_HZ = 16_000


def heard(path: Path) -> list[np.ndarray]:
    """Blocks of the first sound track, (samples, channels) each."""
    media = MediaFile.open(path, pytest.fail)
    return [block.samples for block in media.blocks(media.sound[0], pytest.fail)]


def raw_wave(path: Path, channels: int, rate_hz: int = RATE_HZ) -> Path:
    """A WAV file as simple recorders write it: its header does not name the channels."""
    with wave.open(str(path), "wb") as output:
        output.setnchannels(channels)
        output.setsampwidth(2)
        output.setframerate(rate_hz)
        sound = np.stack([tone(0.5, RATE_HZ, 200.0 + 100 * n) for n in range(channels)], axis=1)
        output.writeframes((sound * 32_767).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100])
def test_sound_does_not_click_where_blocks_meet(tmp_path: Path, rate_hz: int) -> None:
    path = write_sound(tmp_path / "tone.wav", tone(2.0, rate_hz)[None], rate_hz)
    blocks = heard(path)
    assert len(blocks) > 5
    inside = np.concatenate(blocks)[200:-200, 0]
    bend = np.abs(np.diff(inside, 2)).max()
    assert bend < 1.05 * 0.25 * (2 * np.pi * TONE_HZ / RATE_HZ) ** 2


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 48_000])
def test_sound_in_blocks_is_the_sound_as_a_whole(tmp_path: Path, rate_hz: int) -> None:
    sound = tone(2.0, rate_hz)[None]
    path = write_sound(tmp_path / "tone.wav", sound, rate_hz, "pcm_f32le")
    whole = av.AudioFrame.from_ndarray(sound, "flt", "mono")
    whole.rate = rate_hz
    resampler = av.AudioResampler("flt", "mono", RATE_HZ)
    pieces = [*resampler.resample(whole), *resampler.resample(None)]
    expected = np.concatenate([piece.to_ndarray()[0] for piece in pieces])
    np.testing.assert_allclose(np.concatenate(heard(path))[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("channels", [3, 5, 6, 17])
def test_channels_without_a_name_are_kept_as_they_are(tmp_path: Path, channels: int) -> None:
    samples = np.concatenate(heard(raw_wave(tmp_path / "many.wav", channels)))
    spectrum = np.abs(np.fft.rfft(samples, axis=0))
    loudest_hz = spectrum.argmax(axis=0) * RATE_HZ / len(samples)
    assert loudest_hz == pytest.approx([200.0 + 100 * n for n in range(channels)], abs=2)


def test_the_picture_on_the_cover_of_a_recording_is_nobody(tmp_path: Path) -> None:
    path = tmp_path / "cover.mp3"
    _, jpeg = cv2.imencode(".jpg", np.full((64, 64, 3), 200, np.uint8))
    with av.open(str(path), "w") as output:
        sound = output.add_stream("libmp3lame", rate=RATE_HZ, layout="mono")
        cover = output.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        packet = av.Packet(jpeg.tobytes())
        packet.stream, packet.pts, packet.dts = cover, 0, 0
        output.mux(packet)
        frame = av.AudioFrame.from_ndarray(tone(1.0, RATE_HZ)[None], "fltp", "mono")
        frame.rate, frame.pts = RATE_HZ, 0
        fifo = av.AudioFifo()
        fifo.write(frame)
        while piece := fifo.read(sound.codec_context.frame_size or 576):
            output.mux(sound.encode(piece))
        output.mux(sound.encode(None))
    with av.open(str(path)) as written:
        assert len(written.streams.video) == 1
    media = MediaFile.open(path, pytest.fail)
    assert (len(media.sound), media.pictures) == (1, ())


def held(path: Path, how: tuple[int, int, int, int]) -> Path:
    """Rewrite the matrix of an MP4 that says how the camera was held."""
    data = path.read_bytes()
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    at = data.index(upright, data.index(b"tkhd"))
    a, b, c, d = (number << 16 for number in how)
    turned = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:at] + turned + data[at + len(turned) :])
    return path


@pytest.mark.parametrize(
    ("how", "size", "bright"),
    [
        ((1, 0, 0, 1), (320, 160), (0, 0)),
        ((0, 1, -1, 0), (160, 320), (0, 1)),
        ((-1, 0, 0, -1), (320, 160), (1, 1)),
        ((0, -1, 1, 0), (160, 320), (1, 0)),
    ],
    ids=["upright", "turned right", "upside down", "turned left"],
)
def test_pictures_stand_upright_however_the_camera_was_held(
    tmp_path: Path, how: tuple[int, int, int, int], size: tuple[int, int], bright: tuple[int, int]
) -> None:
    path = tmp_path / "held.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 160, "yuv420p"
        pixels = np.zeros((160, 320, 3), np.uint8)
        pixels[:80, :160] = 255  # bright at the top left
        output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "bgr24")))
        output.mux(stream.encode(None))
    media = MediaFile.open(held(path, how), pytest.fail)
    (picture,) = media.frames(media.pictures[0], Fraction(2), pytest.fail)
    assert (picture.width, picture.height) == size
    grey = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    quarters = cv2.resize(grey, (2, 2), interpolation=cv2.INTER_AREA)
    assert np.unravel_index(quarters.argmax(), (2, 2)) == bright


@pytest.mark.parametrize("track", ["sound", "video"])
def test_a_codec_that_nobody_knows_leaves_its_track_out(tmp_path: Path, track: str) -> None:
    path = write_pictures(tmp_path / "odd.mkv", "mpeg4", seconds=0.5, sound_rate_hz=RATE_HZ)
    known, unknown = {
        "sound": (b"A_AAC", b"A_XYZ"),
        "video": (b"V_MPEG4/ISO/ASP", b"V_XYZQ4/ISO/ASP"),
    }[track]
    path.write_bytes(path.read_bytes().replace(known, unknown))
    warnings: list[str] = []
    media = MediaFile.open(path, warnings.append)
    assert (bool(media.sound), bool(media.pictures)) == (track == "video", track == "sound")
    assert warnings == [f"{path}: {track} track 1 does not decode, it is left out"]


@pytest.mark.parametrize(
    ("field", "value"),
    [((22, "<H"), 109), ((24, "<I"), 2**31 - 1)],
    ids=["109 channels", "2 GHz"],
)
def test_a_header_that_cannot_be_true_is_refused(
    tmp_path: Path, field: tuple[int, str], value: int
) -> None:
    path = raw_wave(tmp_path / "odd.wav", 1)
    data = bytearray(path.read_bytes())
    struct.pack_into(field[1], data, field[0], value)
    path.write_bytes(data)
    with pytest.raises(MediaError, match="none of its sound or pictures can be decoded"):
        MediaFile.open(path, lambda line: None)


def test_a_timestamp_of_another_century_is_damage_and_not_a_long_pause(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "slow.avi", "mpeg4", seconds=1.0)
    data = bytearray(path.read_bytes())
    scale, rate = struct.unpack_from("<II", data, data.index(b"vids") + 20)
    assert rate // scale == 10
    struct.pack_into("<I", data, data.index(b"vids") + 20, scale * 10**7)  # 11 days a picture
    path.write_bytes(data)
    warnings: list[str] = []
    media = MediaFile.open(path, warnings.append)
    pictures = list(media.frames(media.pictures[0], Fraction(2), warnings.append))
    assert [picture.at_ns for picture in pictures] == [0]
    assert warnings == [f"{path}: video track 1 has 9 damaged pieces; what decoded is used"]


def test_a_recording_that_was_paused_overnight_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "paused.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for second in (0, 1, 50_000):
            samples = (tone(1.0, RATE_HZ)[None] * 32_767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.rate, frame.pts = RATE_HZ, second * RATE_HZ
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    media = MediaFile.open(path, pytest.fail)
    blocks = list(media.blocks(media.sound[0], pytest.fail))
    assert sum(len(block.samples) for block in blocks) == 3 * RATE_HZ
    assert blocks[-1].first_sample + len(blocks[-1].samples) == 50_001 * RATE_HZ


@pytest.mark.parametrize("name", ["call.wav", "call.mp3", "call.mkv", "call.mp4", "call.avi"])
def test_damage_anywhere_in_a_file_is_left_out_or_refused_in_one_line(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    match path.suffix:
        case ".wav":
            write_sound(path, tone(1.0, 8_000)[None], 8_000, "pcm_mulaw")
        case ".mp3":
            write_sound(path, tone(1.0, 16_000)[None], 16_000, "libmp3lame")
        case ".avi":
            write_pictures(path, "mpeg4", seconds=1.0)
        case _:
            write_pictures(path, seconds=1.0, sound_rate_hz=16_000)
    whole = path.read_bytes()
    chance = random.Random(name)
    said = SourceOptions(conversation="c-1", start_ns=0)
    refusals: list[str] = []
    for _ in range(30):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.randrange(chance.choice((min(len(data), 1_200), len(data))))] = (
                chance.randrange(256)
            )
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(1, len(data))))])
        try:
            source = FileSource.open(path, said, now_ns=0, warn=lambda line: None)
        except MediaError as exc:
            refusals.append(str(exc))
            continue
        for item in records(source, lambda line: None):
            encode(item.record)
    assert all("\n" not in line for line in refusals)


@pytest.mark.parametrize(
    ("name", "tracks", "seconds"),
    [
        ("phone_two_party_30s.wav", ((1,), 0), 30.0),
        ("mulaw_8k.wav", ((1,), 0), None),
        ("stereo_two_channel.wav", ((2,), 0), None),
        ("several_faces_audio_10s.mp4", None, 10.0),
        ("no_face.mp4", None, None),
    ],
)
def test_real_recordings_are_read_to_their_end(
    shared_data: Path,
    name: str,
    tracks: tuple[tuple[int, ...], int] | None,
    seconds: float | None,
) -> None:
    media = MediaFile.open(shared_data / "clips" / name, pytest.fail)
    if tracks is not None:
        channels = tuple(len(track.channels) for track in media.sound)
        assert (channels, len(media.pictures)) == tracks
    if seconds is not None:
        assert media.duration_ns == pytest.approx(seconds * SECOND_NS, rel=0.02)
    for track in media.sound:
        *_, last = media.blocks(track, pytest.fail)
        end_ns = (last.first_sample + len(last.samples)) * SECOND_NS // RATE_HZ
        assert end_ns == pytest.approx(media.duration_ns, abs=SECOND_NS // 4)
    for picture_track in media.pictures:
        pictures = list(media.frames(picture_track, Fraction(2), pytest.fail))
        assert len(pictures) == pytest.approx(media.duration_ns * 2 / SECOND_NS, abs=1.5)
