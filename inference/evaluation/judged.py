"""Items after an expert has judged them: what figures, intervals and plots are made from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.figures import Floats, Names, Sets, figures
from inference.evaluation.report import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRows:
    """Items, each with its truth and what was said of it.

    Attributes:
        labels: (n,) true names.
        log_probs: (n, names) natural logs whose rows sum to one in probability.
        names: of the columns. Where several are likeliest, the first is what a row calls.
        units: (n,) who or what is drawn together in a bootstrap: a speaker, or the item.
        distress_log_odds: (n,) natural log odds, None where the expert has no say in it.
        sets: (n, names) which names the prediction set of each item holds.
    """

    labels: Names
    log_probs: Floats
    names: tuple[str, ...]
    units: Names
    distress_log_odds: Floats | None = None
    sets: Sets | None = None

    def of(self, kept: NDArray[np.bool_]) -> "JudgedRows":
        """The rows of which `kept`, (n,), is true."""
        return JudgedRows(
            labels=self.labels[kept],
            log_probs=self.log_probs[kept],
            names=self.names,
            units=self.units[kept],
            distress_log_odds=_kept(self.distress_log_odds, kept),
            sets=None if self.sets is None else self.sets[kept],
        )

    def figures(self) -> Metrics:
        """See `inference.evaluation.figures.figures`."""
        return figures(
            self.labels,
            self.log_probs,
            self.names,
            distress_log_odds=self.distress_log_odds,
            sets=self.sets,
        )


def _kept(values: Floats | None, kept: NDArray[np.bool_]) -> Floats | None:
    return None if values is None else values[kept]
