"""Numbers that nobody heard or saw, as a type: they look like an array and are no evidence."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError


class ImputedEvidenceError(AffectstreamError, TypeError):
    """What was only expected was about to be taken for what was heard or seen."""


class Imputed(np.ndarray[Any, Any]):
    """An array of which at least some part was drawn, not observed.

    Slices, sums, copies and what numpy joins it to are imputed too, so the mark outlives ordinary
    arithmetic; `inference.evidence` refuses it. `np.asarray` takes the mark off: it keeps
    honest code from a mistake, and a law over the whole scorer holds the rest
    (`tests/laws/test_imputed_is_no_evidence.py`).
    """

    __slots__: Final = ()

    def __array_function__(self, *call: Any) -> Any:
        """As any array, but what comes out bears the mark: joining would lose it."""
        found = super().__array_function__(*call)
        return found.view(Imputed) if isinstance(found, np.ndarray) else found


def imputed(numbers: NDArray[Any]) -> Imputed:
    """`numbers` with the mark."""
    return numbers.view(Imputed)


def refuse_imputed(numbers: NDArray[Any], what: str) -> None:
    """Raise ImputedEvidenceError if `numbers` bear the mark."""
    if isinstance(numbers, Imputed):
        raise ImputedEvidenceError(
            f"{what}: an imputed array of shape {numbers.shape} is no evidence; give what an "
            "expert read, or leave the modality absent"
        )
