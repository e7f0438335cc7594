"""Labels of one's own: a few prompts make one, judged examples turn its rank into a probability.

Below `FEWEST_JUDGED` examples there is an order and nothing else: `RankOnly` has no place for a
probability, so that none can be shown by mistake.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError

MOST_PROMPTS: Final = 8
FEWEST_JUDGED: Final = 20
PENALTY: Final = 1.0
"""Of half the squared slope of standardised scores, in the log loss of one example."""
STEPS: Final = 50
"""Newton's method is there after five to ten; what is convex needs no more."""
SMALLEST_STEP: Final = 1e-10

Floats = NDArray[np.floating]


class PromptsError(AffectstreamError):
    """No prompts, or too many, or one without words."""


class JudgementsError(AffectstreamError):
    """Scores and answers that do not belong together."""


@dataclass(frozen=True, slots=True)
class RankOnly:
    """Too little was judged to say more than which moments come first.

    Attributes:
        judged: how many examples there are.
        needed: how many more it takes at least.
        reason: what is missing, for a person.
    """

    judged: int
    needed: int
    reason: str


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A score made a probability by judged examples.

    Attributes:
        judged: how many examples there were.
        slope: log odds for each standard deviation of the score; 0 if higher scores are not
            judged true more often.
        intercept: log odds at the mean score.
        mean: of the judged scores.
        scale: their standard deviation.
        held_out_nll: natural log loss of each example by a fit to all others, in mean.
        held_out_accuracy: share of examples that such a fit puts on the right side of one half.
        base_nll: the same for the share of yes among all others, which knows no score.
    """

    judged: int
    slope: float
    intercept: float
    mean: float
    scale: float
    held_out_nll: float
    held_out_accuracy: float
    base_nll: float

    @property
    def informative(self) -> bool:
        """Whether the score says more of a new example than the share of yes does."""
        return self.slope > 0 and self.held_out_nll < self.base_nll

    def probability(self, scores: Floats) -> NDArray[np.float64]:
        """(n,) probabilities of (n,) scores."""
        standard = (np.asarray(scores, dtype=np.float64) - self.mean) / self.scale
        return _logistic(self.slope * standard + self.intercept)


def check_prompts(prompts: Sequence[str]) -> tuple[str, ...]:
    """The prompts without spaces around them.

    Raises:
        PromptsError: none, more than `MOST_PROMPTS`, or one without words.
    """
    kept = tuple(prompt.strip() for prompt in prompts)
    if not 1 <= len(kept) <= MOST_PROMPTS:
        raise PromptsError(f"{len(kept)} prompts: give 1 to {MOST_PROMPTS} for a label")
    if not all(kept):
        raise PromptsError(f"prompt {kept.index('') + 1} of {len(kept)} is empty: say it in words")
    return kept


def label_vector(prompts: Sequence[str], query: Callable[[str], Floats]) -> NDArray[np.float32]:
    """(dim,) normalised mean of what `query` makes of each prompt; 0 if that is nothing.

    Source: Radford et al. 2021 (CLIP), section 3.1.4, ensembling over prompts.

    Raises:
        PromptsError: see `check_prompts`.
    """
    mean = np.mean([query(prompt) for prompt in check_prompts(prompts)], axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    vector: NDArray[np.float32] = np.asarray(mean / (length or 1.0), dtype=np.float32)
    return vector


def score(moments: Floats, label: Floats, temperature: float) -> NDArray[np.float64]:
    """(n,) v . e / t of (n, dim) moments for a label's (dim,) vector: higher ranks first.

    Each row is summed by itself: alone and in company give the same bits.
    """
    moments = np.asarray(moments, dtype=np.float64)
    products = moments * np.asarray(label, dtype=np.float64)
    scores: NDArray[np.float64] = products.sum(axis=-1) / temperature
    return scores


def calibrate(scores: Floats, answers: NDArray[np.bool_]) -> Calibrated | RankOnly:
    """Fit log odds that are linear in the score, or say that there is too little to fit.

    Source: Platt 1999, with his targets (n+ + 1) / (n+ + 2) and 1 / (n- + 2) in place of 1 and
    0. Departures: scores are standardised and the slope is shrunk (`PENALTY`), since twenty
    examples are often perfectly apart; a slope under 0 becomes 0, since a label whose best
    moments are judged wrong has no use that is turned round.

    Args:
        scores: (n,) of judged moments.
        answers: (n,) whether the label holds of each.

    Raises:
        JudgementsError: other shapes, or scores that are not finite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    answers = np.asarray(answers, dtype=np.bool_)
    if scores.ndim != 1 or scores.shape != answers.shape:
        raise JudgementsError(
            f"scores of shape {scores.shape}, answers of shape {answers.shape}: give (n,) of both"
        )
    if not np.isfinite(scores).all():
        raise JudgementsError(
            f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite: "
            "leave out moments without a vector"
        )
    yes, judged = int(answers.sum()), len(answers)
    if judged < FEWEST_JUDGED:
        more = FEWEST_JUDGED - judged
        return RankOnly(judged, more, f"{judged} of {FEWEST_JUDGED} examples judged")
    if yes in {0, judged}:
        lacking = "yes" if yes == 0 else "no"
        return RankOnly(judged, 1, f"{judged} examples judged, none of them {lacking}")
    mean, scale = float(scores.mean()), float(scores.std())
    standard = np.asarray((scores - mean) / (scale or 1.0), dtype=np.float64)
    slope, intercept = _fit(standard, answers)
    held_out = _left_out(standard, answers)
    shares = (yes - answers) / (judged - 1)  # of yes among all others, (n,)
    return Calibrated(
        judged=judged,
        slope=slope,
        intercept=intercept,
        mean=mean,
        scale=scale or 1.0,
        held_out_nll=_nll(held_out, answers),
        held_out_accuracy=float(((held_out > 0.5) == answers).mean()),  # noqa: PLR2004 - one half
        base_nll=_nll((shares * (judged - 1) + 1) / (judged + 1), answers),
    )


def _fit(standard: NDArray[np.float64], answers: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept by Newton's method on the penalised loss, which is convex."""
    yes = int(answers.sum())
    targets = np.where(answers, (yes + 1) / (yes + 2), 1 / (len(answers) - yes + 2))
    columns = np.stack([standard, np.ones_like(standard)], axis=1)  # (n, 2)
    weights = np.array([0.0, np.log((yes + 1) / (len(answers) - yes + 1))])
    penalty = np.array([PENALTY, 0.0])
    for _ in range(STEPS):
        expected = _logistic((columns * weights).sum(axis=1))
        gradient = (columns * (expected - targets)[:, None]).sum(axis=0) + penalty * weights
        spread = expected * (1 - expected)
        a, b, c = (
            (spread * standard**2).sum() + PENALTY,
            (spread * standard).sum(),
            spread.sum(),
        )
        determinant = a * c - b * b
        step = np.array([c * gradient[0] - b * gradient[1], a * gradient[1] - b * gradient[0]])
        step /= determinant
        weights -= step
        if np.abs(step).max() < SMALLEST_STEP:
            break
    if weights[0] <= 0:
        share = float(targets.mean())
        return 0.0, float(np.log(share / (1 - share)))
    return float(weights[0]), float(weights[1])


def _left_out(standard: NDArray[np.float64], answers: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) probability of each example by a fit to all others."""
    found = np.zeros(len(answers))
    for place in range(len(answers)):
        others = np.arange(len(answers)) != place
        slope, intercept = _fit(standard[others], answers[others])
        found[place] = _logistic(np.array([slope * standard[place] + intercept]))[0]
    return found


def _nll(probabilities: NDArray[np.float64], answers: NDArray[np.bool_]) -> float:
    right = np.where(answers, probabilities, 1 - probabilities)
    return float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean())


def _logistic(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 0.5 * (1 + np.tanh(log_odds / 2))
    return found
