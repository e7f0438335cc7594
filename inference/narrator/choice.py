"""The narrator that a setting names."""

from pathlib import Path
from typing import Final

from inference.narrator.contract import Narrator
from inference.narrator.template import TemplateNarrator

NONE, TEMPLATE, SMALL = "none", "template", "small"
NAMES: Final = (NONE, TEMPLATE, SMALL)
"""Anything else is a folder."""


def open_narrator(name: str, models_dir: Path) -> Narrator | None:
    """The narrator of that name; None for `none`.

    Args:
        name: `none`, `template`, `small`, or a folder: one that `affectstream train narrator`
            wrote, or a causal language model of transformers for which it has trained.
        models_dir: where a folder that is not there is looked for too.

    Raises:
        WeightsError: the folder holds no narrator.
    """
    if name == NONE:
        return None
    if name == TEMPLATE:
        return TemplateNarrator()
    # torch and what stands on it wait until somebody asks for a network
    from inference.narrator import small  # noqa: PLC0415

    if name == SMALL:
        return open_small(small.WEIGHTS)
    folder = Path(name)
    if not folder.exists():
        folder = models_dir / name
    return open_small(folder) if (folder / small.VOCABULARY_FILE).exists() else open_frozen(folder)


def open_small(folder: Path) -> Narrator:
    """The model of our own in `folder`. Raises WeightsError."""
    from inference.narrator.model_narrator import ModelNarrator  # noqa: PLC0415 - torch
    from inference.narrator.small import load_small  # noqa: PLC0415

    model, vocabulary, weights = load_small(folder)
    return ModelNarrator(model.flamingo, vocabulary, weights.config.longest, weights.version)


def open_frozen(folder: Path) -> Narrator:
    """Somebody's model in `folder`, with what was trained for it. Raises WeightsError."""
    from inference.narrator.frozen import load_adapter, open_checkpoint  # noqa: PLC0415
    from inference.narrator.model_narrator import ModelNarrator  # noqa: PLC0415 - torch

    checkpoint = open_checkpoint(folder)
    model, weights = load_adapter(folder, checkpoint)
    return ModelNarrator(model, checkpoint.pieces, weights.config.longest, weights.version)
