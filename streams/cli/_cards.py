"""Reports beside the shipped weights, and the cards that show them."""

import os
import platform
import subprocess
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from inference.evaluation.cards import (
    CARDS,
    Card,
    CardError,
    Evaluated,
    Made,
    read_evaluations,
    rewrite,
    write_evaluations,
)
from inference.evaluation.report import EvaluationReport

if TYPE_CHECKING:
    from streams.cli._evaluations import Evaluation


def showing(reports: Collection[str]) -> list[Card]:
    """The cards that show one of these evaluations."""
    return [card for card in CARDS.values() if not set(card.evaluations).isdisjoint(reports)]


def render_cards(notes: Console, some: Iterable[Card]) -> bool:
    """Render what can be, with a line for each card that changed or cannot be."""
    complete = True
    for card in some:
        try:
            if rewrite(card):
                notes.print(f"card of {card.name}: rendered anew", markup=False)
        except CardError as exc:
            notes.print(f"card of {card.name}: {exc}", markup=False)
            complete = False
    return complete


def keep(evaluation: "Evaluation", report: EvaluationReport, made_from: str) -> None:
    """Put a report beside the weights of every card that shows it."""
    evaluated = Evaluated(
        made=Made(
            weights={name: CARDS[name].version() for name in evaluation.weights},
            date=datetime.now(UTC).date().isoformat(),
            commit=made_from,
            machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            command=evaluation.command,
        ),
        report=report,
    )
    for card in CARDS.values():
        if evaluation.name in card.evaluations:
            kept = read_evaluations(card)
            write_evaluations(card, {**kept, evaluation.name: evaluated})


def commit() -> str:
    """Of the code that runs, with a mark if it was changed since; `unknown` without a checkout.

    Reports and cards that were just written are no change of code.
    """
    head = _git("rev-parse", "--short=10", "HEAD")
    if head is None or head.returncode:
        return "unknown"
    changed = _git("diff", "--quiet", "HEAD", "--", ":(top)*.py")
    return head.stdout.strip() + ("+changes" if changed is None or changed.returncode else "")


def _git(*arguments: str) -> subprocess.CompletedProcess[str] | None:
    """None where there is no git."""
    command = ["git", *arguments]
    here = Path(__file__).parent
    try:
        return subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    except OSError:
        return None
