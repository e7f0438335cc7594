"""From the scores of windows to the record of an incident."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from inference.labels import Emotion
from inference.narrator.incident import (
    MOST_CUES,
    MOST_FIGURES,
    MOST_SPANS,
    MOST_WINDOWS,
    CueFact,
    Figure,
    FigureName,
    IncidentRecord,
    Kind,
    SpanFact,
    WindowFact,
)
from inference.narrator.support import RAISED_TIMES
from inference.score import WindowScore
from inference.units import SECOND_NS
from inference.window import TextSpan


class Spoken(Protocol):
    """Words with the event time in which they were said."""

    @property
    def start_ns(self) -> int:
        """Of the first word."""
        ...

    @property
    def end_ns(self) -> int:
        """Of the last word."""
        ...

    @property
    def text(self) -> str:
        """The words."""
        ...


NO_SCORES: Final = "an incident is gathered from scores; there are none"


def gather(
    scores: Sequence[WindowScore],
    *,
    kind: Kind = Kind.ALERT,
    origin_ns: int,
    rule: str = "",
    metric: str = "",
    severity: str = "",
    spans: Sequence[TextSpan] = (),
    base_rate: float = 0.1,
) -> IncidentRecord:
    """The record of one participant's windows.

    Of more than fit, the first, the last and the most distressed windows are kept; cues of the
    most distressed windows, each wording once; the first spans that overlap a window.

    Args:
        scores: of one participant, ascending, at least one.
        kind: alert or conversation.
        origin_ns: event time at which the conversation began; the record counts from here.
        rule: of the alert.
        metric: that the rule watches.
        severity: of the rule.
        spans: what the participant said; pass none unless policy keeps transcripts.
        base_rate: of distress, the setting `distress_base_rate`.

    Raises:
        ValueError: no scores.
    """
    if not scores:
        raise ValueError(NO_SCORES)
    kept = _telling(scores)
    return IncidentRecord(
        kind=kind,
        rule=rule,
        metric=metric,
        severity=severity,
        role=scores[0].role,
        participant=scores[0].participant,
        windows=tuple(
            _window(f"w{place}", score, origin_ns) for place, score in enumerate(kept, start=1)
        ),
        cues=_cues(scores, origin_ns),
        spans=_spans(scores, spans, origin_ns),
        figures=_figures(scores, base_rate),
        base_rate=base_rate,
    )


def span_facts(spoken: Sequence[Spoken], origin_ns: int) -> tuple[SpanFact, ...]:
    """Facts of a record that counts from `origin_ns`: pass no more than `MOST_SPANS`."""
    return tuple(
        SpanFact(
            id=f"s{place}",
            start_ns=one.start_ns - origin_ns,
            end_ns=one.end_ns - origin_ns,
            text=one.text,
        )
        for place, one in enumerate(spoken, start=1)
    )


def shift_record(
    figures: Mapping[FigureName, float], labelled: Mapping[Emotion, float] | None = None
) -> IncidentRecord:
    """The record of a shift, from its figures.

    Args:
        figures: shares in [0, 1], counts, hours.
        labelled: share of windows by label; the largest are kept where too many are given.
    """
    plain = [(name, value, None) for name, value in figures.items()]
    by_label = sorted((labelled or {}).items(), key=lambda item: -item[1])
    shares = [(FigureName.LABELLED_SHARE, value, label) for label, value in by_label]
    return IncidentRecord(
        kind=Kind.SHIFT,
        figures=tuple(
            Figure(id=f"f{place}", name=name, value=value, label=label)
            for place, (name, value, label) in enumerate([*plain, *shares][:MOST_FIGURES], start=1)
        ),
    )


def _telling(scores: Sequence[WindowScore]) -> list[WindowScore]:
    if len(scores) <= MOST_WINDOWS:
        return list(scores)
    middle = sorted(scores[1:-1], key=_distress, reverse=True)[: MOST_WINDOWS - 2]
    return sorted([scores[0], *middle, scores[-1]], key=lambda score: score.start_ns)


def _distress(score: WindowScore) -> float:
    return -1.0 if score.distress is None else score.distress.probability


def _window(name: str, score: WindowScore, origin_ns: int) -> WindowFact:
    return WindowFact(
        id=name,
        start_ns=score.start_ns - origin_ns,
        end_ns=score.end_ns - origin_ns,
        label=score.decision.label,
        emotions=dict(score.emotions or {}),
        distress=None if score.distress is None else score.distress.probability,
        set=score.decision.set,
        weights=score.shares,
        vacuity=score.vacuity,
        conflict=score.conflict,
        change=score.change,
    )


def _cues(scores: Sequence[WindowScore], origin_ns: int) -> tuple[CueFact, ...]:
    found: dict[tuple[str, int | None], CueFact] = {}
    for score in sorted(scores, key=_distress, reverse=True):
        for cue in score.evidence:
            at_ns = None if cue.at_ns is None else cue.at_ns - origin_ns
            found.setdefault(
                (cue.cue, at_ns), CueFact(id="", modality=cue.modality, text=cue.cue, at_ns=at_ns)
            )
    kept = sorted(
        list(found.values())[:MOST_CUES], key=lambda cue: -1 if cue.at_ns is None else cue.at_ns
    )
    return tuple(
        CueFact(id=f"c{place}", modality=cue.modality, text=cue.text, at_ns=cue.at_ns)
        for place, cue in enumerate(kept, start=1)
    )


def _spans(
    scores: Sequence[WindowScore], spans: Sequence[TextSpan], origin_ns: int
) -> tuple[SpanFact, ...]:
    begin_ns = min(score.start_ns for score in scores)
    end_ns = max(score.end_ns for score in scores)
    inside = [span for span in spans if span.start_ns < end_ns and span.end_ns > begin_ns]
    return span_facts(inside[:MOST_SPANS], origin_ns)


def _figures(scores: Sequence[WindowScore], base_rate: float) -> tuple[Figure, ...]:
    distress = [score.distress.probability for score in scores if score.distress is not None]
    lasted_s = (scores[-1].end_ns - scores[0].start_ns) / SECOND_NS
    named: dict[FigureName, float] = {
        FigureName.DWELL_S: lasted_s,
        FigureName.WINDOWS: float(len(scores)),
        FigureName.ABSTAINED_SHARE: sum(one.decision.abstained for one in scores) / len(scores),
    }
    if distress:
        raised = sum(one >= RAISED_TIMES * base_rate for one in distress)
        named[FigureName.PEAK] = max(distress)
        named[FigureName.DISTRESSED_SHARE] = raised / len(scores)
    return tuple(
        Figure(id=f"f{place}", name=name, value=value)
        for place, (name, value) in enumerate(named.items(), start=1)
    )
