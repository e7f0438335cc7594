"""What the net for faces is made from: FER+, somebody's own pictures, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.labels import EMOTIONS
from inference.training.ferplus import EXPRESSIONS, VotedTiles, read_tiles
from inference.training.manifest import ManifestError
from inference.training.own_faces import OwnFaces
from inference.training.speaker_folds import label_folds

HELD_OUT_SHARE: Final = 0.1
"""Of the training split: no step sees it, and the calibration is fitted on it."""
OWN_COPIES: Final = 4
"""A picture of one's own counts as four faces of FER+: it comes from the cameras that the expert
will see, and its label from somebody who knew the call. So four hundred of them are six in a
hundred of what is learnt. No two copies look the same: each is filmed again at every step."""
OWN_FOLDS: Final = 5
"""A fifth of one's own people, for calibration instead of training."""
FEWEST_FACES: Final = 1_000
FEWEST_OF_A_LABEL: Final = 20
"""What one's own faces to learn from must hold where there is no FER+."""
FERPLUS_LICENCE: Final = "research only: images carry no commercial grant"
OWN_LICENCE: Final = "as the added pictures allow"
_FERPLUS: Final = "FER+ (Barsoum et al. 2016), the training split; images from FER2013"


class NotEnoughFacesError(AffectstreamError):
    """Too few pictures with a face to train on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceMaterial:
    """Faces to learn from, others to calibrate on, and what they are.

    Attributes:
        learnt: one's own faces are in it `OWN_COPIES` times where they are beside FER+.
        held_out: of people whom `learnt` does not show, as far as anybody said who is seen.
        labels: that the net is to tell apart, of `EXPRESSIONS` the first few or all.
        name: of the weights.
        data: the pictures.
        licence: of the weights.
        counts: of different faces, for the record.
    """

    learnt: VotedTiles
    held_out: VotedTiles
    labels: tuple[str, ...]
    name: str
    data: str
    licence: str
    counts: Mapping[str, int]


def gather(data: Path | None, own: Sequence[OwnFaces] = (), *, seed: int = 0) -> FaceMaterial:
    """The training split of FER+ in `data`, one's own faces, or both.

    Args:
        data: folder with FER+; None takes `own` alone, and so no contempt.
        own: of each manifest.
        seed: decides which faces of FER+ are kept for calibration. Of one's own it is a fifth
            of the people, spread over the labels.

    Raises:
        ManifestError: there is nothing.
        NoFacesError: no FER+ in `data`.
        NotEnoughFacesError: no picture of `own` shows a face, or there is no FER+ and `own` is
            too little without it.
    """
    if data is None and not own:
        raise ManifestError("nothing to train on: name --data, --add or both")
    if own and not any(len(one.faces) for one in own):
        raise NotEnoughFacesError(f"no picture shows a face that can be read: {_told(own)}")
    if data is None:
        return _alone(own)
    material = ferplus(read_tiles(data, "Train"), seed)
    return _with_own(material, own) if own else material


def ferplus(faces: VotedTiles, seed: int) -> FaceMaterial:
    """`faces` of FER+ that anything can be learnt from, `HELD_OUT_SHARE` of them set apart."""
    useful = np.flatnonzero(faces.shares.any(axis=1))
    mixed = np.random.default_rng(seed).permutation(useful)
    held_out = round(HELD_OUT_SHARE * len(mixed))
    learnt = len(mixed) - held_out
    return FaceMaterial(
        learnt=faces.of(np.sort(mixed[held_out:])),
        held_out=faces.of(np.sort(mixed[:held_out])),
        labels=EXPRESSIONS,
        name="face-cnn-ferplus",
        data=_FERPLUS,
        licence=FERPLUS_LICENCE,
        counts={"faces": learnt, "held_out_faces": held_out},
    )


def _with_own(published: FaceMaterial, own: Sequence[OwnFaces]) -> FaceMaterial:
    learnt, held_out = _apart(own)
    counts = published.counts
    return FaceMaterial(
        learnt=_joined([published.learnt, *[learnt] * OWN_COPIES]),
        held_out=_joined([published.held_out, held_out]),
        labels=published.labels,
        name=f"{published.name}-own",
        data=f"{published.data}; {_about(own)}",
        licence=f"{published.licence}; {OWN_LICENCE}",
        counts={
            "faces": counts["faces"] + len(learnt),
            "held_out_faces": counts["held_out_faces"] + len(held_out),
            "own_faces": len(learnt),
            "own_held_out_faces": len(held_out),
            "own_copies": OWN_COPIES,
        },
    )


def _alone(own: Sequence[OwnFaces]) -> FaceMaterial:
    learnt, held_out = _apart(own)
    _check_enough(learnt, held_out)
    return FaceMaterial(
        learnt=learnt,
        held_out=held_out,
        labels=tuple(map(str, EMOTIONS)),
        name="face-cnn-own",
        data=_about(own),
        licence=OWN_LICENCE,
        counts={"faces": len(learnt), "held_out_faces": len(held_out)},
    )


def _apart(own: Sequence[OwnFaces]) -> tuple[VotedTiles, VotedTiles]:
    """Faces to learn from, and those of people who are kept for calibration.

    The last fold: a label that few people show is dealt to the first ones, and so is learnt.
    Where all faces are of one person, none is kept.
    """
    faces = _joined([one.faces for one in own])
    speakers = np.concatenate([one.speakers for one in own])
    shown = np.array(EXPRESSIONS)[faces.majorities]
    *others, last = label_folds(speakers, shown, OWN_FOLDS)
    kept: NDArray[np.bool_] = last if others else np.zeros(len(faces), dtype=np.bool_)
    return faces.of(~kept), faces.of(kept)


def _joined(parts: Sequence[VotedTiles]) -> VotedTiles:
    return VotedTiles(
        np.concatenate([one.tiles for one in parts]), np.concatenate([one.votes for one in parts])
    )


def _check_enough(learnt: VotedTiles, held_out: VotedTiles) -> None:
    counts = np.bincount(learnt.majorities, minlength=len(EXPRESSIONS))[: len(EMOTIONS)]
    if len(learnt) < FEWEST_FACES or counts.min() < FEWEST_OF_A_LABEL:
        told = ", ".join(f"{label} {count}" for label, count in zip(EMOTIONS, counts, strict=True))
        raise NotEnoughFacesError(
            f"{len(learnt)} faces of your own to learn from ({told}) besides {len(held_out)} kept "
            f"for calibration; without --data there must be at least {FEWEST_FACES}, and "
            f"{FEWEST_OF_A_LABEL} of each label. Name FER+ with --data and add yours to it with "
            "--add"
        )
    if not len(held_out):
        raise NotEnoughFacesError(
            f"all {len(learnt)} faces are of one person: a calibration needs somebody who was not "
            "learnt; name the others in the column speaker, or leave it empty where nobody knows"
        )


def _about(own: Sequence[OwnFaces]) -> str:
    return "; ".join(one.about for one in own)


def _told(own: Sequence[OwnFaces]) -> str:
    return "; ".join(one.told for one in own)
