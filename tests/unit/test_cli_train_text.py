"""`affectstream train text` from the command line."""

from pathlib import Path

import pytest

from inference.training.manifest import ManifestError
from inference.training.text_material import NotEnoughLinesError
from streams.cli.train_text import text


def test_without_any_lines_there_is_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="--data, --add or both"):
        text(out=tmp_path)


def test_a_few_lines_alone_are_refused_and_their_labels_are_counted(tmp_path: Path) -> None:
    manifest = tmp_path / "mine.csv"
    manifest.write_text("text,label\nwhere is it,cross\nlovely,joy\nhm,odd\n")
    with pytest.raises(NotEnoughLinesError, match=r"2 lines of your own \(anger 1, .*joy 1"):
        text(add=manifest, labels="cross=anger,odd=", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
