"""Shows a report: as tables, as JSON for programs, as Markdown in a file."""

from pathlib import Path

from rich.console import Console

from inference.errors import AffectstreamError
from inference.evaluation.markdown import to_markdown
from inference.evaluation.report import EvaluationReport, print_report, to_json


class UnwritableError(AffectstreamError):
    """A result has no place to go."""


def check_place(markdown: Path | None) -> None:
    """Refuse a file that cannot be made, before anything takes time. Raises UnwritableError."""
    if markdown is not None and not markdown.parent.is_dir():
        raise UnwritableError(f"--markdown {markdown}: no folder {markdown.parent}")


def show_report(report: EvaluationReport, markdown: Path | None = None, *, json: bool) -> None:
    """Print the report; write it as Markdown too if a file is named. Raises UnwritableError."""
    if json:
        print(to_json(report))  # noqa: T201 - a result for programs
    else:
        print_report(report, Console())
    if markdown is not None:
        write_text(markdown, to_markdown(report), "--markdown")


def write_text(path: Path, text: str, option: str) -> None:
    """Write a result that `option` asked for. Raises UnwritableError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UnwritableError(f"{option} {path}: cannot be written ({exc.strerror})") from exc
