"""Fits the temperature of somebody's classifier on material that it never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from inference.calibration.temperature import HIGHEST, CalibrationError, fit_temperature
from inference.evidence import Expert
from inference.experts.huggingface.classifier import Classifier
from inference.experts.huggingface.face import CheckpointFaceExpert, crop
from inference.experts.huggingface.sidecar import Sidecar
from inference.experts.huggingface.source import CheckpointError
from inference.experts.huggingface.speech import CheckpointSpeechExpert
from inference.experts.huggingface.text import CheckpointTextExpert
from inference.experts.sights import Sights
from inference.experts.text_features import clean
from inference.training.audio_file import read_audio
from inference.training.encoder import spoken_pieces
from inference.training.head_fit import NothingToLearnError
from inference.training.manifest import Item, Manifest
from inference.window import CameraFrame

FEWEST: Final = 30
"""Readings under which one number says more about chance than about the checkpoint."""
_AT_BOUND: Final = 0.99


@dataclass(frozen=True, slots=True)
class Readings:
    """What the checkpoint says of the material, at temperature 1.

    Attributes:
        log_probs: (rows, labels) natural log.
        labels: (rows,) column of the truth.
        left_out: items without a row: nothing to read in them, or a label that the
            checkpoint does not know.
    """

    log_probs: NDArray[np.float64]
    labels: NDArray[np.intp]
    left_out: int


def read_items(
    expert: Expert, items: Sequence[Item], on_item: Callable[[], None] = lambda: None
) -> Readings:
    """Ask the checkpoint of `expert` about every item.

    Recordings are read in pieces as long as a window, as they are and as a telephone
    carries them; of a picture (JPEG) the largest face is read.

    Raises:
        CheckpointError: it is no classifier: a head of our own is calibrated already.
    """
    take = _taker(expert)
    reader = getattr(expert, "reader", None)
    if take is None or not isinstance(reader, Classifier):
        raise CheckpointError(f"{expert.version}: has its temperature; only classifiers need one")
    plain = replace(reader, sidecar=msgspec.structs.replace(reader.sidecar, temperature=None))
    rows: list[NDArray[np.float64]] = []
    labels: list[int] = []
    left_out = 0
    for item in items:
        contents = take(item) if item.label in plain.labels else ()
        rows += [plain.read(content).log_probs for content in contents]
        labels += [plain.labels.index(item.label) for _ in contents]
        left_out += not contents
        on_item()
    return Readings(
        np.array(rows).reshape(len(rows), len(plain.labels)), np.array(labels, dtype=int), left_out
    )


def fitted_sidecar(readings: Readings, sidecar: Sidecar, manifest: Manifest) -> Sidecar:
    """`sidecar` with a temperature, classes weighing the same.

    Raises:
        NothingToLearnError: too few readings, or all of one label.
        CalibrationError: what the checkpoint says has nothing to do with the labels.
    """
    rows, kinds = len(readings.labels), len(set(readings.labels.tolist()))
    if rows < FEWEST or kinds < 2:  # noqa: PLR2004 - one label is no choice
        raise NothingToLearnError(
            f"{rows} readings of {kinds} labels: a temperature needs {FEWEST} of two labels or "
            "more that the checkpoint knows"
        )
    temperature = fit_temperature(readings.log_probs, readings.labels)
    if temperature > _AT_BOUND * HIGHEST:
        raise CalibrationError(
            f"the best temperature is {HIGHEST:.0f} or more: on this material the checkpoint "
            "is no better than chance"
        )
    about = f"{manifest.about.get('manifest', 'a manifest')}; {rows} readings"
    return msgspec.structs.replace(sidecar, temperature=temperature, fitted_on=about)


def _taker(expert: Expert) -> Callable[[Item], Sequence[Any]] | None:
    """From an item to what the reader of `expert` reads."""
    if isinstance(expert, CheckpointSpeechExpert):
        ears = expert.voice_activity
        return lambda item: list(spoken_pieces(read_audio(item.file), ears))
    if isinstance(expert, CheckpointTextExpert):
        return lambda item: [text] if (text := clean(item.text)) else []
    if isinstance(expert, CheckpointFaceExpert):
        sights = expert.sights
        return lambda item: _largest_face(item, sights)
    return None


def _largest_face(item: Item, sights: Sights) -> list[NDArray[np.uint8]]:
    seen = sights.see(CameraFrame(0, item.file.read_bytes()))
    return [] if seen is None else [crop(seen.picture, face) for face in seen.faces[:1]]
