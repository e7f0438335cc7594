"""Where training keeps what it heard."""

from pathlib import Path

from streams.settings import load


def beside(out: Path, shipped: Path) -> Path:
    """The folder next to `out`; for what ships with the code, one in `models_dir`."""
    folder = load().models_dir if out == shipped else out.parent
    return folder / f"{out.name}.heard"
