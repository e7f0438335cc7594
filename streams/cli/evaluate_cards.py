"""`affectstream evaluate cards`: the figures of the model cards, from the reports beside them."""

from typing import Final

from rich.console import Console

FAILURE: Final = 1


def cards(*, only: str = "", check: bool = False) -> int:
    """Render the figures of the model cards from the reports that lie beside the weights.

    Exits with 1 if a card cannot be rendered, or with `--check` if one is not what its reports
    say or the weights are others than those that were judged.

    Example: `affectstream evaluate cards --check`

    Args:
        only: names of some cards, comma-separated: those of the folders of weights.
        check: write nothing.
    """
    from inference.evaluation.cards import CARDS, problems
    from streams.cli._cards import render_cards
    from streams.cli._names import chosen

    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    some = chosen(only, CARDS)
    if not check:
        return 0 if render_cards(notes, some) else FAILURE
    found = [problem for card in some for problem in problems(card)]
    for problem in found:
        notes.print(problem, markup=False)
    return FAILURE if found else 0
