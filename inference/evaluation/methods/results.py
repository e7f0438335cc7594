"""What a comparison of methods found, as it is kept beside the page that shows it."""

from pathlib import Path
from typing import Final

import msgspec

from inference.errors import AffectstreamError
from inference.evaluation.report import EvaluationReport

RESULTS_FILE: Final = "methods.json"
REFERENCE: Final = "late"
"""What everything is compared with, and what ships unless something wins."""
COVERAGES: Final = tuple(step / 20 for step in range(1, 21))
"""Where the curve of risk over coverage is kept."""


class MethodsError(AffectstreamError):
    """Results that cannot be read."""


class Spread(msgspec.Struct, frozen=True):
    """A figure over seeds.

    Attributes:
        mean: over the seeds.
        sd: standard deviation among them; 0 where nothing is drawn.
    """

    mean: float
    sd: float = 0.0


class Gain(msgspec.Struct, frozen=True):
    """What a method gains on the reference, on the same items; more is better.

    Attributes:
        gain: mean over seeds.
        error: its standard deviation over speakers drawn anew.
    """

    gain: float
    error: float

    @property
    def errors(self) -> float:
        """How many standard errors the gain is from nothing."""
        return self.gain / self.error if self.error > 0 else 0.0


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one part of the material.

    Attributes:
        part: what was present (`speech+face`), or how it was dropped.
        gains: by figure: `accuracy`, `nll` (what is taken off it).
        risk: share of errors among the surest items, at `COVERAGES`; empty for dropped rows.
    """

    method: str
    part: str
    figures: dict[str, Spread]
    gains: dict[str, Gain] = {}
    risk: list[float] = []


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Several methods on the same items.

    Attributes:
        name: short, `posteriors`.
        about: what the material is, and what was fitted on what.
        n: items.
        speakers: who are drawn anew.
        seeds: of each learned method.
        whole: the part that holds everything, on which methods are compared.
    """

    name: str
    title: str
    about: str
    n: int
    speakers: int
    seeds: int
    whole: str
    lines: list[Judged]

    def of(self, method: str, part: str) -> Judged | None:
        """The line of a method and a part, if there is one."""
        return next((one for one in self.lines if (one.method, one.part) == (method, part)), None)

    @property
    def methods(self) -> list[str]:
        """In order of appearance."""
        return list(dict.fromkeys(line.method for line in self.lines))

    @property
    def parts(self) -> list[str]:
        """In order of appearance."""
        return list(dict.fromkeys(line.part for line in self.lines))


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a method costs on one thread.

    Attributes:
        version: of the weights that were timed.
        size_bytes: of its files.
        median_ms: of one window, with the most tokens that a window has.
        p95_ms: of the same.
        many_ms: per window, 64 at once.
    """

    method: str
    version: str
    size_bytes: int
    median_ms: float
    p95_ms: float
    many_ms: float


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A report of another evaluation, shown as it is.

    Attributes:
        picture: name of one that is drawn for it; empty without.
    """

    title: str
    about: str
    report: EvaluationReport
    picture: str = ""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where results come from: day (ISO 8601), commit, system with cores, and the command."""

    date: str
    commit: str
    machine: str
    command: str


class MethodsResults(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page shows."""

    origin: Origin
    comparisons: list[Comparison]
    costs: list[Cost] = []
    sections: list[Section] = []

    def with_section(self, section: Section) -> "MethodsResults":
        """The same with `section`, in place of one of its title."""
        found = {one.title: one for one in self.sections} | {section.title: section}
        return msgspec.structs.replace(self, sections=list(found.values()))

    def with_comparison(self, comparison: Comparison) -> "MethodsResults":
        """The same with `comparison`, in place of one of its name."""
        found = {one.name: one for one in self.comparisons} | {comparison.name: comparison}
        return msgspec.structs.replace(self, comparisons=list(found.values()))

    def save(self, folder: Path) -> Path:
        """Write `RESULTS_FILE` into `folder`. Raises MethodsError."""
        path = folder / RESULTS_FILE
        text = msgspec.json.format(msgspec.json.encode(self), indent=1)
        try:
            path.write_bytes(text + b"\n")
        except OSError as exc:
            raise MethodsError(f"{path}: cannot be written ({exc.strerror})") from exc
        return path


def read_results(folder: Path) -> MethodsResults:
    """Inverse of `MethodsResults.save`. Raises MethodsError."""
    path = folder / RESULTS_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=MethodsResults)
    except (OSError, msgspec.DecodeError) as exc:
        raise MethodsError(
            f"{path}: no results of a comparison ({exc}); make them with "
            "`affectstream evaluate methods --data DIR`"
        ) from exc
