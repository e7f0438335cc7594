"""Feature tables, one a modality, as samples with whatever modalities each has."""

import csv
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError
from inference.labels import MODALITIES, Modality
from inference.training.fusion.material import speaker_split

ID: Final = "id"
SPEAKER: Final = "speaker"
LABEL: Final = "label"
DESCRIBING: Final = (ID, SPEAKER, LABEL)
"""Columns that are not features."""

Names = NDArray[np.str_]


class TableError(AffectstreamError):
    """A table that cannot be read, or two that contradict each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """n samples, in order of id.

    Attributes:
        ids: (n,).
        speakers: (n,) who is heard or seen.
        labels: (n,) empty where none is known.
        vectors: by modality in the order of `MODALITIES`, (n, size) float32; zeros where absent.
        present: by modality, (n,) bool.
    """

    ids: Names
    speakers: Names
    labels: Names
    vectors: Mapping[Modality, NDArray[np.float32]]
    present: Mapping[Modality, NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, rows: NDArray[np.bool_]) -> "Samples":
        """Those that `rows`, (n,), marks."""
        return replace(
            self,
            ids=self.ids[rows],
            speakers=self.speakers[rows],
            labels=self.labels[rows],
            vectors={modality: each[rows] for modality, each in self.vectors.items()},
            present={modality: each[rows] for modality, each in self.present.items()},
        )

    def split(self, share: float, seed: int) -> tuple["Samples", "Samples"]:
        """To learn from and to be judged on, of different speakers.

        Args:
            share: of the speakers that the second has.
            seed: of the draw.
        """
        later = speaker_split(self.speakers, share, np.random.default_rng(seed))
        return self.of(~later), self.of(later)

    def without(self, *modalities: Modality | str) -> "Samples":
        """The same with these modalities away; samples that have nothing left go."""
        gone = {Modality(one) for one in modalities}
        present = {
            modality: np.zeros_like(there) if modality in gone else there
            for modality, there in self.present.items()
        }
        left = np.any(list(present.values()), axis=0)
        return replace(self, present=present).of(left)


def read_tables(paths: Mapping[str, Path]) -> Samples:
    """Join tables by their column `id`; a sample that a table lacks has no such modality.

    A table is CSV or Parquet (with the extra `parquet`) with the columns `id`, `speaker` and,
    to learn from, `label`; every other column is a feature.

    Args:
        paths: by modality: `{"speech": Path("speech.csv"), ...}`.

    Raises:
        TableError: a file cannot be read, a value is no finite number, an id comes twice, or
            tables contradict each other.
    """
    tables = {one: _table(Path(paths[one])) for one in MODALITIES if one in paths}
    unknown = set(paths) - set(MODALITIES)
    if unknown or not tables:
        raise TableError(
            f"tables of {', '.join(sorted(paths)) or 'nothing'}: name at least one of "
            f"{', '.join(MODALITIES)}, and nothing else"
        )
    known: dict[str, tuple[str, str]] = {}
    for modality, table in tables.items():
        for key, told in table.told.items():
            if known.setdefault(key, told) != told:
                raise TableError(
                    f"{paths[modality]}: {key} is {told}, but {known[key]} in another table"
                )
    ids = sorted(known)
    return Samples(
        ids=np.array(ids, dtype=np.str_),
        speakers=np.array([known[key][0] for key in ids], dtype=np.str_),
        labels=np.array([known[key][1] for key in ids], dtype=np.str_),
        vectors={modality: table.rows(ids) for modality, table in tables.items()},
        present={
            modality: np.array([key in table.features for key in ids])
            for modality, table in tables.items()
        },
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """One file: (speaker, label) and features, by id."""

    told: Mapping[str, tuple[str, str]]
    features: Mapping[str, NDArray[np.float32]]
    size: int

    def rows(self, ids: Sequence[str]) -> NDArray[np.float32]:
        nothing = np.zeros(self.size, np.float32)
        return np.stack([self.features.get(key, nothing) for key in ids])


def _table(path: Path) -> _Table:
    rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    if not rows or ID not in rows[0] or SPEAKER not in rows[0]:
        raise TableError(f"{path}: no rows with the columns {ID} and {SPEAKER}")
    columns = [name for name in rows[0] if name not in DESCRIBING]
    told, features = {}, {}
    for number, row in enumerate(rows, start=1):
        key = str(row[ID])
        if key in told:
            raise TableError(f"{path}, row {number}: {key} comes twice")
        told[key] = (str(row[SPEAKER]), str(row.get(LABEL) or ""))
        try:
            vector = np.array([float(row[name]) for name in columns], np.float32)
        except (TypeError, ValueError) as exc:
            raise TableError(f"{path}, row {number}: a feature is no number ({exc})") from exc
        if not np.isfinite(vector).all():
            raise TableError(f"{path}, row {number}: a feature is not finite; leave the row out")
        features[key] = vector
    if not columns:
        raise TableError(f"{path}: no features beside {', '.join(rows[0])}")
    return _Table(told, features, len(columns))


def _csv(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise TableError(f"{path}: cannot be read ({exc})") from exc


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as exc:
        raise TableError(
            f"{path}: Parquet needs pyarrow: pip install 'affectstream[parquet]', or give CSV"
        ) from exc
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except (OSError, arrow.ArrowException) as exc:
        raise TableError(f"{path}: cannot be read ({exc})") from exc
    return rows
