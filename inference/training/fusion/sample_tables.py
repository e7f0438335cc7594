"""Made-up feature tables of a sentiment task: to try the recipe on before data is at hand."""

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.labels import MODALITIES, Modality
from inference.training.fusion.tables import DESCRIBING

SENTIMENTS: Final = ("negative", "neutral", "positive")
SIZES: Final = {Modality.SPEECH: 20, Modality.TEXT: 16, Modality.FACE: 12}
CLEARNESS: Final = {Modality.SPEECH: 0.55, Modality.TEXT: 0.75, Modality.FACE: 0.45}
"""Length of what a class adds, over the deviation of the noise of one feature, times two."""
OWN: Final = 0.4
"""Deviation between speakers, over that of the noise."""
MISSING: Final = {Modality.SPEECH: 0.1, Modality.TEXT: 0.15, Modality.FACE: 0.4}


def write_sample_tables(
    folder: Path, *, speakers: int = 20, each: int = 45, seed: int = 0
) -> dict[str, Path]:
    """Write `speech.csv`, `text.csv` and `face.csv`; equal seeds give equal files.

    Three sentiments, known to each modality in part; speakers differ; rows are missing at
    random, most of them faces. Nobody's voice, words or face is behind a number.

    Args:
        folder: made if there is none.
        speakers: how many.
        each: samples of each.
        seed: of everything.

    Returns:
        The files by modality.
    """
    random = np.random.default_rng(seed)
    count = speakers * each
    truth = random.integers(len(SENTIMENTS), size=count)
    speaker = np.repeat(np.arange(speakers), each)
    there = np.stack([random.random(count) >= MISSING[one] for one in MODALITIES], axis=1)
    there[~there.any(axis=1), MODALITIES.index(Modality.TEXT)] = True
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for place, modality in enumerate(MODALITIES):
        size = SIZES[modality]
        means = 2 * CLEARNESS[modality] * _directions(random, size)
        own = OWN * random.normal(size=(speakers, size))
        features = means[truth] + own[speaker] + random.normal(size=(count, size))
        paths[modality.value] = path = folder / f"{modality}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*DESCRIBING, *(f"{modality}_{number}" for number in range(size))])
            for row in np.flatnonzero(there[:, place]):
                described = [f"s{row:04}", f"p{speaker[row]:02}", SENTIMENTS[truth[row]]]
                writer.writerow([*described, *np.round(features[row], 4).tolist()])
    return paths


def _directions(random: np.random.Generator, size: int) -> NDArray[np.float64]:
    """(sentiments, size) unit vectors."""
    drawn = random.normal(size=(len(SENTIMENTS), size))
    unit: NDArray[np.float64] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit
