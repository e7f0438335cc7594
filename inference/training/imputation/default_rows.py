"""The rows that shipped imputers are made from: voices of EmoDB, lines of GoEmotions."""

from collections.abc import Callable
from typing import Final

import numpy as np

from inference.labels import Modality
from inference.methods import SharedSpace
from inference.training.imputation.material import projected, shared_rows
from inference.training.imputation.rows import SharedRows
from inference.training.paired import Part, pseudo_pairs

DRAWS: Final = 3
"""Cuts of each recording."""
LINES_PER_VOICE: Final = 4
LICENCE: Final = "CC BY 4.0"
"""Of GoEmotions' data, with attribution; EmoDB asks for nothing."""


def materials(voices: str) -> str:
    """What the config says of the data."""
    return (
        f"{voices}; GoEmotions (Demszky et al. 2020), lines of dev with one label. Pairs share "
        "their label and nothing else; faces are not trained"
    )


def default_rows(
    voice: Part,
    text: Part,
    space: SharedSpace,
    seed: int,
    on_item: Callable[[], None] = lambda: None,
) -> SharedRows:
    """Each voice beside lines of its label, in the shared space; see `pseudo_pairs`.

    Args:
        voice: of EmoDB.
        text: of GoEmotions.
        space: they are placed in.
        seed: of the pairs.
        on_item: called after each item is placed.
    """
    pairs = pseudo_pairs(voice, text, LINES_PER_VOICE, np.random.default_rng(seed))
    placed = {
        Modality.SPEECH: projected(voice, space, on_item),
        Modality.TEXT: projected(text, space, on_item),
    }
    return shared_rows(pairs, placed)
