"""Trains the net of the face expert, on FER+ or on pictures of one's own."""

import hashlib
import math
import platform
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.errors import AffectstreamError
from inference.experts.face_cnn import (
    FaceCnn,
    FaceCnnConfig,
    FaceNet,
    standardised,
)
from inference.training.face_augment import covered, filmed_again
from inference.training.face_calibration import calibrated, check
from inference.training.face_material import FaceMaterial
from inference.training.ferplus import VotedTiles

CHECKPOINT_FILE: Final = "checkpoint.pt"
RARE_POWER: Final = 0.25
"""A label that is k times as rare weighs k to this power as much in the loss."""
LEAST_MASS: Final = 1.0
"""Faces that a label is taken to have at least: one that never occurs has a finite weight."""
PEAK_RATE: Final = 0.1
WARM_SHARE: Final = 0.15
"""Of the steps in which the learning rate rises; then it falls to zero as a cosine."""
MOMENTUM: Final = 0.9
DECAY: Final = 5e-4
DROPOUT: Final = 0.2
BATCH: Final = 128
LEAST_STEPS: Final = 1_000
"""Few faces are seen more often. Of a thousand faces of FER+, taken as one's own, 140, 400 and 1000
steps name .60, .66 and .68 of the validation faces right, with a recall of .43, .50 and .53."""

Floats = NDArray[np.float64]


class CheckpointError(AffectstreamError):
    """An interrupted training that cannot be gone on with."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the weights, besides the faces."""

    seed: int = 0
    epochs: int = 20
    widths: tuple[int, ...] = (32, 48, 96, 160)
    bfloat16: bool = False
    """Half the bits in the steps: twice as fast where the processor has instructions for it."""


def train_face(
    material: FaceMaterial,
    out: Path,
    plan: Plan,
    on_step: Callable[[int, int], None] = lambda _done, _of: None,
) -> FaceCnn:
    """Train on what is learnt, calibrate on what is held out, save into `out`.

    After each epoch a checkpoint lies in `out`; the same call goes on from it, and ends with
    the same weights as if it had never been interrupted. The weights replace it.

    Args:
        material: from `face_material`.
        out: folder, made if it is not there.
        plan: what decides the weights.
        on_step: called with steps done and steps in all.

    Raises:
        CheckpointError: `out` holds the checkpoint of another plan or of other faces.
        TooFewFacesError: the faces held out lack one side of distress.
    """
    out.mkdir(parents=True, exist_ok=True)
    check(material.held_out)
    net = _train(material, out / CHECKPOINT_FILE, plan, on_step)
    calibrated(_uncalibrated(net, material, plan), material.held_out).save(out)
    (out / CHECKPOINT_FILE).unlink()
    return FaceCnn.load(out)


def _train(
    material: FaceMaterial, checkpoint: Path, plan: Plan, on_step: Callable[[int, int], None]
) -> FaceNet:
    learnt, named = material.learnt, _shares(material)
    torch.manual_seed(plan.seed)
    net = FaceNet(plan.widths, len(material.labels), DROPOUT)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
    optimiser = torch.optim.SGD(
        net.parameters(), lr=PEAK_RATE, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True
    )
    belongs_to = _fingerprint(learnt, plan)
    begun = _resume(checkpoint, belongs_to, net, optimiser)
    tiles = torch.from_numpy(learnt.tiles)[:, None]
    shares = torch.from_numpy(named * rare_weights(named)).float()
    in_epoch = max(1, len(tiles) // BATCH)
    steps = plan.epochs * in_epoch
    net.train()
    for epoch in range(begun, plan.epochs):
        chance = torch.Generator().manual_seed(_seed_of(plan.seed, epoch))
        torch.manual_seed(_seed_of(plan.seed, epoch))  # of the dropout
        order = torch.randperm(len(tiles), generator=chance)
        for number, batch in enumerate(order.chunk(in_epoch)):
            done = epoch * in_epoch + number
            optimiser.param_groups[0]["lr"] = PEAK_RATE * rate(done, steps)
            seen = covered(standardised(filmed_again(tiles[batch].float(), chance)), chance)
            with torch.autocast("cpu", torch.bfloat16, enabled=plan.bfloat16):
                logits = net(seen.contiguous(memory_format=torch.channels_last))
            loss = _loss(logits.float(), shares[batch])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            on_step(done + 1, steps)
        _save_checkpoint(checkpoint, belongs_to, epoch + 1, net, optimiser)
    net.eval()
    return net


def usual_epochs(faces: int) -> int:
    """How often to see each of `faces`: as the published figures have it, or `LEAST_STEPS`."""
    return max(Plan().epochs, math.ceil(LEAST_STEPS / max(1, faces // BATCH)))


def rare_weights(shares: Floats) -> Floats:
    """(labels,) weight of each in the loss; one on average over the faces."""
    mass = shares.sum(axis=0)
    weights = np.maximum(mass, LEAST_MASS) ** -RARE_POWER
    even: Floats = weights * mass.sum() / (weights * mass).sum()
    return even


def rate(done: int, steps: int) -> float:
    """Learning rate after `done` of `steps` steps over its peak."""
    warm = WARM_SHARE * steps
    if done < warm:
        return (done + 1) / (warm + 1)
    return float((1 + np.cos(np.pi * (done - warm) / (steps - warm))) / 2)


def _shares(material: FaceMaterial) -> Floats:
    """(learnt, labels) shares of votes, of what the net is to tell apart."""
    return material.learnt.shares[:, : len(material.labels)]


def _uncalibrated(net: FaceNet, material: FaceMaterial, plan: Plan) -> FaceCnn:
    """`net` with what it rests on."""
    named = _shares(material)
    mass = named.sum(axis=0) * rare_weights(named)
    return FaceCnn(
        net,
        FaceCnnConfig(
            name=material.name,
            version=1,
            labels=material.labels,
            widths=plan.widths,
            temperature=1.0,
            emotion_temperature=1.0,
            log_prior=tuple(np.log(np.maximum(mass, LEAST_MASS) / mass.sum()).tolist()),
            distress_weights=(0.0,) * len(material.labels),
            distress_bias=0.0,
            data=material.data,
            licence=material.licence,
            training={
                **msgspec.to_builtins(plan),
                "batch": BATCH,
                "peak_rate": PEAK_RATE,
                "rare_power": RARE_POWER,
                **material.counts,
                "parameters": sum(one.numel() for one in net.parameters()),
                "torch": version("torch"),
                "python": platform.python_version(),
            },
        ),
    )


def _loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy with weighted shares of votes."""
    return -(shares * logits.log_softmax(dim=1)).sum(dim=1).mean()


def _seed_of(seed: int, epoch: int) -> int:
    """One number for both, so that an epoch needs no earlier one."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def _fingerprint(learnt: VotedTiles, plan: Plan) -> str:
    """Of everything that a checkpoint rests on."""
    found = hashlib.sha256(msgspec.json.encode(plan))
    found.update(learnt.tiles.tobytes())
    found.update(learnt.votes.tobytes())
    return found.hexdigest()


def _save_checkpoint(
    path: Path, belongs_to: str, epochs: int, net: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    partial = path.with_suffix(".partial")
    torch.save(
        {
            "belongs_to": belongs_to,
            "epochs": epochs,
            "net": net.state_dict(),
            "optimiser": optimiser.state_dict(),
        },
        partial,
    )
    partial.replace(path)


def _resume(path: Path, belongs_to: str, net: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Epochs that were done before; `net` and `optimiser` are as they were after them."""
    if not path.is_file():
        return 0
    if not zipfile.is_zipfile(path):  # which is what torch writes
        raise CheckpointError(f"{path} is no checkpoint; delete it to begin anew")
    found = torch.load(path, weights_only=True)
    if found["belongs_to"] != belongs_to:
        raise CheckpointError(
            f"{path} comes from other faces, another seed or other settings; delete it to begin "
            "anew, or name another folder with --out"
        )
    net.load_state_dict(found["net"])
    optimiser.load_state_dict(found["optimiser"])
    return int(found["epochs"])
