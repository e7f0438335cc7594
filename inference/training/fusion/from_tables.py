"""From feature tables to a fused model of any labels: the recipe of the fusers for your own data.

The model answers for itself, offline; what scores conversations is `affectstream train fusion`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.experts.linear_head import LinearHead
from inference.fusion.batch import FusionBatch
from inference.fusion.learned_artefact import LearnedConfig, LearnedName, build, save_learned
from inference.fusion.network import FusionNetwork
from inference.fusion.reading import Reading
from inference.labels import Modality
from inference.networks.folder import WeightsError, filled, load_weights
from inference.training.fusion.material import FusionMaterial, one_hot, speaker_split
from inference.training.fusion.tables import Samples
from inference.training.fusion.train import read, train_fuser
from inference.training.head_fit import fit_head
from inference.training.loop import Plan

HEADS_FILE: Final = "heads.json"
ADVICE: Final = "TableFuser.train(...).save(folder)"
HELD_OUT: Final = 0.25
"""Share of the speakers that choose the epoch."""
FOLDS: Final = 4
WIDTH: Final = 32
LIMIT: Final = 5.0
"""Features further from their mean, in standard deviations, are drawn in."""

Floats = NDArray[np.float64]


class NoTruthError(AffectstreamError):
    """Samples without labels where labels are needed."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A `LinearHead` as JSON."""

    labels: tuple[str, ...]
    mean: list[float]
    scale: list[float]
    coefficients: list[list[float]]
    intercepts: list[float]
    temperature: float

    @classmethod
    def of(cls, head: LinearHead) -> "Head":
        """For storing."""
        return cls(
            labels=head.labels,
            mean=head.mean.tolist(),
            scale=head.scale.tolist(),
            coefficients=head.coefficients.tolist(),
            intercepts=head.intercepts.tolist(),
            temperature=head.temperature,
        )

    def opened(self) -> LinearHead:
        """Inverse of `of`."""
        return LinearHead(
            labels=self.labels,
            mean=np.array(self.mean),
            scale=np.array(self.scale),
            coefficients=np.array(self.coefficients),
            intercepts=np.array(self.intercepts),
            temperature=self.temperature,
        )


@dataclass(frozen=True, slots=True, eq=False)
class TableFuser:
    """A calibrated head for each modality, and a network that fuses what is present.

    Probabilities are under an even prior over the labels.

    Attributes:
        heads: by modality, in the order of `MODALITIES`.
        network: in evaluation mode.
        config: what is stored beside its weights.
    """

    heads: Mapping[Modality, LinearHead]
    network: FusionNetwork
    config: LearnedConfig

    @property
    def labels(self) -> tuple[str, ...]:
        """Order of the columns of what comes out."""
        return self.config.labels

    @classmethod
    def train(
        cls,
        samples: Samples,
        *,
        fusion: LearnedName = "hybrid",
        epochs: int = 20,
        seed: int = 0,
        on_epoch: Callable[[], None] = lambda: None,
    ) -> "TableFuser":
        """Fit heads, and train the fuser on what they say of speakers whom they never met.

        Numbered as the recipe: (1) a head a modality, (2) its out-of-fold support, (3) the network
        with modality dropout, a quarter of the speakers choosing the epoch.

        Args:
            samples: with labels, of at least three speakers; each label in two of every fold.
            fusion: which network.
            epochs: at most.
            seed: of folds, weights and draws.
            on_epoch: called after each.

        Raises:
            NoTruthError: a sample has no label.
            NothingToLearnError: a label that too few speakers show.
        """
        if not (samples.labels != "").all():
            raise NoTruthError(
                f"{int((samples.labels == '').sum())} of {len(samples)} samples have no label"
            )
        labels = tuple(np.unique(samples.labels).tolist())
        folds = _folds(samples.speakers, seed)
        heads = {m: _head(samples, m, folds, labels) for m in samples.vectors}  # (1)
        support = _out_of_fold(samples, folds, labels)  # (2)
        config = LearnedConfig(
            name=f"tables-{fusion}",
            version=1,
            data=f"{len(samples)} samples of {len(np.unique(samples.speakers))} speakers",
            licence="own",
            training={"seed": seed, "epochs": epochs},
            fusion=fusion,
            labels=labels,
            readings=tuple(
                Reading(modality=m, space=f"table-{each.shape[1]}", width=each.shape[1])
                for m, each in samples.vectors.items()
            ),
            experts={},
            width=WIDTH,
            encoder="feature",
        )
        material = FusionMaterial(
            modalities=tuple(samples.vectors),
            batch=_batch(samples, heads, support),
            targets=one_hot(np.searchsorted(labels, samples.labels), len(labels)),
            distress=torch.full((len(samples),), float("nan")),
            speakers=samples.speakers,
        )
        held_out = speaker_split(samples.speakers, HELD_OUT, np.random.default_rng(seed))
        trained = train_fuser(  # (3)
            lambda: build(config),
            material.of(~held_out),
            material.of(held_out),
            Plan(epochs=epochs, seed=seed),
            on_epoch=on_epoch,
        )
        return cls(heads, trained.network.eval(), config)

    def log_probs(self, samples: Samples) -> Floats:
        """(n, labels) natural log-probabilities, from whatever each sample has."""
        support = np.stack(
            [
                _support(self.heads[m], samples.vectors[m], samples.present[m])
                for m in samples.vectors
            ],
            axis=1,
        )
        return read(self.network, _batch(samples, self.heads, support))

    def predict(self, samples: Samples) -> NDArray[np.str_]:
        """(n,) the likeliest label of each."""
        likeliest: NDArray[np.str_] = np.array(self.labels)[self.log_probs(samples).argmax(axis=1)]
        return likeliest

    def save(self, folder: Path) -> str:
        """Write the network and the heads; returns the digest of the network."""
        digest = save_learned(folder, self.config, self.network)
        heads = {modality: Head.of(head) for modality, head in self.heads.items()}
        (folder / HEADS_FILE).write_bytes(msgspec.json.encode(heads) + b"\n")
        return digest

    @classmethod
    def load(cls, folder: Path) -> "TableFuser":
        """Read what `save` wrote. Raises WeightsError."""
        weights = load_weights(folder, LearnedConfig, ADVICE)
        try:
            stored = msgspec.json.decode(
                (folder / HEADS_FILE).read_bytes(), type=dict[Modality, Head]
            )
        except (OSError, msgspec.DecodeError) as exc:
            raise WeightsError(
                f"{folder}: no usable heads ({exc}); make them with {ADVICE}"
            ) from exc
        with torch.random.fork_rng(devices=[]):
            network = build(weights.config)
        filled(network, weights, folder)
        return cls({m: head.opened() for m, head in stored.items()}, network, weights.config)


def _folds(speakers: NDArray[np.str_], seed: int) -> NDArray[np.str_]:
    """(n,) which of `FOLDS` groups each sample's speaker is in."""
    names = np.random.default_rng(seed).permutation(np.unique(speakers))
    fold = {name: str(place % FOLDS) for place, name in enumerate(names.tolist())}
    return np.array([fold[name] for name in speakers.tolist()])


def _head(
    samples: Samples, modality: Modality, folds: NDArray[np.str_], labels: Sequence[str]
) -> LinearHead:
    there = samples.present[modality]
    return fit_head(samples.vectors[modality][there], samples.labels[there], folds[there], labels)


def _out_of_fold(samples: Samples, folds: NDArray[np.str_], labels: Sequence[str]) -> Floats:
    """(n, modalities, labels) support of every sample by heads that never met its speaker."""
    support = np.zeros((len(samples), len(samples.vectors), len(labels)))
    for fold in np.unique(folds):
        rows = folds == fold
        others = samples.of(~rows)
        for place, modality in enumerate(samples.vectors):
            head = _head(others, modality, folds[~rows], labels)
            support[rows, place] = _support(
                head, samples.vectors[modality][rows], samples.present[modality][rows]
            )
    return support


def _support(head: LinearHead, vectors: NDArray[np.float32], present: NDArray[np.bool_]) -> Floats:
    """(n, labels) log of what the head says over its even prior; 0 where there is nothing."""
    said = head.log_probs(vectors) + np.log(len(head.labels))
    return np.where(present[:, None], said, 0.0)


def _batch(samples: Samples, heads: Mapping[Modality, LinearHead], support: Floats) -> FusionBatch:
    scaled = {
        modality: np.clip((each - heads[modality].mean) / heads[modality].scale, -LIMIT, LIMIT)
        for modality, each in samples.vectors.items()
    }
    return FusionBatch.of_vectors(
        torch.from_numpy(support.astype(np.float32)),
        torch.from_numpy(np.stack(list(samples.present.values()), axis=1)),
        [torch.from_numpy(each.astype(np.float32)) for each in scaled.values()],
    )
