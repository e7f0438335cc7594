"""Tiny imputers with random weights, and rows to fit them on."""

from functools import cache

import numpy as np
import torch

from inference.imputation.cgan import ConditionalGan, GanImputer
from inference.imputation.contract import Imputer, ImputerName
from inference.imputation.diffusion import DiffusionImputer, NoiseNet
from inference.imputation.regression import Residual
from inference.imputation.standard import Standard
from inference.imputation.translator import TranslatorImputer, TranslatorNet
from inference.labels import EMOTIONS, MODALITIES, Modality
from inference.training.imputation.ridge_fit import fit_ridge
from inference.training.imputation.rows import SharedRows

SIZE = 6
HIDDEN = 8
TWO = (Modality.SPEECH, Modality.TEXT)


def shared_rows(
    n: int = 120,
    modalities: tuple[Modality, ...] = MODALITIES,
    *,
    size: int = SIZE,
    seed: int = 0,
    labels: int = 3,
    bound: float = 0.8,
) -> SharedRows:
    """Unit rows whose modalities share their label, and `bound` of the rest."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, labels, n)
    common = random.standard_normal((labels, size))[truth] + random.standard_normal((n, size))
    parts = np.zeros((n, len(MODALITIES), size), dtype=np.float32)
    present = np.zeros((n, len(MODALITIES)), dtype=np.bool_)
    for modality in modalities:
        place = MODALITIES.index(modality)
        own = random.standard_normal((n, size))
        mixed = (bound * common + (1 - bound) * own) @ random.standard_normal((size, size))
        parts[:, place] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        present[:, place] = True
    speakers = np.array([f"speaker {row % 6}" for row in range(n)])
    return SharedRows(parts, present, truth, EMOTIONS[:labels], speakers)


@cache
def tiny(name: ImputerName, modalities: tuple[Modality, ...] = MODALITIES) -> Imputer:
    """An imputer of that name; networks have random weights."""
    rows = shared_rows(modalities=modalities)
    if name == "ridge":
        return fit_ridge(rows)
    standard = Standard.of(*rows.columns(modalities), each=name == "diffusion")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if name == "translator":
            random = np.random.default_rng(0)
            residuals = {
                (modality, told): Residual.of(random.standard_normal((40, SIZE)))
                for modality in modalities
                for told in (False, True)
            }
            translator = TranslatorNet(modalities, SIZE, HIDDEN).eval()
            return TranslatorImputer(translator, standard, residuals)
        if name == "cgan":
            return GanImputer(ConditionalGan(modalities, SIZE, HIDDEN).eval(), standard)
        return DiffusionImputer(NoiseNet(modalities, SIZE, HIDDEN).eval(), standard)
