"""Rows of the shared space with what is known of them: all that an imputer learns from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.imputation.contract import Bools, Floats
from inference.labels import MODALITIES, Emotion, Modality

FOLDS: Final = 5
"""Groups of speakers that are held out in turn, where something is measured while fitting."""
LEAST_ROWS: Final = 8
"""Of two modalities at once, from which a relation between them can be learnt at all."""


class TooLittleToImputeError(AffectstreamError):
    """Material that shows no two modalities together, or almost none."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedRows:
    """Windows in the shared space.

    Attributes:
        parts: (n, 3, size) float32 in the order of `MODALITIES`, zero where absent.
        present: (n, 3).
        truth: (n,) columns of `labels`.
        labels: emotions.
        speakers: (n,) who is held out together.
    """

    parts: Floats
    present: Bools
    truth: NDArray[np.intp]
    labels: tuple[Emotion, ...]
    speakers: NDArray[np.str_]

    def __len__(self) -> int:
        """Windows."""
        return len(self.truth)

    @property
    def size(self) -> int:
        """Dimensions of the shared space."""
        return int(self.parts.shape[2])

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Those that stand beside another one often enough to be learnt."""
        beside = self.present & (self.present.sum(axis=1, keepdims=True) > 1)
        return tuple(
            modality
            for modality, count in zip(MODALITIES, beside.sum(axis=0), strict=True)
            if count >= LEAST_ROWS
        )

    @property
    def names(self) -> NDArray[np.str_]:
        """(n,) the label of each row."""
        return np.array([str(label) for label in self.labels])[self.truth]

    def of(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The rows that `kept` names."""
        return type(self)(
            self.parts[kept],
            self.present[kept],
            self.truth[kept],
            self.labels,
            self.speakers[kept],
        )

    def has(self, pattern: Sequence[Modality]) -> NDArray[np.bool_]:
        """(n,) whether every modality of `pattern` is there, whatever else is."""
        places = [MODALITIES.index(modality) for modality in pattern]
        there: NDArray[np.bool_] = np.all(self.present[:, places], axis=1)
        return there

    def columns(self, modalities: tuple[Modality, ...]) -> tuple[Floats, Bools]:
        """(n, modalities, size) and (n, modalities) of some modalities, in their order."""
        places = [MODALITIES.index(modality) for modality in modalities]
        return self.parts[:, places], self.present[:, places]

    def folds(self, most: int = FOLDS) -> Iterator[NDArray[np.bool_]]:
        """(n,) who is held out, `most` times: speakers in order of name, dealt in turn."""
        names = np.unique(self.speakers)
        for first in range(min(most, len(names))):
            yield np.isin(self.speakers, names[first::most])

    def split(self) -> tuple[Self, Self]:
        """What is learnt from, and the speakers of the first fold, who stop it in time.

        Raises:
            TooLittleToImputeError: only one speaker, or no two modalities together.
        """
        if len(self.modalities) < 2:  # noqa: PLR2004 - it takes two
            raise TooLittleToImputeError(
                f"{len(self)} windows, none or too few of them with two modalities: nothing says "
                "what one lets expect of another"
            )
        if len(np.unique(self.speakers)) < 2:  # noqa: PLR2004 - one to learn from, one to be tested on
            raise TooLittleToImputeError(
                f"{len(self)} windows of one speaker: name material of two or more"
            )
        held_out = next(self.folds())
        return self.of(~held_out), self.of(held_out)
