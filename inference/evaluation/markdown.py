"""An evaluation as Markdown tables, for a page or a pull request."""

from inference.evaluation.report import EvaluationReport, grid, interval_note, tables


def to_markdown(report: EvaluationReport) -> str:
    """The tables of `print_report`, a heading each, then what the figures were made with."""
    pieces: list[str] = []
    for title, parts in tables(report).items():
        header, *rows = grid(parts)
        rule = ["---", *("---:" for _ in header[1:])]
        lines = "\n".join(_line(row) for row in (header, rule, *rows))
        pieces.append(f"## {title.capitalize()}\n\n{lines}")
    if note := interval_note(report):
        pieces.append(note.capitalize() + ".")
    notes = (f"- {what}: {version}" for what, version in report.versions.items())
    pieces.append("\n".join(notes))
    return "\n\n".join(filter(None, pieces)) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
