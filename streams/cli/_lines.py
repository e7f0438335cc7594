"""Scores as lines for people."""

from typing import Final

from rich.markup import escape

from inference.labels import Modality
from inference.score import ModalityReport, WindowScore

BAR: Final = 10
NOTHING_SAID: Final = 1.0
"""At this vacuity nobody present moves the estimate: it rests on the prior alone."""


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


def _rests(name: Modality, report: ModalityReport, *, silent: bool) -> str:
    """What one modality carries, or why it carries nothing."""
    if not report.present:
        return f"no {name} ({report.reason})"
    if silent or not report.weight:
        return f"{name} says nothing"
    return f"{name} {report.weight:.0%}"
