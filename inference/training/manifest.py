"""A table of somebody's own material: what each item is, and what listeners called it."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from inference.errors import AffectstreamError
from inference.labels import EMOTIONS, Emotion

Content = Literal["path", "text"]
"""The column that holds the item: of a file, or of words."""
MOST_GROUPS: Final = 20
"""A column with more values than this names items, not groups of them."""
_NOT_GROUPS: Final = frozenset({"path", "text", "label", "speaker", "split"})


class ManifestError(AffectstreamError):
    """A manifest that cannot be used as it is: file, line, column, and what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row.

    Attributes:
        line: of the manifest, where the row ends.
        path: of the recording or picture; None where the item is words.
        text: the words; empty where the item is a file.
        label: what it was called.
        speaker: who is heard, seen or read; None where nobody says.
        language: BCP 47, `und` where nobody says.
        groups: value by column, of columns that divide the items into groups.
    """

    line: int
    path: Path | None
    text: str
    label: Emotion
    speaker: str | None
    language: str
    groups: Mapping[str, str]

    @property
    def file(self) -> Path:
        """`path` of an item that has one. Raises ManifestError where it is words."""
        if self.path is None:
            raise ManifestError(f"line {self.line} names no file")
        return self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The rows that are to be judged, and what was left out.

    Attributes:
        items: in the order of the file, at least one.
        about: what a report says of its origin, by name.
    """

    items: tuple[Item, ...]
    about: Mapping[str, str] = field(default_factory=dict)


def parse_labels(text: str) -> dict[str, Emotion | None]:
    """Names of labels by `a=b,c=d`; nothing after `=` leaves rows of that name out.

    Raises ManifestError.
    """
    names: dict[str, Emotion | None] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, target = (word.strip().casefold() for word in part.partition("="))
        if not name or not equals:
            raise ManifestError(f"--labels: {part!r} is no `name=emotion`, such as happy=joy")
        if target and target not in EMOTIONS:
            raise ManifestError(
                f"--labels: {part!r}: {target!r} is none of {', '.join(EMOTIONS)}; nothing "
                "after `=` leaves rows of that name out"
            )
        emotion = Emotion(target) if target else None
        if names.setdefault(name, emotion) != emotion:
            raise ManifestError(f"--labels: {name!r} is given two meanings")
    return names


def read_manifest(
    path: Path,
    content: Content,
    *,
    labels: Mapping[str, Emotion | None] | None = None,
    split: str | None = None,
) -> Manifest:
    """Read the rows of `path` whose column `split` is `split`, or all of them.

    Columns are `label` and `path` (relative to the folder of the manifest) or `text`; maybe
    `speaker`, `split`, `language`; any other divides the items into groups, `language` too.
    Names of columns and labels are compared without case.

    Args:
        path: a CSV file in UTF-8.
        content: which column holds the items.
        labels: meaning of names that are no emotions, or mean another one, from `parse_labels`.
        split: which rows.

    Raises:
        ManifestError: the first thing that has to be changed.
    """
    data = _bytes_of(path)
    rows = list(_rows(path, data, content, split))
    chosen = [row for row in rows if split is None or row.cells["split"] == split]
    if not chosen:
        raise ManifestError(_nothing_to_judge(path, rows, split))
    meanings: dict[str, Emotion | None] = {emotion.value: emotion for emotion in EMOTIONS}
    meanings |= labels or {}
    called = [(row, row.emotion(meanings)) for row in chosen]
    kept = [(row, emotion) for row, emotion in called if emotion is not None]
    if not kept:
        raise ManifestError(f"{path}: --labels leaves all {len(chosen)} rows out")
    grouping, too_many = _grouping([row.cells for row, _ in kept])
    items = tuple(row.item(content, emotion, grouping) for row, emotion in kept)
    about = {
        "manifest": f"{path.name} {hashlib.sha256(data).hexdigest()[:12]}, "
        f"{len(kept)} of {len(rows)} rows" + (f", split {split}" if split is not None else "")
    }
    if too_many:
        about["no groups"] = f"{', '.join(too_many)}: more than {MOST_GROUPS} values"
    return Manifest(items=items, about=about)


@dataclass(frozen=True, slots=True)
class _Row:
    """Cells by column, stripped, and where they are."""

    manifest: Path
    line: int
    cells: Mapping[str, str]

    def error(self, column: str, problem: str) -> ManifestError:
        return ManifestError(f"{self.manifest} line {self.line}, column {column}: {problem}")

    def emotion(self, meanings: Mapping[str, Emotion | None]) -> Emotion | None:
        name = self.cells["label"]
        if not name:
            raise self.error("label", f"empty; write one of {', '.join(EMOTIONS)}")
        if name.casefold() not in meanings:
            raise self.error(
                "label",
                f"{name!r} is none of {', '.join(EMOTIONS)}; say what it means with "
                f"--labels {name}=EMOTION, or leave such rows out with --labels {name}=",
            )
        return meanings[name.casefold()]

    def item(self, content: Content, emotion: Emotion, grouping: Sequence[str]) -> Item:
        cells = self.cells
        return Item(
            line=self.line,
            path=self._file() if content == "path" else None,
            text=cells["text"] if content == "text" else "",
            label=emotion,
            speaker=cells.get("speaker") or None,
            language=cells.get("language") or "und",
            groups={
                column: " ".join(cells[column].split()) for column in grouping if cells[column]
            },
        )

    def _file(self) -> Path:
        if not self.cells["path"]:
            raise self.error("path", "empty; name a file")
        file = self.manifest.parent / self.cells["path"]
        if not file.is_file():
            raise self.error("path", f"no file {file}; paths are relative to the manifest's folder")
        return file


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ManifestError(f"{path}: cannot be read ({exc.strerror}); check --manifest") from exc


def _rows(path: Path, data: bytes, content: Content, split: str | None) -> Iterator[_Row]:
    try:
        lines = io.StringIO(data.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ManifestError(f"{path} line {line}: not UTF-8; save the file as UTF-8") from exc
    reader = csv.reader(lines, strict=True)
    try:
        header = [" ".join(name.casefold().split()) for name in next(reader, [])]
        _check_header(path, header, content, split)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise ManifestError(
                    f"{path} line {reader.line_num}: {len(cells)} cells under {len(header)} "
                    'columns; put cells that hold a comma into "quotes"'
                )
            stripped = (cell.strip() for cell in cells)
            yield _Row(path, reader.line_num, dict(zip(header, stripped, strict=True)))
    except csv.Error as exc:
        raise ManifestError(f"{path} line {reader.line_num}: no CSV ({exc})") from exc


def _check_header(path: Path, header: Sequence[str], content: Content, split: str | None) -> None:
    needed = [content, "label", *([] if split is None else ["split"])]
    missing = [column for column in needed if column not in header]
    if missing:
        raise ManifestError(
            f"{path} line 1: no column {' and no column '.join(missing)}; the first line names "
            f"the columns with commas between them, here they are: {', '.join(header) or 'none'}"
        )
    twice = [column for column, count in Counter(header).items() if count > 1]
    if twice:
        raise ManifestError(f"{path} line 1: two columns {twice[0]!r}; give one another name")


def _nothing_to_judge(path: Path, rows: Sequence[_Row], split: str | None) -> str:
    if split is None:
        return f"{path}: no rows under the names of the columns"
    there = Counter(row.cells["split"] for row in rows)
    listed = ", ".join(f"{name or 'empty'} ({count})" for name, count in sorted(there.items()))
    return f"{path}, column split: no row with {split!r}; there are {listed or 'none'}"


def _grouping(rows: Sequence[Mapping[str, str]]) -> tuple[list[str], list[str]]:
    """Columns that divide `rows` into groups, and those with too many values to do so."""
    columns = [column for column in rows[0] if column and column not in _NOT_GROUPS]
    values = {column: {row[column] for row in rows} - {""} for column in columns}
    return (
        [column for column in columns if 0 < len(values[column]) <= MOST_GROUPS],
        [column for column in columns if len(values[column]) > MOST_GROUPS],
    )
