"""What cutting, codecs, lines and rooms do to a recording before anybody hears it."""

import io
from collections.abc import Callable
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
LINE_SNR_DB: Final = (0.0, 20.0)
"""Of what a telephone is held into: a street, a hall."""
LINE_LEVEL_DB: Final = (-40.0, -10.0)
"""Power of speech on a line, dB of full scale: companding eats what is quiet."""
POWER_FLOOR: Final = 1e-12
LINE_RATE_HZ: Final = 8_000
LINE_BAND_HZ: Final = (300.0, 3_400.0)
MU: Final = 255.0
A: Final = 87.6
HALF_LEVELS: Final = 127.5
PACKET_SAMPLES: Final = LINE_RATE_HZ // 50
"""20 ms, what most lines send at once."""
MOST_LOST: Final = 0.1
"""Share of packets that the worst line loses."""
BURST_PACKETS: Final = 2.0
"""Mean length of a loss: packets are lost together."""
CONCEALED_PACKETS: Final = 3
"""A loss is covered up for 60 ms, as in ITU-T G.711 appendix I; then it is silent."""

Line = NDArray[np.float64]
"""(samples,) at 8 kHz, in [-1, 1]."""
Carry = Callable[[Line], Line]
"""What a line does to what passes it."""


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


def mu_law(line: Line) -> Line:
    """Samples in [-1, 1] after 8-bit mu-law, the law of America and Japan.

    Source: ITU-T G.711. Departure: the continuous formula with 256 levels stands in for the
    segmented table.
    """
    companded = np.sign(line) * np.log1p(MU * np.abs(line)) / np.log1p(MU)
    companded = _eight_bits(companded)
    expanded: Line = np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(MU)) / MU
    return expanded


def a_law(line: Line) -> Line:
    """Samples in [-1, 1] after 8-bit A-law, the law of everywhere else. See `mu_law`."""
    scale = 1.0 + np.log(A)
    size = np.abs(line)
    curved = (1.0 + np.log(np.maximum(A * size, 1.0))) / scale
    companded = _eight_bits(np.sign(line) * np.where(size < 1.0 / A, A * size / scale, curved))
    size = np.abs(companded)
    straight = size * scale / A
    expanded: Line = np.sign(companded) * np.where(
        size < 1.0 / scale, straight, np.exp(size * scale - 1.0) / A
    )
    return expanded


LAWS: Final = (mu_law, a_law)


def telephone(samples: Samples, law: Carry = mu_law, carry: Carry = lambda line: line) -> Samples:
    """A telephone line: 300-3400 Hz, 8 kHz, 8 bits by `law`, `carry`, back to 16 kHz.

    The length stays as it is.
    """
    band = signal.butter(6, LINE_BAND_HZ, "bandpass", fs=SPEECH_RATE_HZ, output="sos")
    line = signal.resample_poly(signal.sosfilt(band, samples), LINE_RATE_HZ, SPEECH_RATE_HZ)
    heard = carry(law(np.clip(line, -1.0, 1.0)))
    back = signal.resample_poly(heard, SPEECH_RATE_HZ, LINE_RATE_HZ)
    return _same_length(back.astype(np.float32), len(samples))


def random_line(samples: Samples, random: np.random.Generator) -> Samples:
    """A bad telephone line: noise at 0-20 dB, any level, either law, up to a tenth lost."""
    noisy = random_noise(samples, random, LINE_SNR_DB)
    law = LAWS[random.integers(len(LAWS))]
    share = random.uniform(0.0, MOST_LOST)
    return telephone(
        random_level(noisy, random), law, lambda line: lose_packets(line, random, share)
    )


def random_level(samples: Samples, random: np.random.Generator) -> Samples:
    """The recording at a mean power in `LINE_LEVEL_DB`, clipped at full scale."""
    power = max(float(np.mean(np.square(samples, dtype=np.float64))), POWER_FLOOR)
    gain = 10 ** (random.uniform(*LINE_LEVEL_DB) / 20) / np.sqrt(power)
    levelled: Samples = np.clip(samples * gain, -1.0, 1.0).astype(np.float32)
    return levelled


def lose_packets(line: Line, random: np.random.Generator, share: float) -> Line:
    """Packets of 20 ms lost in bursts, covered up by the last one that came, fading.

    Source: Gilbert 1960, a line with a good and a bad state; ITU-T G.711 appendix I for the
    fading. Departure: the last packet is repeated as it is, not by its pitch.

    Args:
        line: what was sent.
        random: of the losses.
        share: of packets that are lost in the long run, under 1.
    """
    heard = line.copy()
    missing = 0
    begins = share / (1.0 - share) / BURST_PACKETS
    for start in range(PACKET_SAMPLES, len(line), PACKET_SAMPLES):
        lost = random.random() < (1.0 - 1.0 / BURST_PACKETS if missing else begins)
        missing = missing + 1 if lost else 0
        if lost:
            packet = heard[start : start + PACKET_SAMPLES]
            last = line[start - missing * PACKET_SAMPLES :][: len(packet)]
            packet[:] = last * max(0.0, 1.0 - missing / (CONCEALED_PACKETS + 1))
    return heard


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


def _eight_bits(companded: Line) -> Line:
    """The nearest of 256 levels over [-1, 1]."""
    levels: Line = np.round((companded + 1.0) * HALF_LEVELS) / HALF_LEVELS - 1.0
    return levels


def _same_length(samples: Samples, length: int) -> Samples:
    """Cut or pad the end by the few samples that a codec adds or drops."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
