"""The one training loop of all learned methods: seeded, resumable, with its history.

What an epoch draws follows from the seed and its number alone, so a training that was broken
off and goes on ends with the same numbers as one that was not.
"""

import copy
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import torch
from torch import Tensor, nn

from inference.errors import AffectstreamError

GRADIENT_LIMIT: Final = 1.0
"""Longer gradients are shortened to this."""
SEEDS_APART: Final = 100_003
"""Between the seeds of two trainings: more than any has epochs."""
CURVES: Final = "curves.png"
HISTORY: Final = "history.json"


class TrainingError(AffectstreamError):
    """A training that cannot go on."""


class Losses(Protocol):
    """What is minimised. Owned by the loop, implemented by each method."""

    def batches(self, generator: torch.Generator) -> int:
        """Draw what the epoch needs and say how many batches it has."""
        ...

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:
        """Scalar, with gradients, of one batch of the epoch; what it draws, from `generator`."""
        ...

    def judge(self) -> float:
        """On items that are not trained on, smaller is better; without gradients."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long, how fast, from which seed.

    Attributes:
        patience: epochs without a better judgement after which training ends.
        checkpoint: file that a broken-off training goes on from; None keeps none. It is
            removed at the end.
    """

    epochs: int = 30
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    patience: int = 6
    seed: int = 0
    checkpoint: Path | None = None


class Epoch(msgspec.Struct, frozen=True):
    """Figures of one epoch: mean training loss, and the judgement after it."""

    trained: float
    judged: float


@dataclass(slots=True)
class History:
    """How a training went."""

    epochs: list[Epoch] = field(default_factory=list)

    @property
    def best(self) -> int:
        """Number of the best epoch, from 0; -1 before the first."""
        judged = [epoch.judged for epoch in self.epochs]
        return judged.index(min(judged)) if judged else -1

    def save(self, folder: Path) -> None:
        """Write `history.json`, and `curves.png` where matplotlib is installed."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / HISTORY).write_bytes(msgspec.json.encode(self.epochs) + b"\n")
        _draw(self.epochs, self.best, folder / CURVES)


def fit(
    module: nn.Module,
    losses: Losses,
    plan: Plan,
    on_epoch: Callable[[], None] = lambda: None,
) -> History:
    """Train `module` in place and leave it as it was after its best epoch.

    AdamW with a cosine schedule. Source: Loshchilov and Hutter 2019. Departure: early stopping.

    Args:
        module: whose parameters that want gradients are trained.
        losses: of its items.
        plan: see there.
        on_epoch: called after each.

    Raises:
        TrainingError: the loss is not a number, or the checkpoint is of another training.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=max(1, plan.epochs))
    history, best = _resume(module, optimiser, schedule, plan)
    while len(history.epochs) < plan.epochs:
        number = len(history.epochs)
        if number - history.best > plan.patience and history.epochs:
            break
        history.epochs.append(
            Epoch(
                _train(module, losses, optimiser, trained, plan.seed * SEEDS_APART + number),
                _judge(module, losses),
            )
        )
        schedule.step()
        if history.best == number:
            best = copy.deepcopy(module.state_dict())
        _keep(plan.checkpoint, module, optimiser, schedule, history, best)
        on_epoch()
    if best:
        module.load_state_dict(best)
    if plan.checkpoint is not None:
        plan.checkpoint.unlink(missing_ok=True)
    module.eval()
    return history


def _train(
    module: nn.Module,
    losses: Losses,
    optimiser: torch.optim.Optimizer,
    trained: list[nn.Parameter],
    seed: int,
) -> float:
    module.train()
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of layers that drop units at random
        return _one_epoch(losses, optimiser, trained, generator)


def _one_epoch(
    losses: Losses,
    optimiser: torch.optim.Optimizer,
    trained: list[nn.Parameter],
    generator: torch.Generator,
) -> float:
    total, batches = 0.0, losses.batches(generator)
    for batch in range(batches):
        optimiser.zero_grad(set_to_none=True)
        loss = losses.loss(batch, generator)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"batch {batch}: the loss is {value}; lower the learning rate, or look for "
                "items that are not finite"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, GRADIENT_LIMIT)
        optimiser.step()
        total += value
    return total / max(1, batches)


def _judge(module: nn.Module, losses: Losses) -> float:
    module.eval()
    with torch.no_grad():
        return losses.judge()


def _keep(
    path: Path | None,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    history: History,
    best: Mapping[str, Any],
) -> None:
    """First beside `path`, then under its name: whoever goes on finds all of it or nothing."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    torch.save(
        {
            "module": module.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
            "history": [(epoch.trained, epoch.judged) for epoch in history.epochs],
            "best": dict(best),
        },
        unfinished,
    )
    unfinished.replace(path)


def _resume(
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    plan: Plan,
) -> tuple[History, dict[str, Any]]:
    if plan.checkpoint is None or not plan.checkpoint.is_file():
        return History(), {}
    try:
        kept = torch.load(plan.checkpoint, weights_only=True)
        module.load_state_dict(kept["module"])
        optimiser.load_state_dict(kept["optimiser"])
        schedule.load_state_dict(kept["schedule"])
    except (RuntimeError, ValueError, KeyError, EOFError, OSError) as exc:
        raise TrainingError(
            f"{plan.checkpoint}: not a checkpoint of this training ({exc}); remove it to begin anew"
        ) from exc
    return History([Epoch(*figures) for figures in kept["history"]]), kept["best"]


def _draw(epochs: list[Epoch], best: int, path: Path) -> None:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow
    except ImportError:
        return
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.add_subplot()
    numbers = range(1, len(epochs) + 1)
    axes.plot(numbers, [epoch.trained for epoch in epochs], label="trained on")
    axes.plot(numbers, [epoch.judged for epoch in epochs], label="held out")
    axes.axvline(best + 1, linestyle="--", color="grey", label="kept")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.legend()
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})
