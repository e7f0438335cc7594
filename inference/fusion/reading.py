"""What a network of fusion reads of one modality."""

from typing import Final

import msgspec

from inference.labels import MODALITIES, Modality

QUALITIES: Final = ("present_share", "level", "freshness", "confidence")
"""Of `inference.evidence.Quality`, in the order of the last axis of every tensor of qualities."""


class Reading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a network reads of one modality: its support, and the numbers of one space if named.

    Attributes:
        space: of `inference.evidence.Features`; empty where support is all that is read.
        width: numbers of a vector of that space; 0 without one.
        tokens: most that are read, at least 1; more are pooled to so many.
        usual: of each of `QUALITIES`, what stands in where it is unknown: its mean in training.
    """

    modality: Modality
    space: str = ""
    width: int = 0
    tokens: int = 1
    usual: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse a space without width, a width without space, and nothing to read."""
        if bool(self.space) != bool(self.width) or self.width < 0 or self.tokens < 1:
            raise ValueError(
                f"reading of {self.modality}: space {self.space!r}, width {self.width}, "
                f"tokens {self.tokens}; a space has a width above 0, and tokens are at least 1"
            )


def in_order(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """The readings in the order of `MODALITIES`.

    Raises:
        ValueError: there is none, or two of one modality.
    """
    modalities = [reading.modality for reading in readings]
    if not readings or len(set(modalities)) != len(modalities):
        raise ValueError(f"readings of {modalities}: at least one, and one of each modality")
    return tuple(sorted(readings, key=lambda one: MODALITIES.index(one.modality)))
