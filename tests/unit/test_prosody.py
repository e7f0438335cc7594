"""What one window's own speech is like: effort is tested apart, pitch too."""

from pathlib import Path

import numpy as np
import pytest

from inference.evidence import Prosody
from inference.experts.own_voice import MEASURES
from inference.experts.pace import pace_per_s
from inference.experts.prosody import _melody, prosody_of
from inference.experts.voice_activity import FRAME_SAMPLES, VoiceActivity, Voicing
from inference.training.audio_file import read_audio
from inference.training.degrade import telephone
from inference.training.emodb import HELD_OUT_SPEAKERS, Category, find_clips
from inference.units import SECOND_NS
from inference.window import SPEECH_RATE_HZ

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"
WINDOW_SAMPLES = 3 * SPEECH_RATE_HZ
PAUSE_SAMPLES = SPEECH_RATE_HZ * 3 // 2
START_NS = 1_000 * SECOND_NS
LEAST_SHARE = 0.2


@pytest.fixture(scope="module")
def voice_activity() -> VoiceActivity:
    return VoiceActivity.load()


def spoken(samples: np.ndarray) -> Voicing:
    return Voicing(np.ones(-(-len(samples) // FRAME_SAMPLES), dtype=np.float32), len(samples))


def bursts(per_s: float, seconds: float = 3.0, floor: float = 0.01) -> np.ndarray:
    """Noise that swells `per_s` times a second."""
    random = np.random.default_rng(5)
    at_s = np.arange(round(seconds * SPEECH_RATE_HZ)) / SPEECH_RATE_HZ
    swell = np.maximum(np.sin(np.pi * per_s * at_s) ** 2, floor)
    return (0.1 * swell * random.normal(size=len(at_s))).astype(np.float32)


@pytest.mark.parametrize("per_s", [2.0, 4.0, 6.0])
def test_pace_counts_swells_of_loudness_in_a_second(per_s: float) -> None:
    sound = bursts(per_s)
    assert pace_per_s(sound, spoken(sound)) == pytest.approx(per_s, abs=0.4)


def test_pauses_and_the_volume_of_the_line_leave_the_pace_as_it_is() -> None:
    sound = bursts(4.0, seconds=2.0)
    longer = np.pad(sound, (0, SPEECH_RATE_HZ))
    frames = np.arange(-(-len(longer) // FRAME_SAMPLES))
    heard = Voicing((frames < len(sound) // FRAME_SAMPLES).astype(np.float32), len(longer))
    assert pace_per_s(longer, heard) == pytest.approx(4.0, abs=0.4)
    assert pace_per_s(np.float32(0.05) * longer, heard) == pace_per_s(longer, heard)


def test_a_voice_whose_frames_are_all_far_from_their_median_has_no_melody() -> None:
    octaves = np.array([10.0] * 6 + [26.0] * 6)
    assert _melody(octaves, float(np.median(octaves))) is None


def test_a_word_has_no_pace() -> None:
    sound = bursts(4.0, seconds=0.9)
    assert pace_per_s(sound, spoken(sound)) is None


def of(name: str, voice_activity: VoiceActivity, line: str) -> Prosody:
    samples = read_audio(RECORDINGS / f"{name}.flac")
    samples = telephone(samples) if line == "telephone" else samples
    return prosody_of(samples, voice_activity.detect(samples), START_NS)


@pytest.mark.parametrize("line", ["wideband", "telephone"])
def test_an_angry_sentence_is_higher_and_louder_in_effort_than_a_neutral_one(
    voice_activity: VoiceActivity, line: str
) -> None:
    calm, angry = (of(name, voice_activity, line) for name in ("03a01Nc", "03a01Wa"))
    assert calm.pitch_semitones is not None
    assert angry.pitch_semitones is not None
    assert angry.pitch_semitones > calm.pitch_semitones + 6
    assert calm.effort_db is not None
    assert angry.effort_db is not None
    assert angry.effort_db > calm.effort_db + 3


def test_spoken_times_are_event_times_inside_the_window(voice_activity: VoiceActivity) -> None:
    samples = read_audio(RECORDINGS / "03a01Nc.flac")
    voicing = voice_activity.detect(samples)
    times = prosody_of(samples, voicing, START_NS).spoken_ns
    assert len(times) == len(voicing.spans)
    assert all(START_NS <= begin < end <= START_NS + 3 * SECOND_NS for begin, end in times)
    seconds = sum(end - begin for begin, end in times) / SECOND_NS
    assert seconds == pytest.approx(voicing.voiced_samples / SPEECH_RATE_HZ)


def test_a_whisper_has_effort_and_pace_and_no_pitch() -> None:
    whisper = bursts(4.0)
    found = prosody_of(whisper, spoken(whisper), START_NS)
    assert (found.pitch_semitones, found.melody_semitones) == (None, None)
    assert found.effort_db is not None
    assert found.pace_per_s is not None


@pytest.mark.slow
def test_typical_spreads_are_those_of_neutral_speech(
    voice_activity: VoiceActivity, shared_data: Path
) -> None:
    """Windows of neutral sentences with pauses of 1.5 s, both lines, without held-out speakers."""
    lines: dict[tuple[str, str], list[np.ndarray]] = {}
    for clip in find_clips(shared_data / "speech" / "emodb"):
        if clip.category is Category.NEUTRAL and clip.speaker not in HELD_OUT_SPEAKERS:
            samples = read_audio(clip.path)
            for line, heard in (("wideband", samples), ("telephone", telephone(samples))):
                pause = np.zeros(PAUSE_SAMPLES, np.float32)
                lines.setdefault((clip.speaker, line), []).extend((heard, pause))
    variances: dict[str, list[float]] = {name: [] for name in MEASURES}
    for parts in lines.values():
        found = measured(np.concatenate(parts), voice_activity)
        for name, values in variances.items():
            known = [value for one in found if (value := getattr(one, name)) is not None]
            values.append(float(np.var(known, ddof=1)))
    spreads = {name: float(np.sqrt(np.mean(values))) for name, values in variances.items()}
    read_aloud = {name: measure.typical_sd for name, measure in MEASURES.items()}
    read_aloud["pitch_semitones"] = 1.4  # of talk it is wider, see `MEASURES`
    assert spreads == pytest.approx(read_aloud, rel=0.08)


def measured(line: np.ndarray, voice_activity: VoiceActivity) -> list[Prosody]:
    """Of every window with enough speech, one a second."""
    found = []
    for start in range(0, len(line) - WINDOW_SAMPLES + 1, SPEECH_RATE_HZ):
        samples = line[start : start + WINDOW_SAMPLES]
        voicing = voice_activity.detect(samples)
        if voicing.voiced_samples >= LEAST_SHARE * WINDOW_SAMPLES:
            found.append(prosody_of(samples, voicing, START_NS))
    return found
