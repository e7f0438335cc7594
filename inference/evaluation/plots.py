"""Pictures of an evaluation: what its probabilities are worth, and what it confuses."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from inference.errors import AffectstreamError
from inference.evaluation.figures import columns_of
from inference.evaluation.judged import JudgedRows
from inference.evaluation.metrics import reliability, risk_coverage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILES: Final = ("reliability.png", "risk_coverage.png", "confusion.png")
_SIDE_INCHES: Final = 5.0
_DARK: Final = 0.5


class PlotsError(AffectstreamError):
    """Plots cannot be drawn or written here."""


def check_plots(folder: Path) -> None:
    """Make `folder` if it is not there. Raises PlotsError while nothing was judged yet."""
    try:
        import matplotlib.figure  # noqa: F401, PLC0415 - an extra, and slow
    except ImportError as exc:
        raise PlotsError(
            "plots need matplotlib: pip install 'affectstream[plots]', or leave --plots out"
        ) from exc
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise PlotsError(f"--plots {folder}: cannot be written ({exc.strerror})") from exc


def draw(rows: JudgedRows, title: str, folder: Path) -> list[Path]:
    """Write `FILES` into `folder`, as PNG.

    Figures are drawn without pyplot, so no window system is asked for and nothing is left open.

    Raises:
        PlotsError: matplotlib is not installed, or the folder cannot be written.
    """
    check_plots(folder)
    drawn = (_reliability(rows), _risk_coverage(rows), _confusion(rows))
    paths = [folder / name for name in FILES]
    for figure, path in zip(drawn, paths, strict=True):
        figure.axes[0].set_title(f"{title}, {len(rows.labels)} items")
        try:
            figure.savefig(path, format="png", dpi=120, metadata={"Software": None})
        except OSError as exc:
            raise PlotsError(f"{path}: cannot be written ({exc.strerror})") from exc
    return paths


def _reliability(rows: JudgedRows) -> "Figure":
    """Accuracy against confidence in 15 bins; the larger a point, the more items."""
    bins = reliability(columns_of(rows.labels, rows.names), np.exp(rows.log_probs))
    figure = _square()
    axes = figure.add_subplot(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.plot([0, 1], [0, 1], linestyle="--", color="grey", label="perfectly calibrated")
    sizes = 20 + 280 * bins.count / bins.count.sum()
    axes.plot(bins.confidence, bins.accuracy, color="tab:blue")
    axes.scatter(bins.confidence, bins.accuracy, s=sizes, label="bins by size")
    axes.set_xlabel("mean probability of the likeliest label")
    axes.set_ylabel("share of items in which it is right")
    axes.legend(loc="lower right")
    return figure


def _risk_coverage(rows: JudgedRows) -> "Figure":
    """Share of errors when only the surest items are answered."""
    risk = risk_coverage(columns_of(rows.labels, rows.names), np.exp(rows.log_probs))
    figure = _square()
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, max(0.01, 1.05 * float(risk.max()))))
    axes.plot(np.arange(1, len(risk) + 1) / len(risk), risk)
    axes.axhline(float(risk[-1]), linestyle="--", color="grey", label="all answered")
    axes.set_xlabel("share of items answered, the surest first")
    axes.set_ylabel("share of errors among them")
    axes.legend(loc="upper left")
    return figure


def _confusion(rows: JudgedRows) -> "Figure":
    """Counts, shaded by their share of the true label."""
    columns = columns_of(rows.labels, rows.names)
    counts = np.zeros((len(rows.names), len(rows.names)), dtype=np.int64)
    np.add.at(counts, (columns, rows.log_probs.argmax(axis=1)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    places = range(len(rows.names))
    figure = _square()
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for true in places:
        for called in places:
            colour = "white" if share[true, called] > _DARK else "black"
            text = str(counts[true, called])
            axes.text(called, true, text, ha="center", va="center", color=colour)
    axes.set_xticks(places, rows.names, rotation=45, ha="right")
    axes.set_yticks(places, rows.names)
    axes.set_xlabel("called")
    axes.set_ylabel("true")
    return figure


def _square() -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow

    return Figure(figsize=(_SIDE_INCHES, _SIDE_INCHES), layout="constrained")
