"""Where a label lies in the space that no window was learnt with: three ways to say what it means.

All of them ask the tower of queries, in words that captions use; none looks at an example.

1. By name: its own words.
2. By facts: what a face does and how a voice sounds, for and against.
3. By place: its pleasure, arousal and dominance, told in the names of labels that were learnt.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.alignment.captions import ADJECTIVES, MEASURES, NOUNS, VOICED, Third
from inference.labels import Emotion
from inference.training.alignment.faces import ACTIONS

PENALTY: Final = 1.0
"""Of the squared weights of learnt labels, on standardised dimensions: five labels are few."""
FACTS_WEIGHT: Final = 0.5
"""Of the facts beside the place, both of length one. Chosen, as `PENALTY` and the voices of
`PORTRAITS` are, on actors 1 to 16 of RAVDESS, who are not tested."""
SMALLEST_LENGTH: Final = 1e-9

Rows = NDArray[np.float32]
Floats = NDArray[np.float64]
Query = Callable[[str], Rows]
"""Makes a row of length one of a text."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """What somebody looks and sounds like.

    Attributes:
        face: action units that move.
        voice: in the order of `Measure`; the middle is not worth a word.
    """

    face: tuple[str, ...]
    voice: tuple[Third | None, ...]


_LOW, _HIGH = Third.LOW, Third.HIGH
PORTRAITS: Final[Mapping[Emotion, Portrait]] = {
    Emotion.ANGER: Portrait(("AU04", "AU05", "AU07", "AU23"), (_HIGH, _HIGH, _HIGH, _HIGH)),
    Emotion.DISGUST: Portrait(("AU09", "AU10", "AU17"), (None, _LOW, None, _LOW)),
    Emotion.FEAR: Portrait(
        ("AU01", "AU02", "AU04", "AU05", "AU20", "AU26"), (None, _HIGH, None, _HIGH)
    ),
    Emotion.JOY: Portrait(("AU06", "AU12"), (_HIGH, _HIGH, _HIGH, None)),
    Emotion.NEUTRAL: Portrait((), (_LOW, _LOW, _LOW, None)),
    Emotion.SADNESS: Portrait(("AU01", "AU04", "AU15"), (_LOW, _LOW, _LOW, _LOW)),
    Emotion.SURPRISE: Portrait(("AU01", "AU02", "AU05", "AU26"), (None, _HIGH, _HIGH, None)),
}
"""Faces: Ekman and Friesen's prototypes (EMFACS). Voices: after Scherer 2003; see
`FACTS_WEIGHT`."""
PLACES: Final[Mapping[Emotion, tuple[float, float, float]]] = {
    Emotion.ANGER: (-0.51, 0.59, 0.25),
    Emotion.DISGUST: (-0.60, 0.35, 0.11),
    Emotion.FEAR: (-0.64, 0.60, -0.43),
    Emotion.JOY: (0.81, 0.51, 0.46),
    Emotion.NEUTRAL: (0.0, 0.0, 0.0),
    Emotion.SADNESS: (-0.63, -0.27, -0.33),
    Emotion.SURPRISE: (0.40, 0.67, -0.13),
}
"""Pleasure, arousal and dominance of the words angry, disgusted, fearful, happy, sad and surprised
(Russell and Mehrabian 1977); neutral is the middle of all three scales by their making."""


def by_name(label: Emotion, query: Query) -> Floats:
    """(256,) of length one of the label's own words."""
    return _unit(_mean(ADJECTIVES[label] + NOUNS[label], query))


def by_facts(label: Emotion, query: Query) -> Floats:
    """(256,) of length one of the label's portrait, each fact against what it is not.

    A unit stands against the mean of all units that any portrait has, so that a face without
    any is one on which none of them moves; a high measure stands against a low one.
    """
    portrait = PORTRAITS[label]
    others = sorted({unit for one in PORTRAITS.values() for unit in one.face})
    face = -_mean([ACTIONS[unit] for unit in others], query)
    if portrait.face:
        face += _mean([ACTIONS[unit] for unit in portrait.face], query)
    voice = np.zeros_like(face)
    for measure, third in zip(MEASURES, portrait.voice, strict=True):
        if third is not None:
            against = Third.LOW if third is Third.HIGH else Third.HIGH
            voice += _mean(VOICED[measure, third], query) - _mean(VOICED[measure, against], query)
    return _unit(_unit(face) + _unit(voice))


def by_place(label: Emotion, learnt: Sequence[Emotion], query: Query) -> Floats:
    """(256,) of length one of the learnt labels' names, weighed so that they make the label.

    Source: Norouzi et al. 2014 (ConSE) place an example among classes by a mean of those that
    were learnt. Departures: it is the label that is placed, once, by published dimensions in
    place of word vectors, and weights may be negative: what is far from joy is unlike joy.
    """
    weights = place_weights(
        np.array([PLACES[one] for one in learnt]), np.array(PLACES[label], dtype=np.float64)
    )
    return _unit(weights @ np.array([by_name(one, query) for one in learnt]))


def by_place_and_facts(label: Emotion, learnt: Sequence[Emotion], query: Query) -> Floats:
    """(256,) the sum of both, facts weighed by `FACTS_WEIGHT`."""
    return by_place(label, learnt, query) + FACTS_WEIGHT * by_facts(label, query)


def place_weights(learnt: Floats, wanted: Floats) -> Floats:
    """(labels,) weights of learnt labels of which the mean weighs nothing: G (G^T G + p I)^-1 d.

    G are the learnt labels' places and d the wanted one, both standardised by the learnt. That
    is ridge regression of each dimension on which label a window has, read along d.

    Args:
        learnt: (labels, dimensions).
        wanted: (dimensions,).
    """
    mean, spread = learnt.mean(axis=0), learnt.std(axis=0)
    spread = np.where(spread > SMALLEST_LENGTH, spread, np.inf)  # what never varies says nothing
    places, place = (learnt - mean) / spread, (wanted - mean) / spread
    products = places.T @ places + PENALTY * np.eye(len(wanted))
    weights: Floats = places @ np.linalg.solve(products, place)
    return weights


def _mean(texts: Sequence[str], query: Query) -> Floats:
    mean: Floats = np.mean([query(text) for text in texts], axis=0, dtype=np.float64)
    return mean


def _unit(row: Floats) -> Floats:
    unit: Floats = row / max(float(np.linalg.norm(row)), SMALLEST_LENGTH)
    return unit
