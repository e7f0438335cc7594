"""Conformal thresholds of a learned fuser, of each pattern, where it is deployed."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import torch

from inference.calibration.conformal import DEFAULT_COVERAGE, fit_threshold
from inference.calibration.patterns import SHARED, PatternCalibration, pattern_of
from inference.fusion.network import FusionNetwork
from inference.fusion.prior import DEFAULT_PRIOR
from inference.training.fusion.material import FusionMaterial
from inference.training.fusion.train import read


def fit_thresholds(network: FusionNetwork, held_out: FusionMaterial) -> PatternCalibration:
    """Thresholds under the deployment prior; no temperatures.

    Pairs that were put together cannot say how sure two modalities may be: patterns keep the
    probabilities that training gave them. Items are weighted to the label shares of the prior.

    Args:
        network: as trained.
        held_out: items of speakers that it was not trained on.
    """
    prior = DEFAULT_PRIOR.log_shares
    truth = held_out.truth
    counts = np.bincount(truth, minlength=len(prior))
    shares = np.exp(prior)[truth] / counts[truth]
    deployed = replace(held_out.batch, log_prior=torch.from_numpy(prior).float())
    found: dict[str, np.ndarray] = {}
    places = range(len(held_out.modalities))
    for size in range(1, len(held_out.modalities) + 1):
        for pattern in combinations(places, size):
            there = torch.zeros_like(deployed.present)
            there[:, list(pattern)] = True
            batch = replace(deployed, present=deployed.present & there)
            name = pattern_of([held_out.modalities[place] for place in pattern])
            found[name] = np.exp(read(network, batch))
    weights = shares / shares.mean()
    thresholds = {
        name: fit_threshold(probs, truth, DEFAULT_COVERAGE, weights)
        for name, probs in found.items()
    }
    thresholds[SHARED] = fit_threshold(
        np.concatenate(list(found.values())),
        np.tile(truth, len(found)),
        DEFAULT_COVERAGE,
        np.tile(weights, len(found)),
    )
    return PatternCalibration(thresholds=thresholds)
