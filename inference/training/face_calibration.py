"""Makes the net for faces as sure as it is right, on faces that it never saw."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from inference.calibration.temperature import fit_temperature
from inference.errors import AffectstreamError
from inference.experts.face_cnn import FaceCnn, mirrored_logits
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS
from inference.training.ferplus import EXPRESSIONS, VotedTiles

Floats = NDArray[np.float64]


class TooFewFacesError(AffectstreamError):
    """Held-out faces on which nothing can be calibrated."""


def check(held_out: VotedTiles) -> None:
    """Raises TooFewFacesError where `calibrated` could not fit distress."""
    names = set(_clear(held_out)[0].tolist())
    if not names & DISTRESS or not names & NOT_DISTRESS:
        raise TooFewFacesError(
            f"the {len(held_out)} faces held out for calibration show {sorted(names)}: distress "
            "needs faces with it and without it; give the whole training split of FER+, or more "
            "people of your own"
        )


def calibrated(bare: FaceCnn, held_out: VotedTiles) -> FaceCnn:
    """`bare` with two temperatures and its own head for distress.

    1. A temperature over all labels, with the shares that the faces have.
    2. Another over the vocabulary once the net's own prior is taken off, with every label
       weighing the same, so that the prior is even, as fusion assumes.
    3. A logistic regression of distress on the log-probabilities of all labels.

    Args:
        bare: with temperatures of 1.
        held_out: faces that the net never saw; those with a clear majority count.
    """
    names, clear = _clear(held_out)
    truth = clear.majorities
    temperature = fit_temperature(
        mirrored_logits(bare.net, clear.tiles), truth, class_balanced=False
    )
    shared = _with(bare, temperature=temperature)
    log_probs = shared.log_probs(clear.tiles)
    known = truth < len(EMOTIONS)
    temperature = fit_temperature(shared.emotions(log_probs[known]), truth[known])
    return _with(shared, emotion_temperature=temperature, **_distress(log_probs, names))


def _clear(held_out: VotedTiles) -> tuple[NDArray[np.str_], VotedTiles]:
    clear = held_out.of(held_out.majorities >= 0)
    return np.array(EXPRESSIONS)[clear.majorities], clear


def _distress(log_probs: Floats, names: NDArray[np.str_]) -> dict[str, Any]:
    """Weights of the labels' log-probabilities: both sides weigh the same, surprise is neither."""
    judged = np.isin(names, [*DISTRESS, *NOT_DISTRESS])
    head = LogisticRegression(class_weight="balanced", max_iter=1_000).fit(
        log_probs[judged], np.isin(names[judged], list(DISTRESS))
    )
    return {
        "distress_weights": tuple(head.coef_[0].tolist()),
        "distress_bias": float(head.intercept_[0]),
    }


def _with(cnn: FaceCnn, **fitted: Any) -> FaceCnn:
    return replace(cnn, config=msgspec.structs.replace(cnn.config, **fitted))
