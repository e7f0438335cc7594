"""What a network says of one item, in the terms of evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.labels import DISTRESS, NOT_DISTRESS, Emotion

Floats = NDArray[np.float64]
Item_contra = TypeVar("Item_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Opinion:
    """Of one item.

    Attributes:
        log_probs: (labels,) natural log, sums to one in probability; the prior is even.
        distress_log_odds: natural log odds against an even prior; None where the labels
            lack one of the sides.
    """

    log_probs: Floats
    distress_log_odds: float | None

    def __post_init__(self) -> None:
        """Raise ValueError where the network gave no numbers, so that the window says `failed`."""
        if not np.isfinite(self.log_probs).all():
            raise ValueError(f"log-probabilities that are not finite: {self.log_probs}")

    def drawn_to_prior(self, share: float) -> Self:
        """The same with `share`, in [0, 1], of its log-odds: at 0 it says nothing."""
        odds = self.distress_log_odds
        return type(self)(
            normalised(share * self.log_probs), None if odds is None else share * odds
        )


class Reader(Protocol[Item_contra]):
    """A network with a meaning: from one item to an opinion."""

    @property
    def version(self) -> str:
        """As published in every score."""
        ...

    @property
    def labels(self) -> tuple[Emotion, ...]:
        """Columns of its opinions."""
        ...

    @property
    def weight_limit(self) -> float:
        """Upper bound of the fusion weight."""
        ...

    def read(self, item: Item_contra) -> Opinion:
        """Read one item by itself, so that an answer never depends on its company."""
        ...


def mean_opinion(opinions: Sequence[Opinion]) -> Opinion:
    """One opinion of several looks at the same thing: the mean of their log-probabilities.

    Looks a moment apart share their errors, so they are not multiplied.

    Args:
        opinions: at least one, of the same labels.
    """
    odds = [one.distress_log_odds for one in opinions if one.distress_log_odds is not None]
    return Opinion(
        normalised(np.mean([one.log_probs for one in opinions], axis=0)),
        float(np.mean(odds)) if odds else None,
    )


def distress_log_odds(labels: Sequence[Emotion], log_probs: Floats) -> float | None:
    """Log odds of the labels of distress against the rest, over those of an even prior.

    Surprise is on neither side. None where the labels lack one of the sides.

    Args:
        labels: columns of `log_probs`.
        log_probs: (labels,) natural log, against an even prior.
    """
    distressed = [log_probs[at] for at, label in enumerate(labels) if label in DISTRESS]
    calm = [log_probs[at] for at, label in enumerate(labels) if label in NOT_DISTRESS]
    if not distressed or not calm:
        return None
    odds = np.logaddexp.reduce(distressed) - np.logaddexp.reduce(calm)
    return float(odds - np.log(len(distressed) / len(calm)))


def normalised(log_probs: Floats) -> Floats:
    """(labels,) shifted so that the probabilities sum to one."""
    shifted: Floats = log_probs - np.logaddexp.reduce(log_probs)
    return shifted
