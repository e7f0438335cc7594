"""Learned fusers of random weights: small ones for laws, folders of them for commands."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch

from inference.calibration.patterns import IDENTITY
from inference.fusion.late import LateWeighting
from inference.fusion.learned import LearnedFuser
from inference.fusion.learned_artefact import LearnedConfig, LearnedName, build, save_learned
from inference.fusion.network import FusionNetwork
from inference.fusion.product_fuser import ProductFuser
from inference.fusion.reading import Reading
from inference.labels import EMOTIONS, Modality

LEARNED: tuple[LearnedName, ...] = get_args(LearnedName)
VOICE, WORDS = "voice-6", "words-4"
TINY = (
    Reading(modality=Modality.SPEECH, space=VOICE, width=6, usual=(1.0, 0.8, 1.0, 0.9)),
    Reading(modality=Modality.TEXT, space=WORDS, width=4, tokens=3),
)
"""No face: it joins by the product."""
OWN = (
    Reading(modality=Modality.SPEECH, space="voice-768", width=768),
    Reading(modality=Modality.TEXT, space="words-128", width=128),
)
"""What the shipped experts give."""
CORE = ProductFuser(LateWeighting())


def config_of(
    fusion: LearnedName,
    readings: tuple[Reading, ...] = TINY,
    labels: Sequence[str] = EMOTIONS,
    width: int = 16,
) -> LearnedConfig:
    """Of a network that nobody trained."""
    return LearnedConfig(
        name=fusion,
        version=1,
        data="none: random weights of a test",
        licence="Apache-2.0",
        training={},
        fusion=fusion,
        labels=tuple(labels),
        readings=readings,
        experts={},
        width=width,
    )


def network_of(config: LearnedConfig, *, stirred: bool = True) -> FusionNetwork:
    """Ready to be asked; `stirred` moves every weight, so that no gate is closed."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(7)
        network = build(config).eval().requires_grad_(requires_grad=False)
        if stirred:
            for weight in network.parameters():
                weight.add_(torch.randn_like(weight), alpha=0.3)
    return network


def fuser_of(
    fusion: LearnedName,
    readings: tuple[Reading, ...] = TINY,
    *,
    width: int = 16,
    stirred: bool = True,
) -> LearnedFuser:
    """Of random weights over an uncalibrated product."""
    config = config_of(fusion, readings, width=width)
    network = network_of(config, stirred=stirred).double()
    return LearnedFuser(network, CORE, IDENTITY, f"{fusion}-1+test")


def write_fusers(folder: Path, readings: tuple[Reading, ...] = OWN) -> Path:
    """A folder for each learned fuser, as `affectstream train fusion` leaves them."""
    for fusion in LEARNED:
        config = config_of(fusion, readings)
        save_learned(folder / fusion, config, network_of(config))
    return folder
