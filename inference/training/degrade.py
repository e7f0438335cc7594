"""What cutting, codecs, lines and rooms do to a recording before anybody hears it."""

import io
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray
from scipy import signal

from inference.training.audio_file import decode_audio
from inference.window import SPEECH_RATE_HZ

Samples = NDArray[np.float32]

TWO_SECONDS: Final = 2 * SPEECH_RATE_HZ
CUT_S: Final = (1.5, 3.0)
SHORT_CUT_S: Final = (0.6, 1.5)
"""A word or two, from the least that the expert judges."""
OPUS_KBIT_S: Final = (16, 48)
SNR_DB: Final = (10.0, 30.0)
LINE_RATE_HZ: Final = 8_000
LINE_BAND_HZ: Final = (300.0, 3_400.0)
MU: Final = 255.0


def as_two_second_opus(samples: Samples) -> Samples:
    """The first 2.00 s, padded with zeros at the end, as Opus at 33 kbit/s."""
    cut = samples[:TWO_SECONDS]
    return opus_round_trip(np.pad(cut, (0, TWO_SECONDS - len(cut))), bit_rate=33_000)


def random_cut(
    samples: Samples, random: np.random.Generator, seconds: tuple[float, float] = CUT_S
) -> Samples:
    """A piece of a length in `seconds` from anywhere; shorter recordings stay whole."""
    length = min(len(samples), round(random.uniform(*seconds) * SPEECH_RATE_HZ))
    start = int(random.integers(0, len(samples) - length + 1))
    return samples[start : start + length]


def random_opus(samples: Samples, random: np.random.Generator) -> Samples:
    """`opus_round_trip` at 16 to 48 kbit/s."""
    return opus_round_trip(samples, bit_rate=1_000 * int(random.integers(*OPUS_KBIT_S)))


def opus_round_trip(samples: Samples, bit_rate: int) -> Samples:
    """Encode as Ogg Opus at `bit_rate` bits a second and decode again, same length."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SPEECH_RATE_HZ)
        stream.bit_rate = bit_rate
        stream.layout = "mono"
        pcm = (np.clip(samples, -1.0, 1.0) * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = SPEECH_RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as recording:
        return _same_length(decode_audio(recording), len(samples))


def telephone(samples: Samples) -> Samples:
    """A telephone line: 300-3400 Hz, 8 kHz, 8-bit mu-law, back to 16 kHz, same length.

    Source: ITU-T G.711. Departure: the continuous mu-law formula with 256 levels stands in
    for the segmented table.
    """
    band = signal.butter(6, LINE_BAND_HZ, "bandpass", fs=SPEECH_RATE_HZ, output="sos")
    line = signal.resample_poly(signal.sosfilt(band, samples), LINE_RATE_HZ, SPEECH_RATE_HZ)
    line = np.clip(line, -1.0, 1.0)
    companded = np.sign(line) * np.log1p(MU * np.abs(line)) / np.log1p(MU)
    companded = np.round((companded + 1.0) / 2.0 * MU) / MU * 2.0 - 1.0
    expanded = np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(MU)) / MU
    back = signal.resample_poly(expanded, SPEECH_RATE_HZ, LINE_RATE_HZ)
    return _same_length(back.astype(np.float32), len(samples))


def random_noise(
    samples: Samples, random: np.random.Generator, snr_db: tuple[float, float] = SNR_DB
) -> Samples:
    """Pink noise added, the recording `snr_db` above it."""
    spectrum = np.fft.rfft(random.standard_normal(len(samples)))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
    noise = np.fft.irfft(spectrum, len(samples))
    wanted = np.sqrt(np.mean(samples**2)) * 10 ** (-random.uniform(*snr_db) / 20)
    noise *= wanted / np.sqrt(np.mean(noise**2))
    return (samples + noise).astype(np.float32)


def _same_length(samples: Samples, length: int) -> Samples:
    """Cut or pad the end by the few samples that a codec adds or drops."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
