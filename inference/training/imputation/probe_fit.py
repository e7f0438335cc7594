"""Fits the probe: a head for each pattern of present modalities."""

from itertools import combinations
from typing import Final

import numpy as np

from inference.calibration.temperature import fit_temperature
from inference.imputation.contract import Floats
from inference.imputation.probe import Pattern, Probe
from inference.imputation.regression import columns
from inference.labels import MODALITIES
from inference.training.head_fit import FEWEST_FOLDS
from inference.training.imputation.rows import SharedRows
from inference.training.linear_fit import fit_linear

INVERSE_PENALTY: Final = 0.003
"""C of the logistic regression on standardised numbers, as encoders' heads mostly take it."""
TEMPERATURE_FOLDS: Final = 3


def fit_probe(rows: SharedRows) -> Probe:
    """A balanced multinomial head for each pattern, at a temperature for unseen people.

    A pattern's head is fitted on every row that has its modalities, whatever else it has.
    Patterns that too few people show are left out.
    """
    heads = {}
    for count in range(1, len(MODALITIES) + 1):
        for pattern in combinations(MODALITIES, count):
            there = rows.has(pattern)
            if _enough(rows.of(there)):
                heads[pattern] = fit_pattern(rows.of(there), pattern)
    return Probe(rows.labels, heads)


def fit_pattern(rows: SharedRows, pattern: Pattern) -> Floats:
    """(pattern * size + 1, labels): weights on raw rows and the intercept, tempered.

    Args:
        rows: all of which have the modalities of `pattern` and together show every label.
        pattern: that the head reads.
    """
    read = columns(pattern, rows.parts).astype(np.float32)
    names = [str(label) for label in rows.labels]
    log_probs = np.zeros((len(rows), len(names)))
    judged = np.zeros(len(rows), dtype=np.bool_)
    for held_out in rows.folds(TEMPERATURE_FOLDS):
        if len(np.unique(rows.truth[~held_out])) < len(names):
            continue
        head = fit_linear(read[~held_out], rows.names[~held_out], names, INVERSE_PENALTY)
        log_probs[held_out] = head.log_probs(read[held_out])
        judged |= held_out
    temperature = fit_temperature(log_probs[judged], rows.truth[judged]) if judged.any() else 1.0
    head = fit_linear(read, rows.names, names, INVERSE_PENALTY)
    weights = (head.coefficients / head.scale).T / temperature
    intercepts = head.intercepts / temperature - (head.mean @ weights)
    return np.vstack([weights, intercepts]).astype(np.float32)


def _enough(rows: SharedRows) -> bool:
    """Whether every label is shown, and two people or more are."""
    labels = set(rows.truth.tolist())
    return len(labels) == len(rows.labels) and len(np.unique(rows.speakers)) >= FEWEST_FOLDS
