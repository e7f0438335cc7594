"""What fusion costs: milliseconds of each fuser alone, and of a window in a batch of 64.

Printed as Markdown. One thread of one core; random weights of the shipped widths; three modalities
of 30 tokens each. Wall time, which a caller waits for, and CPU time, which neighbours disturb
less: median and 95th percentile over many runs.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Final, get_args

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from inference.calibration.patterns import IDENTITY
from inference.evidence import MOST_TOKENS, Evidence, Features, Quality
from inference.experts.threads import limit_threads
from inference.fusion.contract import Fuser
from inference.fusion.late import LateWeighting
from inference.fusion.learned import LearnedFuser
from inference.fusion.learned_artefact import LearnedConfig, LearnedName, build
from inference.fusion.product_fuser import ProductFuser
from inference.fusion.reading import Reading
from inference.labels import EMOTIONS, Modality

WIDTHS: Final = {Modality.SPEECH: 768, Modality.TEXT: 128, Modality.FACE: 52}
READINGS: Final = tuple(
    Reading(modality=modality, space=f"bench-{width}", width=width, tokens=MOST_TOKENS)
    for modality, width in WIDTHS.items()
)
WINDOWS: Final = 64
ALONE_MS, BATCHED_SHARE = 8.0, 0.2
"""Targets: p95 of one window, and of a window in a batch of 64 over that of one alone."""


def main() -> None:
    """Measure every fuser and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="of one window; batches, a tenth")
    asked = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    limit_threads(1)
    threadpool_limits(1)
    windows = spoken_windows(np.random.default_rng(0))
    print("| fuser | alone: median ms | p95 ms | CPU p95 ms | of 64: ms each | of alone |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, fuser in fusers().items():
        alone, alone_cpu = timed(lambda one=fuser: one.fuse(windows[0]), asked.runs)
        batch, batch_cpu = timed(lambda one=fuser: one.fuse_many(windows), max(5, asked.runs // 10))
        each = np.median(batch) / WINDOWS
        share = np.median(batch_cpu) / WINDOWS / np.median(alone_cpu)
        print(
            f"| {name} | {np.median(alone):.2f} | {np.percentile(alone, 95):.2f} "
            f"| {np.percentile(alone_cpu, 95):.2f} | {each:.3f} | {share:.3f} |"
        )
    print(
        f"\nTargets for learned fusers: p95 at most {ALONE_MS:.0f} ms, a window of 64 at most "
        f"{BATCHED_SHARE} of one alone (CPU time). Load {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores."
    )


def fusers() -> dict[str, Fuser]:
    """The product, and each network with random weights."""
    core = ProductFuser(LateWeighting())
    found: dict[str, Fuser] = {"late": core}
    for fusion in get_args(LearnedName):
        network = build(config_of(fusion)).double().eval().requires_grad_(requires_grad=False)
        found[fusion] = LearnedFuser(network, core, IDENTITY, fusion)
    return found


def config_of(fusion: LearnedName) -> LearnedConfig:
    """Of the shipped widths, over all three modalities."""
    return LearnedConfig(
        name=fusion,
        version=1,
        data="none: random weights of a benchmark",
        licence="Apache-2.0",
        training={},
        fusion=fusion,
        labels=tuple(EMOTIONS),
        readings=READINGS,
        experts={},
    )


def spoken_windows(draws: np.random.Generator) -> list[list[Evidence]]:
    """Windows in which voice, words and face are there, 90 tokens in all."""
    return [
        [
            Evidence(
                modality=reading.modality,
                expert="bench",
                labels=EMOTIONS,
                log_probs=np.log(draws.dirichlet(np.ones(len(EMOTIONS))) + 1e-6),
                distress_log_odds=float(draws.normal()),
                quality=Quality(present_share=1.0),
                features=tokens_of(reading, draws),
            )
            for reading in READINGS
        ]
        for _ in range(WINDOWS)
    ]


def tokens_of(reading: Reading, draws: np.random.Generator) -> Features:
    """Numbers of one modality."""
    tokens = draws.normal(size=(reading.tokens, reading.width)).astype(np.float32)
    return Features(space=reading.space, vector=tokens.mean(axis=0), tokens=tokens)


def timed(work: Callable[[], object], runs: int) -> tuple[Sequence[float], Sequence[float]]:
    """Milliseconds of wall and of CPU time of each run, after three to warm up."""
    for _ in range(3):
        work()
    wall, cpu = [], []
    for _ in range(runs):
        began, began_cpu = time.perf_counter(), time.process_time()
        work()
        cpu.append(1e3 * (time.process_time() - began_cpu))
        wall.append(1e3 * (time.perf_counter() - began))
    return wall, cpu


if __name__ == "__main__":
    with torch.inference_mode():
        main()
