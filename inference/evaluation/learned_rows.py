"""Learned fusers on rows: fitted on some speakers, stopped early and calibrated on others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference.evaluation.row_recipes import RowFit
from inference.evaluation.rows import CalibratedRows, Columns, Floats, Rows
from inference.fusion.batch import FusionBatch
from inference.fusion.learned_artefact import LearnedConfig, LearnedName, build
from inference.fusion.network import FusionNetwork
from inference.fusion.reading import Reading
from inference.labels import Modality
from inference.training.fusion.draws import pseudo_triples
from inference.training.fusion.material import FusionMaterial, one_hot, speaker_split
from inference.training.fusion.objective import BATCH
from inference.training.fusion.train import read, train_fuser
from inference.training.loop import Plan

MOST_EPOCHS: Final = 30
NARROW, WIDE = 32, 64
"""Widths of a network that reads opinions only, and of one that reads features: a thousand items
carry no more."""
HELD_OUT: Final = 0.25
"""Share of the speakers that early stopping and calibration are left."""


@dataclass(frozen=True, slots=True)
class LearnedRecipe:
    """A network, trained anew on every fold.

    Attributes:
        name: of the network.
        seed: of splits, weights and draws.
        pseudo: learn only from items put together by label, as where no real pairs exist.
        steps: about how many batches it learns from, in at most `MOST_EPOCHS`.
    """

    name: LearnedName
    seed: int = 0
    pseudo: bool = False
    steps: int = 150

    def fit(self, rows: CalibratedRows, truth: Columns, speakers: NDArray[np.str_]) -> RowFit:
        """Learn from three quarters of the speakers; the others stop it."""
        random = np.random.default_rng(self.seed)
        held_out = speaker_split(speakers, HELD_OUT, random)
        everything = _material(rows, truth, speakers)
        learned = everything.of(~held_out)
        if self.pseudo:
            theirs = dict.fromkeys(rows.modalities, learned.truth)
            learned = learned.together(pseudo_triples(theirs, random, per_item=1))
        config = LearnedConfig(
            name=self.name,
            version=0,
            data="rows",
            licence="not kept",
            training={},
            fusion=self.name,
            labels=tuple(str(column) for column in range(len(rows.log_prior))),
            readings=_readings(rows),
            experts={},
            width=WIDE if rows.features else NARROW,
            encoder="feature",
        )
        trained = train_fuser(
            lambda: build(config),
            learned,
            everything.of(held_out),
            Plan(epochs=self._epochs(learned.n), seed=self.seed),
        )
        return RowFit(LearnedRows(trained.network), held_out)

    def _epochs(self, items: int) -> int:
        return min(MOST_EPOCHS, max(1, round(self.steps * BATCH / items)))


@dataclass(frozen=True, slots=True, eq=False)
class LearnedRows:
    """A trained network, asked with rows."""

    network: FusionNetwork

    def fuse(self, rows: CalibratedRows, present: Mapping[Modality, Rows]) -> Floats:
        """See `RowFuser`."""
        return read(self.network, _batch(rows, present))


def _material(rows: CalibratedRows, truth: Columns, speakers: NDArray[np.str_]) -> FusionMaterial:
    everywhere = {modality: np.ones(rows.n, dtype=np.bool_) for modality in rows.modalities}
    return FusionMaterial(
        modalities=rows.modalities,
        batch=_batch(rows, everywhere),
        targets=one_hot(truth, len(rows.log_prior)),
        distress=torch.full((rows.n,), float("nan")),
        speakers=speakers,
    )


def _batch(rows: CalibratedRows, present: Mapping[Modality, Rows]) -> FusionBatch:
    vectors = [rows.features.get(modality, np.zeros((rows.n, 0))) for modality in rows.modalities]
    return FusionBatch.of_vectors(
        torch.from_numpy(rows.support.astype(np.float32)),
        torch.from_numpy(np.stack([present[modality] for modality in rows.modalities], axis=1)),
        [torch.from_numpy(one.astype(np.float32)) for one in vectors],
        log_prior=torch.from_numpy(rows.log_prior.astype(np.float32)),
    )


def _readings(rows: CalibratedRows) -> tuple[Reading, ...]:
    widths = {m: rows.features[m].shape[1] if m in rows.features else 0 for m in rows.modalities}
    return tuple(
        Reading(modality=modality, space=f"{modality}-{width}" if width else "", width=width)
        for modality, width in widths.items()
    )
