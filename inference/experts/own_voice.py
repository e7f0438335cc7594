"""A participant's own voice: what it is usually like, and how far one window is from it.

Explains and feeds `change`; no probability is made from it. Normalising features by speaker
was tried and destroyed what the heads know: whoever is angry throughout becomes neutral.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from inference.evidence import Cue, Prosody
from inference.labels import Modality
from inference.score import DECIMALS, UsualMeasure, UsualVoice
from inference.units import SECOND_NS

MOST_CUES: Final = 2
NOTABLE_SD: Final = 2.0
"""Four measures are compared, so one is often a little off. From here on 14 % of EmoDB's calm
sentences have a cue (23 % over a telephone) and all of the angry ones; from 1.5, 45 % and all."""
KNOWN_FROM_S: Final = 10.0
"""Own speech from which a measure is compared. Every window teaches until then."""
FIRST_S: Final = 60.0
"""So much speech builds the usual voice, each second counting the same."""
HALF_LIFE_S: Final = 600.0
"""Afterwards it moves with this half-life, in seconds of own speech: in plain event time a
single word after a long hold would be all that is left of it."""
TYPICAL_S: Final = 20.0
"""The typical spread counts like so much own speech, about seven windows without overlap: three
windows say little about a spread, and a monotone voice must not make every word remarkable."""
FURTHEST_SD: Final = 6.0
"""More than this says no more, and an octave slip of the pitch cannot outvote the effort."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One field of `Prosody`, and how a reader is told of it.

    Attributes:
        typical_sd: between neutral windows of one speaker.
        rises: the name of a difference upwards.
        falls: the same downwards.
        aroused: whether listeners hear a rise as arousal.
    """

    typical_sd: float
    rises: str
    falls: str
    aroused: bool


MEASURES: Final[Mapping[str, Measure]] = {
    "pitch_semitones": Measure(2.0, "pitch", "pitch", aroused=True),
    "melody_semitones": Measure(0.55, "melody livelier", "melody flatter", aroused=False),
    "effort_db": Measure(2.6, "voice raised", "voice softer", aroused=True),
    "pace_per_s": Measure(0.7, "speech faster", "speech slower", aroused=False),
}
"""Spreads: EmoDB, eight actors, windows of neutral sentences with pauses of 1.5 s, wideband and
telephone alike. Of pitch that is 1.4, but 2.5 and 2.9 of the two parties of a real call: talk is
less even than reading, so 2.

Pitch and effort rise with anger, fear and joy alike (Banse and Scherer 1996; Juslin and Laukka
2003). Melody and pace tell little of it (EmoDB, wideband, against the own neutral voice: AUC .65
and .67; pitch .98, effort .87), but sadness is flat and boredom slow: they are cues only."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the voice of one window stands to its owner's usual one; never without a distance.

    Attributes:
        distances_sd: standard deviations by the name of a field of `Prosody`.
        cues: those worth reading, furthest first.
        change: see `change_of`.
    """

    distances_sd: Mapping[str, float]
    cues: tuple[Cue, ...]
    change: float | None


def compare(usual: UsualVoice | None, prosody: Prosody | None) -> Comparison | None:
    """Compare one window with what earlier ones taught; None where nothing can be compared."""
    if usual is None or prosody is None:
        return None
    distances_sd = distances(usual, prosody)
    if not distances_sd:
        return None
    return Comparison(distances_sd, _cues(usual, distances_sd, prosody), change_of(distances_sd))


def distances(usual: UsualVoice, prosody: Prosody) -> dict[str, float]:
    """How many standard deviations each known measure is from the usual voice.

    A measure is left out where the window has none, or where less than `KNOWN_FROM_S` of own
    speech taught it. The spread is the own one shrunk to the typical one, as a variance:
    (20 s typical + own) / (20 s + own seconds).
    """
    found: dict[str, float] = {}
    for name, measure in MEASURES.items():
        value, own = getattr(prosody, name), usual.measures.get(name)
        if value is None or own is None or own.seconds < KNOWN_FROM_S:
            continue
        squares = TYPICAL_S * measure.typical_sd**2 + own.seconds * own.variance
        found[name] = (value - own.mean) / math.sqrt(squares / (TYPICAL_S + own.seconds))
    return found


def change_of(distances_sd: Mapping[str, float]) -> float | None:
    """Mean distance of pitch and effort, up where a voice gets aroused; None without either.

    In sd, each at most `FURTHEST_SD`. A plain mean: the two hardly go together in neutral
    speech (correlation -.1), and neither is the better one for everybody. Where half of a
    speaker's calm sentences teach, it ranks aroused above calm ones with an AUC of .98 (EmoDB,
    n = 406; over a telephone .96) and, in a corpus on which nothing here was chosen, of .86
    (RAVDESS, 8 actors, n = 177): the test of this module measures it.
    """
    moved = [
        min(max(distances_sd[name], -FURTHEST_SD), FURTHEST_SD)
        for name, measure in MEASURES.items()
        if measure.aroused and name in distances_sd
    ]
    return sum(moved) / len(moved) if moved else None


def _cues(
    usual: UsualVoice, distances_sd: Mapping[str, float], prosody: Prosody
) -> tuple[Cue, ...]:
    furthest = sorted(distances_sd, key=lambda name: -abs(distances_sd[name]))
    at_ns = prosody.spoken_ns[0][0] if prosody.spoken_ns else None
    return tuple(
        Cue(
            modality=Modality.SPEECH,
            cue=_told(MEASURES[name], distances_sd[name], usual.measures[name].seconds),
            at_ns=at_ns,
        )
        for name in furthest[:MOST_CUES]
        if abs(distances_sd[name]) >= NOTABLE_SD
    )


def taught(
    usual: UsualVoice | None, prosody: Prosody, end_ns: int, *, distressed: bool
) -> UsualVoice:
    """The usual voice after one more window, for the next ones.

    A window counts by the seconds of its speech that no earlier window held, so windows that
    overlap count nothing twice. One in which the voice sounds distressed teaches nothing once
    the measure is known: else a minute of shouting would become the usual voice, and its end
    would be the change. Who shouts from the start is compared with that, and falls. Only the
    voice decides: whether words or a face are there changes nothing here.

    Source: West 1979 (weighted running mean and variance); after the first minute the weight
    of a second is the constant 1 - 2^(-1/600).

    Args:
        usual: before, None at the first window.
        prosody: of the window.
        end_ns: of the window.
        distressed: whether distress is likelier than not, by the voice and an even prior.
    """
    before = usual or UsualVoice()
    seconds = _unheard_s(prosody.spoken_ns, before.heard_until_ns)
    measures = dict(before.measures)
    for name in MEASURES:
        value, own = getattr(prosody, name), measures.get(name, UsualMeasure())
        known = own.seconds >= KNOWN_FROM_S
        if value is not None and seconds > 0.0 and not (known and distressed):
            measures[name] = _moved(own, value, seconds)
    return UsualVoice(heard_until_ns=max(before.heard_until_ns, end_ns), measures=measures)


def _moved(own: UsualMeasure, value: float, seconds: float) -> UsualMeasure:
    if own.seconds < FIRST_S:
        share = seconds / (own.seconds + seconds)
    else:
        share = -math.expm1(-math.log(2.0) * seconds / HALF_LIFE_S)
    distance = value - own.mean
    return UsualMeasure(
        mean=round(own.mean + share * distance, DECIMALS),
        variance=round((1 - share) * (own.variance + share * distance**2), DECIMALS),
        seconds=round(min(own.seconds + seconds, FIRST_S), DECIMALS),
    )


def _unheard_s(spoken_ns: Iterable[tuple[int, int]], heard_until_ns: int) -> float:
    unheard_ns = sum(max(0, end - max(start, heard_until_ns)) for start, end in spoken_ns)
    return unheard_ns / SECOND_NS


def _told(measure: Measure, distance_sd: float, known_s: float) -> str:
    first = "first minute" if known_s >= FIRST_S else f"first {known_s:.0f} s of speech"
    name = measure.rises if distance_sd > 0 else measure.falls
    return f"{name} {distance_sd:+.1f} sd against own {first}"
