"""Pictures of a comparison of methods, from kept results."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from inference.evaluation.methods.compare import DROPPED
from inference.evaluation.methods.pseudo import TITLE as PSEUDO_TITLE
from inference.evaluation.methods.results import (
    COVERAGES,
    REFERENCE,
    Comparison,
    MethodsResults,
)
from inference.evaluation.plots import PlotsError, check_plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE_INCHES: Final = (6.4, 4.0)


def draw(results: MethodsResults, folder: Path) -> dict[str, Path]:
    """Write `methods-….png` for all that results hold; by name, as the page asks for them.

    Raises:
        PlotsError: matplotlib is not installed, or the folder cannot be written.
    """
    check_plots(folder)
    drawn: dict[str, Figure] = {}
    for comparison in results.comparisons:
        drawn[comparison.name] = _gains(comparison)
        drawn[f"{comparison.name}-risk"] = _risks(comparison)
        if any(part.startswith(DROPPED) for part in comparison.parts):
            drawn[f"{comparison.name}-dropped"] = _dropped(comparison)
    if results.costs and results.comparisons:
        drawn["costs"] = _costs(results)
    for section in results.sections:
        if section.title == PSEUDO_TITLE:
            drawn["pseudo"] = _pseudo(results)
    paths: dict[str, Path] = {}
    for name, figure in drawn.items():
        paths[name] = folder / f"methods-{name}.png"
        try:
            figure.savefig(paths[name], format="png", dpi=110, metadata={"Software": None})
        except OSError as exc:
            raise PlotsError(f"{paths[name]}: cannot be written ({exc.strerror})") from exc
    return paths


def kept(results: MethodsResults, folder: Path) -> dict[str, Path]:
    """Those that lie in `folder` already."""
    names = [
        name for one in results.comparisons for name in (one.name, f"{one.name}-risk",
                                                         f"{one.name}-dropped")
    ]  # fmt: skip
    paths = {name: folder / f"methods-{name}.png" for name in (*names, "costs", "pseudo")}
    return {name: path for name, path in paths.items() if path.is_file()}


def _gains(comparison: Comparison) -> "Figure":
    """Accuracy over the reference with two standard errors, of each method."""
    figure = _figure()
    axes = figure.add_subplot()
    lines = [
        (name, line.gains["accuracy"])
        for name in comparison.methods
        if (line := comparison.of(name, comparison.whole)) and "accuracy" in line.gains
    ]
    axes.axvline(0.0, color="grey", linestyle="--")
    axes.errorbar(
        [100 * gain.gain for _, gain in lines],
        range(len(lines)),
        xerr=[200 * gain.error for _, gain in lines],
        fmt="o",
        capsize=3,
    )
    axes.set_yticks(range(len(lines)), [name for name, _ in lines])
    axes.invert_yaxis()
    axes.set_xlabel(f"points of accuracy over {REFERENCE}, two standard errors")
    return figure


def _risks(comparison: Comparison) -> "Figure":
    """Share of errors when only the surest items are answered."""
    figure = _figure()
    axes = figure.add_subplot()
    for name in comparison.methods:
        line = comparison.of(name, comparison.whole)
        if line and line.risk:
            axes.plot(COVERAGES, line.risk, label=name)
    axes.set_xlabel("share of items answered, the surest first")
    axes.set_ylabel("share of errors among them")
    axes.legend(loc="upper left")
    return figure


def _dropped(comparison: Comparison) -> "Figure":
    """Accuracy over the chance with which a modality is dropped."""
    figure = _figure()
    axes = figure.add_subplot()
    parts = [part for part in comparison.parts if part.startswith(DROPPED)]
    rates = [0.0, *(float(part.removeprefix(DROPPED)) for part in parts)]
    for name in comparison.methods:
        lines = [comparison.of(name, part) for part in (comparison.whole, *parts)]
        values = [line.figures["accuracy"].mean for line in lines if line]
        axes.plot(rates, values, marker="o", label=name)
    axes.set_xlabel("chance with which each modality is dropped")
    axes.set_ylabel("accuracy")
    axes.legend(loc="lower left")
    return figure


def _costs(results: MethodsResults) -> "Figure":
    """Accuracy of the first comparison over the time of a window."""
    comparison = results.comparisons[0]
    figure = _figure()
    axes = figure.add_subplot()
    for cost in results.costs:
        line = comparison.of(cost.method, comparison.whole)
        if line:
            place = (cost.median_ms, line.figures["accuracy"].mean)
            axes.scatter(*place, color="tab:blue")
            axes.annotate(cost.method, place, textcoords="offset points", xytext=(5, 4))
    axes.set_xscale("log")
    axes.set_xlabel("one window on one thread, ms")
    axes.set_ylabel(f"accuracy: {comparison.title}")
    return figure


def _pseudo(results: MethodsResults) -> "Figure":
    """Accuracy learned from real pairs and from pairs put together, side by side."""
    section = next(one for one in results.sections if one.title == PSEUDO_TITLE)
    groups = section.report.by.group
    figure = _figure()
    axes = figure.add_subplot()
    for offset, (name, said) in enumerate(
        (("accuracy_real", "real pairs"), ("accuracy_put_together", "put together"))
    ):
        places = [number + 0.35 * offset for number in range(len(groups))]
        axes.bar(places, [group[name] for group in groups.values()], width=0.35, label=said)
    axes.set_xticks([number + 0.175 for number in range(len(groups))], list(groups))
    axes.set_ylabel("accuracy on real pairs")
    lowest = min(min(group["accuracy_real"], group["accuracy_put_together"])
                 for group in groups.values())  # fmt: skip
    axes.set_ylim(max(0.0, lowest - 0.05), None)
    axes.legend(loc="lower right", title="learned from")
    return figure


def _figure() -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow

    return Figure(figsize=_SIZE_INCHES, layout="constrained")
