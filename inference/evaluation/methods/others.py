"""Methods that do not fuse, on the same page: what stands above the report of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from inference.evaluation.methods.results import MethodsError, Section
from inference.evaluation.report import EvaluationReport, from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What stands above a report."""

    title: str
    about: str


TOLD: Final[Mapping[str, Told]] = {
    "search": Told(
        title="Search",
        about="Whether a caption finds its window among 1000 with words masked, on people whom the "
        "space has not met, beside a match of label and thirds without learning; and labels that "
        "were never learnt. The space finds moments and touches no score.",
    ),
    "imputation": Told(
        title="Imputation",
        about="What is drawn for a hidden modality, through the head of the shared vectors, beside "
        "the head that was fitted without it (`masked`, which is what the product does). Ridge is "
        "the default: a generator ships as one only if it is clearly better somewhere, worse "
        "nowhere, and its ellipsoid of .9 holds 85 to 95 % of the truth. Nothing drawn enters a "
        "probability.",
    ),
    "narrator": Told(
        title="Narrator",
        about="The small narrator on 500 incidents that it never met. The template serves by "
        "default and is always faithful.",
    ),
    "context": Told(
        title="Context",
        about="Calls built from voices that no weight has heard. Their moods begin at once and "
        "last, as in no real call: compare the methods, and expect less of your calls. The raw "
        "estimate is what is stored and alerted on.",
    ),
}
"""By the task of a report."""


def section_of(report: EvaluationReport) -> Section:
    """The section of a report. Raises MethodsError where the page has no place for its task."""
    if report.task not in TOLD:
        raise MethodsError(
            f"a report of {report.task!r}: the page takes those of {', '.join(TOLD)}, as "
            "`affectstream evaluate NAME --json` prints them"
        )
    told = TOLD[report.task]
    return Section(title=told.title, about=told.about, report=report)


def read_section(path: Path) -> Section:
    """The section of a report in a file. Raises MethodsError."""
    try:
        report = from_json(path.read_bytes())
    except (OSError, msgspec.DecodeError) as exc:
        raise MethodsError(f"{path}: no report of an evaluation ({exc})") from exc
    return section_of(report)
