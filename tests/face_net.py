"""Nets for faces that were never trained, for tests of what is done with them."""

from pathlib import Path

import numpy as np
import torch

from inference.experts.face_cnn import FaceCnn, FaceCnnConfig, FaceNet
from inference.labels import DISTRESS, NOT_DISTRESS
from inference.training.ferplus import EXPRESSIONS

WIDTHS = (4, 8, 8, 8)


def config() -> FaceCnnConfig:
    """No temperature, an even prior, and distress as the labels have it."""
    sides = [float(one in DISTRESS) - float(one in NOT_DISTRESS) for one in EXPRESSIONS]
    return FaceCnnConfig(
        name="untrained",
        version=1,
        labels=EXPRESSIONS,
        widths=WIDTHS,
        temperature=1.0,
        emotion_temperature=1.0,
        log_prior=(-float(np.log(len(EXPRESSIONS))),) * len(EXPRESSIONS),
        distress_weights=tuple(sides),
        distress_bias=0.0,
        data="none",
        licence="none",
        training={},
    )


def save_net(folder: Path, seed: int = 0) -> Path:
    """Random weights in `folder`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        FaceCnn(FaceNet(WIDTHS, len(EXPRESSIONS)).eval(), config()).save(folder)
    return folder
