"""Time and size of the fusers as they ship, on one thread."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch

from inference.evaluation.methods.results import Cost
from inference.evidence import MOST_TOKENS, Evidence, Features, Quality
from inference.fusion.contract import Fuser
from inference.fusion.product import log_normalised
from inference.labels import EMOTIONS, Modality

SPACES: Final = {
    Modality.SPEECH: ("voice-768", 768),
    Modality.TEXT: ("words-128", 128),
    Modality.FACE: ("blendshapes-52", 52),
}
ALONE: Final = 200
TOGETHER: Final = 64
ROUNDS: Final = 10


def measure(fusers: Mapping[str, tuple[Fuser, Path]]) -> list[Cost]:
    """Time each fuser on windows that hold as much as any does.

    Args:
        fusers: by method, with the folder of its weights.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_cost(name, fuser, folder) for name, (fuser, folder) in fusers.items()]
    finally:
        torch.set_num_threads(before)


def full_window(random: np.random.Generator) -> list[Evidence]:
    """Voice, words and a face that are all there, `MOST_TOKENS` each."""
    return [_evidence(modality, random) for modality in SPACES]


def _cost(method: str, fuser: Fuser, folder: Path) -> Cost:
    random = np.random.default_rng(0)
    windows = [full_window(random) for _ in range(TOGETHER)]
    fuser.fuse(windows[0])  # what a first call prepares is no cost of a window
    alone = [_ms(lambda one=windows[n % TOGETHER]: fuser.fuse(one)) for n in range(ALONE)]  # type: ignore[misc]
    many = [_ms(lambda: fuser.fuse_many(windows)) / TOGETHER for _ in range(ROUNDS)]
    return Cost(
        method=method,
        version=fuser.version,
        size_bytes=sum(
            path.stat().st_size
            for path in folder.iterdir()
            if path.suffix in {".json", ".safetensors"} and path.stem != "evaluation"
        ),
        median_ms=round(float(np.median(alone)), 3),
        p95_ms=round(float(np.percentile(alone, 95)), 3),
        many_ms=round(float(np.median(many)), 4),
    )


def _ms(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return 1_000 * (time.perf_counter() - begun)


def _evidence(modality: Modality, random: np.random.Generator) -> Evidence:
    space, size = SPACES[modality]
    tokens = random.normal(size=(MOST_TOKENS, size)).astype(np.float32)
    return Evidence(
        modality=modality,
        expert="timed",
        labels=EMOTIONS,
        log_probs=log_normalised(random.normal(size=len(EMOTIONS))),
        distress_log_odds=float(random.normal()),
        quality=Quality(present_share=1.0, level=1.0, freshness=1.0, confidence=1.0),
        features=Features(space=space, vector=tokens.mean(axis=0), tokens=tokens),
    )
