"""Make the weights of a learned fuser from pairs, and say what came out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from inference.fusion.learned_artefact import LearnedConfig, LearnedName, build, save_learned
from inference.labels import EMOTIONS, Modality
from inference.networks.folder import rounded
from inference.training.fusion.draws import PER_ITEM
from inference.training.fusion.material import FusionMaterial, speaker_split
from inference.training.fusion.paired_material import material_of, readings_of
from inference.training.fusion.thresholds import fit_thresholds
from inference.training.fusion.train import Trained, read, train_fuser
from inference.training.loop import Plan
from inference.training.paired import Pairs, Part, pseudo_pairs

HELD_OUT: Final = 0.25
"""Share of speakers, and of lines, that are not trained on."""
SERVICE_WIDTH: Final = 128
CHECKPOINT: Final = "training.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What pairs are made from.

    Attributes:
        experts: by modality, version of those whose features are read.
    """

    data: str
    licence: str
    experts: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Pairs to learn from, and pairs of other speakers and other lines."""

    learned: Pairs
    held_out: Pairs


def split_pseudo(voice: Part, text: Part, seed: int, per_item: int = PER_ITEM) -> Split:
    """Voices beside lines of their label; a speaker and a line are on one side only."""
    random = np.random.default_rng(seed)
    voices = speaker_split(voice.groups, HELD_OUT, random)
    lines = speaker_split(text.groups, HELD_OUT, random)
    return Split(
        *(
            with_unheard(pseudo_pairs(voice.of(heard), text.of(said), per_item, random), random)
            for heard, said in ((~voices, ~lines), (voices, lines))
        )
    )


def with_unheard(pairs: Pairs, random: np.random.Generator) -> Pairs:
    """The pairs, and lines of labels that no voice shows beside voices of any label.

    No voice of EmoDB is surprised. Left out, surprise would be unlearnt, and a network would say
    anything of it; beside any voice, a network learns that only words tell.
    """
    text, voice = pairs.parts[Modality.TEXT], pairs.parts[Modality.SPEECH]
    unheard = np.flatnonzero(~np.isin(text.truth, voice.truth))
    if len(unheard) == 0 or len(pairs.rows) == 0:
        return pairs
    missing = len(np.unique(text.truth[unheard]))
    count = missing * len(pairs.rows) // len(np.unique(pairs.truth))
    said = unheard[random.integers(len(unheard), size=count)]
    heard = random.integers(len(voice.truth), size=count)
    rows = np.stack([heard, said, np.full(count, -1)], axis=1)
    return Pairs(
        pairs.parts,
        np.concatenate([pairs.rows, rows]),
        np.concatenate([pairs.truth, text.truth[said]]),
        np.concatenate([pairs.groups, voice.groups[heard]]),
    )


def split_real(pairs: Pairs, seed: int) -> Split:
    """Real pairs of some speakers, and of the others."""
    held_out = speaker_split(pairs.groups, HELD_OUT, np.random.default_rng(seed))
    return Split(pairs.of(~held_out), pairs.of(held_out))


def make_fuser(
    name: LearnedName,
    split: Split,
    origin: Origin,
    plan: Plan,
    folder: Path,
    *,
    width: int = SERVICE_WIDTH,
    on_epoch: Callable[[], None] = lambda: None,
) -> Trained:
    """Train the fuser `name`, fit its thresholds, and write `folder`; resumes where it broke off.

    Args:
        name: of the network.
        split: what is learned from and judged on.
        origin: of it.
        plan: epochs and seed; its checkpoint lies in `folder`.
        folder: for the weights, their history and, where matplotlib is installed, its curves.
        width: of the network's vectors.
        on_epoch: called after each epoch.
    """
    random = np.random.default_rng(plan.seed)
    learned = material_of(split.learned, random)
    held_out = material_of(split.held_out, random)
    config = LearnedConfig(
        name=name,
        version=1,
        data=origin.data,
        licence=origin.licence,
        training={},
        fusion=name,
        labels=tuple(EMOTIONS),
        readings=readings_of(split.learned),
        experts=dict(origin.experts),
        width=width,
        encoder="feature",
    )
    trained = train_fuser(lambda: build(config), learned, held_out, plan, on_epoch=on_epoch)
    rounded(trained.network)
    config = _described(config, trained, learned, held_out, plan)
    save_learned(folder, config, trained.network)
    trained.history.save(folder)
    return trained


def _described(
    config: LearnedConfig,
    trained: Trained,
    learned: FusionMaterial,
    held_out: FusionMaterial,
    plan: Plan,
) -> LearnedConfig:
    """With thresholds and what training found."""
    said = read(trained.network, held_out.batch)
    rows = np.arange(held_out.n)
    figures: dict[str, object] = {
        "seed": plan.seed,
        "items": learned.n,
        "held-out items": held_out.n,
        "epochs": len(trained.history.epochs),
        "best epoch": trained.history.best + 1,
        "held-out NLL": round(float(-said[rows, held_out.truth].mean()), 4),
        "torch": version("torch"),
    }
    if trained.earned is not None:
        figures |= {
            "residual gain": round(trained.earned.gain, 4),
            "residual gain error": round(trained.earned.error, 4),
            "residual kept": trained.earned.kept,
        }
    return msgspec.structs.replace(
        config, training=figures, calibration=fit_thresholds(trained.network, held_out)
    )
