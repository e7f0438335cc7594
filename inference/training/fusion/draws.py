"""What is left out, delayed and put together at random while a fuser learns.

Every draw takes its generator, so a seed decides it all. Shapes: n items, m modalities in the
order of `MODALITIES`, t tokens.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.labels import MODALITIES, Modality

DROP_RATE: Final = 0.5
"""How often an item loses a modality or two."""
TOKEN_DROP_RATE: Final = 0.2
STALE_RATE: Final = 0.3
"""How often words come a window late."""
SAME_MOOD: Final = 0.7
"""How often the words of the window before are of the same class: an assumption, not a figure."""
PER_ITEM: Final = 20
"""Pseudo-triples of each item."""

Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


def drop_modalities(present: Bools, random: np.random.Generator, rate: float = DROP_RATE) -> Bools:
    """With `rate` an item keeps one of its incomplete patterns, each as likely; never nothing.

    Args:
        present: (n, m), at least one of each row.
        random: draws.
        rate: share of items that lose something, of those that have two or more.

    Returns:
        (n, m) a subset of `present` with at least one left in each row.
    """
    left = present.copy()
    losing = random.random(len(present)) < rate
    for pattern in np.unique(present[losing], axis=0):
        choices = _incomplete(pattern)
        rows = np.flatnonzero(losing & (present == pattern).all(axis=1))
        if len(choices):
            left[rows] = choices[random.integers(len(choices), size=len(rows))]
    return left


def _incomplete(pattern: Bools) -> Bools:
    """(patterns, m) all proper subsets of `pattern`, (m,), that hold something."""
    options = [(False, True) if there else (False,) for there in pattern]
    subsets = [one for one in product(*options) if 0 < sum(one) < pattern.sum()]
    return np.array(subsets, dtype=np.bool_).reshape(-1, len(pattern))


def drop_tokens(mask: Bools, random: np.random.Generator, rate: float = TOKEN_DROP_RATE) -> Bools:
    """Each token is lost with `rate` by itself; the last one of an item stays.

    Args:
        mask: (n, t) which tokens are there.
        random: draws.
        rate: share that is lost.

    Returns:
        (n, t) a subset of `mask`, empty only where it was.
    """
    chances = np.where(mask, random.random(mask.shape), -1.0)
    kept = chances >= rate
    lost_all = mask.any(axis=1) & ~kept.any(axis=1)
    kept[lost_all, chances[lost_all].argmax(axis=1)] = True
    return kept


def stale(
    truth: NDArray[np.integer], random: np.random.Generator, rate: float = STALE_RATE
) -> tuple[Bools, Indices]:
    """Which items have the words of another moment, and whose.

    There are no conversations behind single items, so the window before is another item: of the
    same class with the chance `SAME_MOOD`, else of any.

    Args:
        truth: (n,) columns.
        random: draws.
        rate: share of items whose words come late.

    Returns:
        (n,) which are late, and (n,) whose words each item has: its own where they are not.
    """
    rows = np.arange(len(truth), dtype=np.intp)
    late = random.random(len(truth)) < rate
    others = random.integers(len(truth), size=len(truth)).astype(np.intp)
    mates = partners(truth, truth, random, 1)[:, 0]
    source = np.where(random.random(len(truth)) < SAME_MOOD, mates, others)
    return late, np.where(late, source, rows)


def partners(
    truth: NDArray[np.integer],
    pool: NDArray[np.integer],
    random: np.random.Generator,
    per_item: int = PER_ITEM,
) -> Indices:
    """(n, per_item) for each item some of `pool` with its label; -1 where the pool has none.

    Args:
        truth: (n,) columns of the items.
        pool: (k,) columns of those to choose from.
        random: draws.
        per_item: how many, with replacement.
    """
    found = np.full((len(truth), per_item), -1, dtype=np.intp)
    for label in np.unique(truth):
        mates = np.flatnonzero(pool == label)
        rows = np.flatnonzero(truth == label)
        if len(mates):
            found[rows] = mates[random.integers(len(mates), size=(len(rows), per_item))]
    return found


def pseudo_triples(
    truth: Mapping[Modality, NDArray[np.integer]],
    random: np.random.Generator,
    per_item: int = PER_ITEM,
) -> dict[Modality, Indices]:
    """Items of one label, one of each modality, put side by side.

    Independent given the label by construction: they teach a fuser how to read, not how much two
    modalities repeat each other. Items of the first modality lead; those whose label another
    modality lacks are left out.

    Args:
        truth: by modality, (items of it,) columns.
        random: draws.
        per_item: of each item of the first modality.

    Returns:
        By modality, (triples,) rows; the order of `MODALITIES` decides which leads.
    """
    order: Sequence[Modality] = [one for one in MODALITIES if one in truth]
    first = truth[order[0]]
    rows = np.repeat(np.arange(len(first), dtype=np.intp), per_item)
    found = {order[0]: rows}
    for modality in order[1:]:
        found[modality] = partners(first, truth[modality], random, per_item).reshape(-1)
    whole = np.all([chosen >= 0 for chosen in found.values()], axis=0)
    return {modality: chosen[whole] for modality, chosen in found.items()}
