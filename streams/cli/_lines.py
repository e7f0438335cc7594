"""Scores and alerts as lines for people."""

from typing import Final

from rich.markup import escape

from inference.contract import parse_time
from inference.labels import Modality
from inference.score import ModalityReport, WindowScore
from storage.alerts import AlertJson, AlertNews
from streams.alerts.rule import shipped_rules
from streams.serving.dashboard.shell.desk_words import ENDED_BECAUSE

BAR: Final = 10
NOTHING_SAID: Final = 1.0
"""At this vacuity nobody present moves the estimate: it rests on the prior alone."""

METRIC: Final = {"smoothed": "smoothed distress", "change": "change of voice"}
"""Metrics of rules whose name alone says too little."""


def score_line(score: WindowScore, zero_ns: int) -> str:
    """One window for a person, as rich markup; cues come last, each once."""
    begin_s, end_s = ((at - zero_ns) / 1e9 for at in (score.start_ns, score.end_ns))
    said = "nothing" if score.distress is None else score.decision.label or "not sure"
    share = score.distress.probability if score.distress else None
    full = round((share or 0) * BAR)
    distress = "  --" if share is None else f"{share:.2f}"
    rests = ", ".join(
        _rests(name, report, silent=score.vacuity >= NOTHING_SAID)
        for name, report in score.modalities.items()
    )
    cues = "; ".join(dict.fromkeys(escape(cue.cue) for cue in score.evidence))
    return (
        f"{begin_s:6.1f}-{end_s:5.1f} s  {score.participant:<10} distress {distress} "
        f"{'█' * full}{'·' * (BAR - full)}  {said:<9} [dim]{rests}[/]"
        f"{f': {cues}' if cues else ''}"
    )


def alert_line(news: AlertNews, zero_ns: int, page_url: str) -> str | None:
    """An alert that fires, or one that fired and is over, as rich markup.

    Args:
        news: what happened.
        zero_ns: when the conversation began.
        page_url: of the dashboard.

    Returns:
        None for what people did with it.
    """
    if news.transition == "firing":
        return _fires(news.alert, zero_ns, page_url)
    if news.transition == "resolved":
        return _is_over(news.alert, zero_ns)
    return None


def _fires(alert: AlertJson, zero_ns: int, page_url: str) -> str:
    rule = shipped_rules().get(alert.rule)
    says = f"\n  {escape(rule.summary)}" if rule is not None and rule.summary else ""
    return (
        f"[bold]{_second(alert.fired, zero_ns)}  ALERT ({alert.severity}): {escape(alert.rule)}, "
        f"{alert.participant}, {_value(alert)}[/]{says}\n  {escape(page_url + alert.link)}"
    )


def _is_over(alert: AlertJson, zero_ns: int) -> str:
    over = _second(alert.resolved or alert.fired, zero_ns)
    because = ENDED_BECAUSE.get(alert.reason or "", alert.reason)
    return (
        f"[bold]{over}  alert over: {escape(alert.rule)}, {alert.participant}, "
        f"{_value(alert)} at its peak[/] [dim]({because})[/]"
    )


def _second(at: str, zero_ns: int) -> str:
    return f"{(parse_time(at) - zero_ns) / 1e9:6.1f} s"


def _value(alert: AlertJson) -> str:
    metric = METRIC.get(alert.metric, alert.metric)
    return f"{metric} {'unknown' if alert.peak is None else f'{alert.peak:.2f}'}"


def _rests(name: Modality, report: ModalityReport, *, silent: bool) -> str:
    """What one modality carries, or why it carries nothing."""
    if not report.present:
        return f"no {name} ({report.reason})"
    if silent or not report.weight:
        return f"{name} says nothing"
    return f"{name} {report.weight:.0%}"
