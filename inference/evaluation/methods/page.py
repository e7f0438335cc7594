"""The page of the methods, written from kept results alone."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Final

from inference.evaluation.markdown import to_markdown
from inference.evaluation.methods.results import (
    REFERENCE,
    Comparison,
    Cost,
    Gain,
    Judged,
    MethodsResults,
    Section,
    Spread,
)
from inference.evaluation.methods.verdict import (
    LOSING_ERRORS,
    WINNING_ERRORS,
    WINS,
    Verdict,
    verdicts,
)

PAGE_FILE: Final = "methods.md"
WIDTH: Final = 100
TITLES: Final = {
    "accuracy": "Accuracy",
    "uar": "UAR",
    "nll": "NLL",
    "ece": "ECE",
    "risk_coverage_area": "Risk-coverage area",
}
GAINS: Final = {"accuracy": "Accuracy over late", "nll": "NLL taken off late"}
INTRODUCTION: Final = (
    "Every way of fusing that this library knows, on the same material, each fitted on other "
    "speakers than it is judged on. Figures of learned methods are the mean over seeds ± their "
    "standard deviation; a gain on `late` stands with its standard error from a paired bootstrap "
    "over speakers. This page is written by `affectstream evaluate methods` from `methods.json` "
    "beside it; nobody edits it."
)
NOT_SHIPPED: Final = (
    "These comparisons fit each method anew on material that may not be in shipped weights. The "
    "shipped weights of the learned methods come from pairs that were put together (a recorded "
    "voice beside a written line of the same label), which cannot show what two modalities of one "
    "moment add: no figure here is theirs, and none promises a gain on calls."
)


def render(results: MethodsResults, pictures: Mapping[str, str]) -> str:
    """The page.

    Args:
        results: what was found.
        pictures: by the name of a comparison, or `costs` or `dropped`, the path of a picture
            relative to the page; those that are not there are left out.
    """
    pieces = [
        "# Methods of fusion, compared",
        _fill(INTRODUCTION),
        "## Which one ships, and why",
        *_shipping(results),
    ]
    for comparison in results.comparisons:
        pieces += _comparison(comparison, pictures)
    if results.costs:
        pieces += ["## What each costs", _fill(_costs_about()), _costs(results.costs)]
        pieces += _picture(pictures, "costs", "Time of one window against accuracy")
    for section in results.sections:
        pieces += _section(section)
    origin = results.origin
    pieces += [
        "## Where this comes from",
        f"- `{origin.command}`\n- {origin.date}, commit `{origin.commit}`, {origin.machine}",
    ]
    return "\n\n".join(pieces) + "\n"


def _shipping(results: MethodsResults) -> Iterable[str]:
    found = verdicts(results.comparisons)
    winners = [one.method for one in found if one.ships]
    yield _fill(
        f"A method replaces `{REFERENCE}` as the default if it betters its accuracy by more than "
        f"{WINNING_ERRORS:g} standard errors in at least {WINS} of the comparisons below and is "
        f"worse by {LOSING_ERRORS:g} in none, in accuracy or NLL, with everything present."
    )
    yield (
        f"**{', '.join(f'`{name}`' for name in winners)}** passes."
        if winners
        else f"**None does: `{REFERENCE}` ships as the default**, and the others are a setting."
    )
    rows = [[f"`{one.method}`", _named(one.wins), _named(one.losses), _word(one)] for one in found]
    yield _table(["Method", "Better beyond the noise", "Worse beyond one error", "Default"], rows)
    yield _fill(NOT_SHIPPED)


def _word(verdict: Verdict) -> str:
    return "yes" if verdict.ships else "no"


def _named(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _comparison(comparison: Comparison, pictures: Mapping[str, str]) -> Iterable[str]:
    yield f"## {comparison.title}"
    yield _fill(
        f"{comparison.about} {comparison.n} items, {comparison.speakers} speakers, "
        f"{comparison.seeds} seed{'' if comparison.seeds == 1 else 's'}."
    )
    yield from _picture(pictures, comparison.name, f"{comparison.title}: gain on late")
    for part in comparison.parts:
        lines = [one for name in comparison.methods if (one := comparison.of(name, part))]
        yield f"### {part.capitalize()}"
        yield _table(["Method", *TITLES.values(), *GAINS.values()], map(_row, lines))
    yield from _picture(
        pictures, f"{comparison.name}-dropped", f"{comparison.title}: modalities dropped"
    )
    yield from _picture(
        pictures, f"{comparison.name}-risk", f"{comparison.title}: risk over coverage"
    )


def _row(line: Judged) -> list[str]:
    return [
        f"`{line.method}`",
        *(_spread(line.figures.get(name)) for name in TITLES),
        *(_gain(line.gains.get(name)) for name in GAINS),
    ]


def _spread(figure: Spread | None) -> str:
    if figure is None:
        return ""
    return f"{figure.mean:.4f}" + (f" ± {figure.sd:.4f}" if figure.sd else "")


def _gain(gain: Gain | None) -> str:
    return "" if gain is None else f"{gain.gain:+.4f} ± {gain.error:.4f}"


def _costs_about() -> str:
    return (
        "The shipped weights on one thread: a window with voice, words and a face, 30 tokens each; "
        "alone, and the cost of each of 64 that come together. Size is that of the files."
    )


def _costs(costs: Iterable[Cost]) -> str:
    return _table(
        ["Method", "Version", "Size, KiB", "Median, ms", "p95, ms", "Each of 64, ms"],
        (
            [
                f"`{one.method}`",
                f"`{one.version}`",
                f"{one.size_bytes / 1024:.0f}",
                f"{one.median_ms:.2f}",
                f"{one.p95_ms:.2f}",
                f"{one.many_ms:.3f}",
            ]
            for one in costs
        ),
    )


def _section(section: Section) -> Iterable[str]:
    yield f"## {section.title}"
    if section.about:
        yield _fill(section.about)
    yield to_markdown(section.report).replace("## ", "### ").rstrip()


def _picture(pictures: Mapping[str, str], name: str, said: str) -> list[str]:
    return [f"![{said}]({pictures[name]})"] if name in pictures else []


def _table(header: list[str], rows: Iterable[list[str]]) -> str:
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def _fill(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
