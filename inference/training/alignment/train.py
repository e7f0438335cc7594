"""Trains the shared space, and writes what `inference.alignment.space` opens."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.alignment.space import Inputs
from inference.alignment.towers import Towers
from inference.errors import AffectstreamError
from inference.experts.voice_encoder import VOICE_SPACE
from inference.experts.word_vectors import SPACE as WORD_SPACE
from inference.labels import Modality
from inference.networks.folder import rounded, save_weights
from inference.training.action_units import ACTION_UNIT_SPACE
from inference.training.alignment.learn import (
    USUAL,
    AlignmentLosses,
    Extent,
    Material,
    fresh_towers,
)
from inference.training.alignment.takes import Takes, Vectorises
from inference.training.loop import History, Plan, fit

NAME: Final = "shared"
VERSION: Final = 1
EPOCHS: Final = 25
LEARNING_RATE: Final = 1e-3
SPACES: Final = {
    Modality.SPEECH: VOICE_SPACE,
    Modality.TEXT: WORD_SPACE,
    Modality.FACE: ACTION_UNIT_SPACE,
}
FEWEST_SPEAKERS: Final = 2
EMODB_AND_LINES: Final = (
    "EmoDB (Burkhardt et al. 2005), CC0-1.0, without speakers 03 and 16; GoEmotions (Demszky et "
    "al. 2020), CC BY 4.0; pairs of a voice and a line share a label and nothing else"
)
RAVDESS: Final = (
    "RAVDESS speech (Livingstone and Russo 2018) and its action units (Luna-Jimenez et al. "
    "2021), CC BY-NC-SA 4.0"
)


class TooFewSpeakersError(AffectstreamError):
    """Nobody is left to judge a training by."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """Towers as they will be kept, and how they came about."""

    towers: Towers
    history: History


def apart(takes: Takes) -> tuple[Takes, Takes]:
    """Takes to learn from, and those of the last speaker in order of name, to judge by.

    Raises:
        TooFewSpeakersError: there are fewer than two.
    """
    names = np.unique(takes.speakers)
    if len(names) < FEWEST_SPEAKERS:
        raise TooFewSpeakersError(
            f"{len(names)} speakers: training needs at least {FEWEST_SPEAKERS}, the last of whom "
            "only judges it; name a folder with more of the corpus"
        )
    last: NDArray[np.bool_] = takes.speakers == names[-1]
    return takes.of(~last), takes.of(last)


def learn(
    material: Material,
    held_out: Material,
    words: Vectorises,
    plan: Plan,
    on_epoch: Callable[[], None] = lambda: None,
    extent: Extent = USUAL,
) -> Learnt:
    """Learn a space: begin in closed form, then `plan`, then the precision it is kept in.

    Args:
        material: to learn from.
        held_out: to judge each epoch by.
        words: makes vectors of captions.
        plan: see `inference.training.loop`.
        on_epoch: called after each.
        extent: how much is drawn.

    Raises:
        TrainingError: see `inference.training.loop.fit`.
    """
    towers = fresh_towers(material, words, plan.seed, extent.captions)
    losses = AlignmentLosses(towers, material, held_out, words, extent)
    history = fit(towers, losses, plan, on_epoch)
    rounded(towers)
    return Learnt(towers.eval(), history)


def save(
    learnt: Learnt,
    folder: Path,
    words: Vectorises,
    edges: NDArray[np.float64],
    *,
    data: str,
    licence: str,
    training: Mapping[str, str | int | float],
) -> str:
    """Write weights, config and history into `folder`; gives the digest.

    Args:
        learnt: from `learn`.
        folder: is made.
        words: with which captions were read.
        edges: (2, measures) of thirds.
        data: what was learnt from.
        licence: of the weights.
        training: seed and counts.
    """
    towers = learnt.towers
    sizes = {
        modality: int(towers.modalities[str(modality)].mean.shape[0])  # type: ignore[index]
        for modality in SPACES
        if str(modality) in towers.modalities
    }
    low, high = ([round(float(edge), 4) for edge in row] for row in edges)
    config = Inputs(
        name=NAME,
        version=VERSION,
        data=data,
        licence=licence,
        spaces={modality: SPACES[modality] for modality in sizes},
        sizes=sizes,
        words=words.version,
        query_size=int(towers.query.mean.shape[0]),
        edges=(tuple(low), tuple(high)),
        training={
            **training,
            "epochs": len(learnt.history.epochs),
            "best_epoch": learnt.history.best + 1,
            "temperature": round(float(towers.temperature().detach()), 4),
            "torch": version("torch"),
            "python": platform.python_version(),
        },
    )
    digest = save_weights(folder, config, towers.state_dict())
    learnt.history.save(folder)
    return digest
