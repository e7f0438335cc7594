"""Trains one imputer and the probe beside it."""

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from torch import nn

from inference.imputation.cgan import ConditionalGan, GanImputer
from inference.imputation.contract import Imputer, ImputerName
from inference.imputation.diffusion import DiffusionImputer, NoiseNet
from inference.imputation.probe import Probe
from inference.imputation.regression import Residual
from inference.imputation.standard import Standard
from inference.imputation.translator import TranslatorImputer, TranslatorNet
from inference.imputation.weights import ImputerConfig, ImputerWeights
from inference.labels import EMOTIONS, Modality
from inference.networks.folder import rounded
from inference.training.imputation.augmentation import augmented, judge_augmentation
from inference.training.imputation.losses import (
    DiffusionLosses,
    GanLosses,
    Standardised,
    TranslatorLosses,
)
from inference.training.imputation.probe_fit import fit_probe
from inference.training.imputation.ridge_fit import fit_ridge
from inference.training.imputation.rows import SharedRows
from inference.training.loop import History, Losses, Plan, fit

VERSION: Final = 1
HIDDEN: Final = 512
BATCH: Final = 256
EPOCHS: Final = {"translator": 60, "cgan": 60, "diffusion": 150}
"""At most: held-out speakers stop a training earlier."""
PATIENCE: Final = {"translator": 8, "cgan": 10, "diffusion": 15}
"""Of diffusion the judgement is noisy: each epoch sees few of its steps."""
LEARNING_RATE: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides the weights, besides the rows.

    Attributes:
        hidden: width of the networks.
        epochs: at most; None takes the usual ones.
        checkpoints: folder of what a broken-off training goes on from; None keeps nothing.
    """

    seed: int = 0
    hidden: int = HIDDEN
    batch_size: int = BATCH
    epochs: int | None = None
    checkpoints: Path | None = None

    def plan(self, name: ImputerName) -> Plan:
        """For the common loop."""
        return Plan(
            epochs=self.epochs or EPOCHS[name],
            learning_rate=LEARNING_RATE,
            patience=PATIENCE[name],
            seed=self.seed,
            checkpoint=self.checkpoints / f"{name}.checkpoint" if self.checkpoints else None,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """An imputer and how its training went; ridge has no history, it is solved."""

    imputer: Imputer
    history: History | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What the rows are, for the config.

    Attributes:
        space: version of the shared space.
        data: the corpora.
        licence: of what is made from them.
    """

    space: str
    data: str
    licence: str


def train_imputer(
    name: ImputerName,
    rows: SharedRows,
    settings: Settings,
    on_epoch: Callable[[], None] = lambda: None,
) -> Trained:
    """Fit the imputer of that name on `rows`. Equal seeds give equal weights.

    Networks are judged after each epoch on a fifth of the speakers, who are not learnt from.

    Args:
        name: which.
        rows: in the shared space.
        settings: what else decides the weights.
        on_epoch: called after each epoch of a network, and once for ridge.

    Raises:
        TooLittleToImputeError: no two modalities together, or one speaker.
        TrainingError: see `inference.training.loop.fit`.
    """
    if name == "ridge":
        imputer = fit_ridge(rows)
        on_epoch()
        return Trained(imputer)
    learnt, held_out = rows.split()
    modalities = rows.modalities
    standard = Standard.of(*learnt.columns(modalities), each=name == "diffusion")
    seen, unseen = (_standardised(part, modalities, standard) for part in (learnt, held_out))
    size, width = rows.size, settings.hidden
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)  # of the first weights
        net: nn.Module
        losses: Losses
        if name == "translator":
            net = translator = TranslatorNet(modalities, size, width)
            losses = TranslatorLosses(translator, seen, unseen, settings.batch_size)
        elif name == "cgan":
            net = gan = ConditionalGan(modalities, size, width)
            losses = GanLosses(gan, seen, unseen, settings.batch_size)
        else:
            net = denoiser = NoiseNet(modalities, size, width)
            losses = DiffusionLosses(denoiser, seen, unseen, settings.batch_size)
    history = fit(net, losses, settings.plan(name), on_epoch)
    rounded(net)
    net.requires_grad_(requires_grad=False)
    match net:
        case TranslatorNet():
            residuals = _residuals(net, unseen)
            return Trained(TranslatorImputer(net, standard, residuals), history)
        case ConditionalGan():
            return Trained(GanImputer(net, standard), history)
        case NoiseNet():
            return Trained(DiffusionImputer(net, standard), history)
        case _:
            raise TypeError(type(net))


def train_weights(
    name: ImputerName,
    rows: SharedRows,
    origin: Origin,
    settings: Settings,
    on_epoch: Callable[[], None] = lambda: None,
    probe: Probe | None = None,
) -> tuple[ImputerWeights, History | None]:
    """The imputer with its probe and description, ready to be saved.

    Args:
        name: see `train_imputer`, as all but these:
        rows: the same.
        origin: what the rows are.
        settings: the same.
        on_epoch: the same.
        probe: of `rows`; None fits it.
    """
    trained = train_imputer(name, rows, settings, on_epoch)
    config = ImputerConfig(
        name=f"imputation-{name}",
        version=VERSION,
        imputer=name,
        space=origin.space,
        size=rows.size,
        modalities=rows.modalities,
        hidden=0 if name == "ridge" else settings.hidden,
        labels=rows.labels,
        data=origin.data,
        licence=origin.licence,
        training=_told(rows, settings, trained.history),
    )
    return ImputerWeights(config, trained.imputer, probe or fit_probe(rows)), trained.history


def with_augmentation(
    weights: ImputerWeights, rows: SharedRows, settings: Settings
) -> ImputerWeights:
    """The generator's second job, judged: made-up rows of rare labels for the probe.

    The probe learns from them only if that is clearly better on people who were left out;
    what came of it stands in the config either way.
    """

    def generator(learnt: SharedRows) -> GanImputer:
        again = replace(settings, checkpoints=None)
        return _generator(train_imputer("cgan", learnt, again).imputer)

    judged = judge_augmentation(rows, generator, settings.seed)
    probe = weights.probe
    if judged.kept:
        probe = fit_probe(augmented(rows, _generator(weights.imputer), settings.seed))
    training = {**weights.config.training, "augmentation": msgspec.to_builtins(judged)}
    config = msgspec.structs.replace(weights.config, training=training)
    return replace(weights, probe=probe, config=config)


def _generator(imputer: Imputer) -> GanImputer:
    if not isinstance(imputer, GanImputer):
        raise TypeError(f"{type(imputer).__name__} makes up no rows")
    return imputer


def _told(rows: SharedRows, settings: Settings, history: History | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "seed": settings.seed,
        "windows": len(rows),
        "speakers": len(set(rows.speakers.tolist())),
        "torch": version("torch"),
        "scikit-learn": version("scikit-learn"),
        "python": platform.python_version(),
    }
    if history is not None:
        told |= {
            "batch": settings.batch_size,
            "epochs": len(history.epochs),
            "kept_epoch": history.best + 1,
            "held_out_loss": round(history.epochs[history.best].judged, 4),
        }
    return told


def _standardised(
    rows: SharedRows, modalities: tuple[Modality, ...], standard: Standard
) -> Standardised:
    parts, present = (torch.from_numpy(one) for one in rows.columns(modalities))
    columns = [EMOTIONS.index(label) for label in rows.labels]
    return Standardised(
        standard.standardised(parts, present),
        present,
        torch.tensor(columns, dtype=torch.int64)[torch.from_numpy(rows.truth)],
    )


def _residuals(net: TranslatorNet, held_out: Standardised) -> dict[tuple[Modality, bool], Residual]:
    """Of each modality, from the others and from nothing, on speakers who were not learnt from."""
    found = {}
    with torch.inference_mode():
        estimate = net.estimate(held_out.rows, held_out.there)
        for place, modality in enumerate(net.modalities):
            there = held_out.there[:, place]
            told = there & (held_out.there.sum(dim=1) > 1)
            rows = held_out.rows[:, place]
            found[modality, True] = Residual.of((rows - estimate[:, place])[told].numpy())
            found[modality, False] = Residual.of(rows[there].numpy())
    return found
