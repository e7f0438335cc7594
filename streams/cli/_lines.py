"""Scores as lines for people."""

from typing import Final

from rich.markup import escape

from inference.score import WindowScore

BAR: Final = 10


def score_line(score: WindowScore, zero_ns: int) -> str:
    """One window for a person, as rich markup; cues come last, each once."""
    begin_s, end_s = ((at - zero_ns) / 1e9 for at in (score.start_ns, score.end_ns))
    said = "nothing" if score.emotions is None else score.decision.label or "not sure"
    share = score.distress.probability if score.distress else None
    full = round((share or 0) * BAR)
    distress = "  --" if share is None else f"{share:.2f}"
    rests = ", ".join(
        f"{name} {report.weight:.0%}"
        if report.weight is not None
        else f"no {name} ({report.reason})"
        for name, report in score.modalities.items()
    )
    cues = "; ".join(dict.fromkeys(escape(cue.cue) for cue in score.evidence))
    return (
        f"{begin_s:6.1f}-{end_s:5.1f} s  {score.participant:<10} distress {distress} "
        f"{'█' * full}{'·' * (BAR - full)}  {said:<9} [dim]{rests}[/]"
        f"{f': {cues}' if cues else ''}"
    )
