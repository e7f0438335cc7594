"""What the evaluations of experts ask about somebody's own material."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from inference.training.manifest import (
    Content,
    Manifest,
    ManifestError,
    parse_labels,
    read_manifest,
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestOptions:
    """Own material to judge.

    Attributes:
        manifest: instead of --data, a CSV file of your own with the columns `path` (relative
            to the file) or `text`, and `label`; maybe `speaker`, `split`, `language`; any
            other column, such as `sex` or `codec`, divides the items into groups.
        labels: what other names of labels mean: `happy=joy,calm=neutral`; `contempt=` leaves
            such rows out.
        split: judge the rows with this value in the column `split`.
        plots: folder for a reliability diagram, a risk-coverage curve and a confusion matrix
            of the manifest.
        markdown: file for the tables as Markdown.
    """

    manifest: Path | None = None
    labels: str = ""
    split: str | None = None
    plots: Path | None = None
    markdown: Path | None = None

    def check_with(self, data: Path | None) -> None:
        """Refuse options that do not go together, before anything takes time."""
        if (data is None) == (self.manifest is None):
            raise ManifestError("name either --data or --manifest")
        if self.manifest is None and (self.labels or self.split or self.plots):
            raise ManifestError("--labels, --split and --plots need --manifest")
        if self.markdown is not None and not self.markdown.parent.is_dir():
            raise ManifestError(f"--markdown {self.markdown}: no folder {self.markdown.parent}")

    def read(self, content: Content) -> Manifest:
        """The rows to judge; see `read_manifest`."""
        if self.manifest is None:
            raise ManifestError("name either --data or --manifest")
        return read_manifest(
            self.manifest,
            content,
            labels=parse_labels(self.labels),
            split=self.split,
        )
