"""Figures of whole calls whose timelines are known: windows, onsets, false onsets, silence kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.evaluation import metrics
from inference.evaluation.built_calls import BuiltCall
from inference.evaluation.judged import JudgedRows
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.fusion.prior import DEFAULT_PRIOR, DISTRESS_BASE_RATE
from inference.fusion.product import log_normalised
from inference.labels import DISTRESS, EMOTIONS, NOT_DISTRESS, Emotion, Modality, Role
from inference.score import DECIMALS, WindowScore
from inference.units import SECOND_NS

ONSET: Final = 2 * DISTRESS_BASE_RATE
"""Smoothed distress from which a listener would be called: twice what is met on average."""
STAYS_NS: Final = 3 * SECOND_NS
"""An onset counts if smoothed distress stays there for a window's length."""
TARGET_S: Final = 4.0
SMALLEST: Final = 0.5 * 10**-DECIMALS
"""Half of the step that scores are rounded to: what a zero stands for."""
PSEUDO: Final = "pseudo"
"""Marks figures with words: voice and words of a turn were put together by their class."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeardCall:
    """A built call, and what the service says of it.

    Attributes:
        call: what truly happens.
        scores: final, of all parties, ascending for each.
        zero_ns: event time at which the call begins.
    """

    call: BuiltCall
    scores: tuple[WindowScore, ...]
    zero_ns: int

    def of(self, role: Role) -> list[WindowScore]:
        """The scores of one party."""
        return [score for score in self.scores if score.role is role]


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """The line that calls came over, and the modalities that were to be had."""

    line: str
    modalities: tuple[Modality, ...]

    def __str__(self) -> str:
        """`wideband, speech`; words are marked as put beside the voice by class."""
        name = f"{self.line}, {'+'.join(self.modalities)}"
        return f"{name} ({PSEUDO})" if Modality.TEXT in self.modalities else name


def evaluate_calls(
    heard: Mapping[Condition, Sequence[HeardCall]], versions: Mapping[str, str]
) -> EvaluationReport:
    """Figures of every condition; the headline is that of the first.

    A window counts if at least half of it is speech of one label, of either party. One in
    which nothing was present counts with the deployment prior. Calls in which the customer is
    delighted are in the figures named `glad` alone.
    """
    groups = {str(condition): _figures(calls) for condition, calls in heard.items()}
    first = next(iter(groups))
    return EvaluationReport(
        task="calls",
        n=int(groups[first]["n"]),
        metrics={name: value for name, value in groups[first].items() if name != "n"},
        by=Breakdown(group=groups),
        versions={"headline": first, **versions},
    )


def _figures(calls: Sequence[HeardCall]) -> Metrics:
    troubled = [one for one in calls if one.call.emotion in DISTRESS]
    glad = [one for one in calls if one.call.emotion not in DISTRESS]
    windows = [window for one in troubled for window in counted(one)]
    delighted = [window for one in glad for window in counted(one)]
    customer = [window for window in windows if window.score.role is Role.CUSTOMER]
    return {
        "n": float(len(windows)),
        **rows_of(windows).figures(),
        "customer_distress_auc": _distress_auc(customer),
        **{
            f"{emotion}_distress_auc": _distress_auc(
                [one for one in windows if one.truth in {emotion} | NOT_DISTRESS]
            )
            for emotion in sorted({one.call.emotion for one in troubled})
        },
        **({"distress_auc_with_glad": _distress_auc([*windows, *delighted])} if glad else {}),
        "abstained_share": float(np.mean([one.score.decision.abstained for one in windows])),
        **onset_figures(troubled),
        **({"glad_false_onset_share": _false_share(glad, whole=True)} if glad else {}),
    }


@dataclass(frozen=True, slots=True)
class CountedWindow:
    """A window that is mostly speech of one label."""

    score: WindowScore
    truth: Emotion
    call: str


def counted(heard: HeardCall) -> list[CountedWindow]:
    """The windows of a call that count, in the order of its scores."""
    found = []
    for score in heard.scores:
        start_ns, end_ns = score.start_ns - heard.zero_ns, score.end_ns - heard.zero_ns
        truth = heard.call.spoken(score.role, start_ns, end_ns)
        if truth is not None:
            found.append(CountedWindow(score, truth, heard.call.name))
    return found


def rows_of(windows: Sequence[CountedWindow]) -> JudgedRows:
    """One row a window, with its own prediction set."""
    prior = np.exp(DEFAULT_PRIOR.log_shares)
    probs = np.array(
        [
            prior
            if one.score.emotions is None
            else [one.score.emotions[label] for label in EMOTIONS]
            for one in windows
        ]
    )
    return JudgedRows(
        labels=np.array([one.truth.value for one in windows]),
        log_probs=log_normalised(np.log(np.maximum(probs, SMALLEST))),
        names=tuple(EMOTIONS),
        units=np.array([one.call for one in windows]),
        distress_log_odds=_log_odds(windows),
        sets=np.array([[label in one.score.decision.set for label in EMOTIONS] for one in windows]),
    )


def _log_odds(windows: Sequence[CountedWindow]) -> Floats:
    """(windows,) of unsmoothed distress; those of the deployment where there is none."""
    base = DEFAULT_PRIOR.distress_base_rate
    found = np.array(
        [base if one.score.distress is None else one.score.distress.probability for one in windows]
    )
    found = np.clip(found, SMALLEST, 1 - SMALLEST)
    odds: Floats = np.log(found / (1 - found))
    return odds


def _distress_auc(windows: Sequence[CountedWindow]) -> float:
    distressed = np.array([one.truth in DISTRESS for one in windows])
    return metrics.roc_auc(distressed, _log_odds(windows))


def onset_figures(calls: Sequence[HeardCall]) -> Metrics:
    """How soon, and how often in vain, the customer's smoothed distress rises to `ONSET`.

    `onset_delay_s` is the median over all calls from the first distressed word to the end of
    the window of the onset; a call without one is later than any. It is left out where
    that is the median.
    """
    delays = np.array([_delay_s(one) for one in calls])
    median = float(np.median(delays))
    return {
        "onset_found_share": float(np.isfinite(delays).mean()),
        **({"onset_delay_s": median} if np.isfinite(median) else {}),
        "onset_in_time_share": float((delays <= TARGET_S).mean()),
        "false_onset_share": _false_share(calls),
    }


def onsets_ns(scores: Sequence[WindowScore]) -> list[int]:
    """Ends of windows at which smoothed distress rises to `ONSET` and stays for `STAYS_NS`.

    Windows without an estimate change nothing.
    """
    told = [
        (score.end_ns, score.distress.smoothed >= ONSET)
        for score in scores
        if score.distress is not None
    ]
    before = [False, *(above for _, above in told)]
    return [
        end_ns
        for (end_ns, above), was_above in zip(told, before, strict=False)
        if above
        and not was_above
        and all(later for at_ns, later in told if end_ns <= at_ns <= end_ns + STAYS_NS)
    ]


def _delay_s(heard: HeardCall) -> float:
    """From the first distressed word to the onset; infinite where there is none in the passage.

    A customer who was called distressed all along has no onset.
    """
    begun_ns, over_ns = (heard.zero_ns + at_ns for at_ns in heard.call.overcome_ns)
    found = [at_ns for at_ns in onsets_ns(heard.of(Role.CUSTOMER)) if begun_ns < at_ns <= over_ns]
    return (found[0] - begun_ns) / SECOND_NS if found else float("inf")


def _false_share(calls: Sequence[HeardCall], *, whole: bool = False) -> float:
    """Share of calls with an onset while the customer is still calm; `whole`: at any time."""
    false = [
        any(
            whole or at_ns <= one.zero_ns + one.call.overcome_ns[0]
            for at_ns in onsets_ns(one.of(Role.CUSTOMER))
        )
        for one in calls
    ]
    return float(np.mean(false))
