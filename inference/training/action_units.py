"""Mean action units of the takes of RAVDESS, as Luna-Jimenez et al. 2022 published them.

CC BY-NC-SA 4.0: to judge methods and for research, never for weights that ship.
"""

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError

UNITS: Final = 35
"""17 intensities and 18 presences of OpenFace."""
ACTION_UNIT_SPACE: Final = f"action-units-{UNITS}"


class NoActionUnitsError(AffectstreamError):
    """A file without action units, or with rows that are not theirs."""


def read_action_units(path: Path) -> dict[str, NDArray[np.float32]]:
    """(35,) by the name of the take without its first field: that says voice or video.

    Raises:
        NoActionUnitsError: the file is missing or a row does not parse.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter=";"))
        names = [name for name in (rows[0] if rows else {}) if name.startswith("AU")]
        units = {
            row["name"][3:]: np.array([float(row[name]) for name in names], dtype=np.float32)
            for row in rows
        }
    except (OSError, KeyError, ValueError) as exc:
        raise NoActionUnitsError(f"{path}: no mean action units ({exc})") from exc
    if len(names) != UNITS:
        raise NoActionUnitsError(f"{path}: {len(names)} action units a row, {UNITS} are expected")
    return units
