"""Where training begins: each tower guesses, in closed form, the facts that captions are made of.

Some hundred recordings teach a tower from chance alone for a long time; least squares find in a
second what is linear, and the contrastive losses move on from there.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from inference.alignment.captions import MEASURES, Third
from inference.alignment.towers import STEPS, Tower, Towers
from inference.labels import EMOTIONS
from inference.projection import SIZE
from inference.training.alignment.facts import UNKNOWN, Facts

PENALTY: Final = 0.1
"""Of the squared weights, for each row: hundreds of numbers describe some hundred voices."""
CONTENT: Final = 0.2
"""How much of a line's or query's words as such is kept beside the facts, at first."""
SLOPE: Final = 4.0
REACH: Final = 1.5
"""The bends of a measure lie evenly within so many standard deviations."""
SMALLEST_SHARE: Final = 0.01

Floats = NDArray[np.float64]


def coded(facts: Facts, shares: Floats) -> Floats:
    """(n, facts) of n windows or captions: 0 in all places of what is not known or not said.

    A place holds (1 or 0 - p) / sqrt(p) for a share p, so that the product of a window's and a
    caption's row is high where they agree on what is rare (as in correspondence analysis,
    Benzecri 1973).
    """
    marks, known = _marks(facts)
    centred: Floats = np.where(known, (marks - shares) / np.sqrt(shares), 0.0)
    return centred


def shares_of(facts: Facts) -> Floats:
    """(facts,) how often each is true of the windows of which it is known."""
    marks, known = _marks(facts)
    counts = np.maximum(known.sum(axis=0), 1)
    shares: Floats = np.maximum((marks & known).sum(axis=0) / counts, SMALLEST_SHARE)
    return shares


def fact_axes(facts: int, seed: int) -> Floats:
    """(facts, 256) rows at right angles: the same place in the space for every tower."""
    chance = np.random.default_rng(seed)
    axes: Floats = np.linalg.qr(chance.standard_normal((SIZE, facts)))[0].T
    return axes


def bend(tower: Tower) -> None:
    """Lay the bends of each measure evenly over its range; one that is not measured has none."""
    with torch.no_grad():
        tower.steps.weight.zero_()
        for measure in range(tower.measured):
            for step, place in enumerate(np.linspace(-REACH, REACH, STEPS)):
                row = measure * STEPS + step
                tower.steps.weight[row, measure] = SLOPE
                tower.steps.bias[row] = -SLOPE * float(place)


def begin(tower: Tower, rows: NDArray[np.float32], targets: Floats, axes: Floats) -> None:
    """Set the straight paths of `tower` to what guesses `targets` best.

    Ridge regression (Hoerl and Kennard 1970) on the standardised numbers and, for a voice, the
    bends of its measures.

    Args:
        tower: that knows the mean and spread of its input.
        rows: (n, size) that it reads.
        targets: (n, facts) from `coded`.
        axes: from `fact_axes`.
    """
    with torch.no_grad():
        standard = torch.nan_to_num((torch.from_numpy(rows) - tower.mean) / tower.scale, nan=0.0)
        columns = [standard]
        if tower.measured:
            columns.append(torch.tanh(tower.steps(standard[:, -tower.measured :])))
    inputs = torch.cat(columns, dim=1).numpy().astype(np.float64)
    with threadpool_limits(1, "blas"):  # the same sums in the same order
        products = inputs.T @ inputs + PENALTY * len(inputs) * np.eye(inputs.shape[1])
        weights = np.linalg.solve(products, inputs.T @ targets) @ axes  # (columns, 256)
    size = rows.shape[1]
    with torch.no_grad():
        tower.straight.weight.copy_(torch.from_numpy(weights[:size].T))
        if tower.measured:
            tower.places.weight.copy_(torch.from_numpy(weights[size:].T))


def keep_words(towers: Towers, tower: Tower, axes: Floats, seed: int) -> None:
    """Add the words as such to the towers of lines and of queries, both in the same way.

    A query is then near a line that says the same, for words that no training line has, too.
    Nothing of it lies on the axes of facts.
    """
    chance = np.random.default_rng(seed + 1)
    size = tower.straight.weight.shape[1]
    free = chance.standard_normal((SIZE, size))
    free -= axes.T @ (axes @ free)
    content = torch.from_numpy(np.linalg.qr(free)[0]).float()  # (256, size)
    with torch.no_grad():
        for one in (tower, towers.query):
            length = one.straight.weight.norm()
            one.straight.weight += CONTENT * length / content.norm() * content


def _marks(facts: Facts) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n, facts) which are true, and which are known (or said)."""
    parts = [facts.labels[:, None] == np.arange(len(EMOTIONS))]
    known = [np.repeat(facts.labels[:, None] != UNKNOWN, len(EMOTIONS), axis=1)]
    for measure in MEASURES:
        thirds = facts.thirds[:, measure, None]
        parts.append(thirds == np.arange(len(Third)))
        known.append(np.repeat(thirds != UNKNOWN, len(Third), axis=1))
    parts.append(facts.actions)
    seen = facts.actions.sum(axis=1, keepdims=True) > 0
    known.append(np.repeat(seen, facts.actions.shape[1], axis=1))
    return np.concatenate(parts, axis=1), np.concatenate(known, axis=1)
