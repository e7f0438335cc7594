"""Does context help? The raw estimate, smoothed, filtered and by the network, on built calls.

Built calls are sentences of actors put in a row by code: moods begin at once and last, as in no
real call. The figures compare methods with each other and promise nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from inference.context.artefact import ContextConfig
from inference.context.recurrent import RecurrentContext, follow
from inference.errors import AffectstreamError
from inference.evaluation.calls import HeardCall, counted, onset_figures, rows_of
from inference.evaluation.judged import JudgedRows
from inference.evaluation.pairs import Difference, difference
from inference.evaluation.report import Breakdown, EvaluationReport, Metrics
from inference.labels import DISTRESS
from inference.methods import Context
from inference.score import ContextReport, Distress, WindowScore

RAW: Final = "raw"
WHOLE: Final = "conversation followed whole"
FORGETFUL: Final = "without memory"
"""The same network at the beginning of a call in every window: what of its gain is not context,
but a better calibration to built calls."""
STANDARD_ERRORS: Final = 2.0
"""By which a method must win."""
COMPARED: Final = (("accuracy", 1), ("nll", -1), ("distress_auc", 1))
"""Figures whose difference to the raw estimate is printed, and which way is better."""

Told = Callable[[HeardCall], HeardCall]


class NoWindowsError(AffectstreamError):
    """No call of which anything counts."""


def evaluate_context(
    heard: Mapping[str, Sequence[HeardCall]],
    contexts: Mapping[str, Context],
    versions: Mapping[str, str],
) -> EvaluationReport:
    """Figures of every method over every line; the headline is the raw estimate over the first.

    Gains are over the raw estimate on the same windows, above 0 where the method is better, with
    standard errors over calls. Delays are those of `inference.evaluation.calls`, with the
    method's own distress for the smoothed one.

    Args:
        heard: calls by the name of their line.
        contexts: by name; a recurrent one is also judged following calls as a whole, and
            without memory.
        versions: of everything else.

    Raises:
        NoWindowsError: there is nothing to judge.
    """
    told: dict[str, Told] = {RAW: unsmoothed}
    told |= {name: _by(context) for name, context in contexts.items()}
    for name, one in contexts.items():
        if isinstance(one, RecurrentContext):
            told[f"{name}, {WHOLE}"] = _by_whole(one)
            told[f"{name}, {FORGETFUL}"] = _forgetful(one)
    groups: dict[str, Metrics] = {}
    for line, calls in heard.items():
        raw = judged([unsmoothed(call) for call in calls])
        for name, tell in told.items():
            groups[f"{line}, {name}"] = _figures([tell(call) for call in calls], raw)
    if not groups:
        raise NoWindowsError("no calls: at least one is needed")
    headline = next(iter(groups.values()))
    return EvaluationReport(
        task="context",
        n=int(headline["n"]),
        metrics={name: value for name, value in headline.items() if name != "n"},
        by=Breakdown(group=groups),
        versions={**{name: one.version for name, one in contexts.items()}, **versions},
    )


@dataclass(frozen=True, slots=True)
class Worth:
    """What a context gains on calls, each party on its own, above 0 where it is better.

    Attributes:
        over_raw: by figure, over the raw estimate.
        by_memory: NLL, over the same network without memory.
    """

    over_raw: Mapping[str, Difference]
    by_memory: Difference

    @property
    def earned(self) -> bool:
        """Whether likelihood rises, memory has a part in it, and nothing falls.

        Each by more than two standard errors.
        """
        rises = (self.over_raw["nll"], self.by_memory)
        return all(one.gain > STANDARD_ERRORS * one.error for one in rises) and not any(
            one.gain < -STANDARD_ERRORS * one.error for one in self.over_raw.values()
        )


def worth(calls: Sequence[HeardCall], context: Context) -> Worth:
    """What `context` gains on `calls`."""
    raw, forgetful, told = (
        judged([tell(call) for call in calls])
        for tell in (unsmoothed, _forgetful(context), _by(context))
    )
    return Worth(over_raw=_gains(raw, told), by_memory=_gains(forgetful, told)["nll"])


def with_worth(config: ContextConfig, found: Worth) -> ContextConfig:
    """`config` with what its network was found worth: gains and their standard errors."""
    figures = {f"{name}_gain": one for name, one in found.over_raw.items()}
    figures["nll_gain_by_memory"] = found.by_memory
    rounded = {name: [round(one.gain, 4), round(one.error, 4)] for name, one in figures.items()}
    training = {**config.training, **rounded, "earned": found.earned}
    return msgspec.structs.replace(config, training=training)


def judged(calls: Sequence[HeardCall]) -> JudgedRows:
    """One row a window that counts; the windows of a call are drawn together.

    Raises NoWindowsError where there is none.
    """
    windows = [window for call in calls for window in counted(call)]
    if not windows:
        raise NoWindowsError(f"{len(calls)} calls, no window of which is mostly speech of a label")
    return replace(rows_of(windows), sets=None)


def unsmoothed(call: HeardCall) -> HeardCall:
    """The raw estimate alone."""
    return replace(call, scores=tuple(_with(score, None) for score in call.scores))


def _by(context: Context) -> Told:
    """What the context says of each party by itself, in the place of the raw estimate."""

    def tell(call: HeardCall) -> HeardCall:
        states: dict[str, bytes] = {}
        told = []
        for score in call.scores:
            before = states.get(score.participant, b"")
            report, states[score.participant] = context.advance(before, score)
            told.append(_with(score, report))
        return replace(call, scores=tuple(told))

    return tell


def _by_whole(context: RecurrentContext) -> Told:
    def tell(call: HeardCall) -> HeardCall:
        steps = follow(context, call.scores)
        pairs = zip(call.scores, steps, strict=True)
        return replace(call, scores=tuple(_with(score, step.report) for score, step in pairs))

    return tell


def _forgetful(context: Context) -> Told:
    def tell(call: HeardCall) -> HeardCall:
        told = (_with(score, context.advance(b"", score)[0]) for score in call.scores)
        return replace(call, scores=tuple(told))

    return tell


def _with(score: WindowScore, report: ContextReport | None) -> WindowScore:
    emotions = score.emotions if report is None else report.emotions
    distress = None if score.distress is None else score.distress.probability
    if report is not None and report.distress is not None:
        distress = report.distress
    return msgspec.structs.replace(
        score,
        emotions=emotions,
        distress=None if distress is None else Distress(probability=distress, smoothed=distress),
    )


def _figures(calls: Sequence[HeardCall], raw: JudgedRows) -> Metrics:
    rows = judged(calls)
    troubled = [call for call in calls if call.call.emotion in DISTRESS]
    found: Metrics = {"n": float(len(rows.labels)), **rows.figures()}
    if troubled:
        found |= onset_figures(troubled)
    for name, one in _gains(raw, rows).items():
        found |= {f"{name}_gain": one.gain, f"{name}_gain_se": one.error}
    return found


def _gains(raw: JudgedRows, rows: JudgedRows) -> dict[str, Difference]:
    found = {}
    for metric, sign in COMPARED:
        gain = difference(raw, rows, metric)
        found[metric] = Difference(sign * gain.gain + 0.0, gain.error)
    return found
