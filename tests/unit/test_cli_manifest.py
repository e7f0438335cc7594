"""`affectstream evaluate … --manifest` from the command line."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.evaluation.plots import FILES
from inference.training.manifest import ManifestError
from streams.cli._manifest import ManifestOptions
from streams.cli.evaluate_face import face
from streams.cli.evaluate_speech import speech
from streams.cli.evaluate_text import text
from tests.media import tone, write_pictures, write_sound

CLIPS = Path(__file__).parents[1] / "data" / "emodb"


def test_recordings_are_judged_and_written_as_json_markdown_and_plots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sound(tmp_path / "beep.wav", tone(2.0, 16_000)[None], 16_000)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    rows = (
        f"{CLIPS / '03a01Wa.flac'},cross,test,m",
        f"{CLIPS / '03a01Nc.flac'},calm,test,m",
        "beep.wav,calm,test,f",
        "broken.wav,calm,test,f",
        "beep.wav,nonsense,train,f",
    )
    manifest = tmp_path / "mine.csv"
    manifest.write_text("\n".join(("path,label,split,sex", *rows)))
    own = ManifestOptions(
        manifest=manifest,
        labels="cross=anger,calm=neutral",
        split="test",
        plots=tmp_path / "plots",
        markdown=tmp_path / "report.md",
    )
    speech(own=own, json=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["task"], report["n"]) == ("speech", 4)
    assert report["by"]["group"]["absent"] == {"silence": 1.0, "undecodable": 1.0}
    assert report["by"]["pattern"]["speech"]["accuracy"] == 1.0
    assert report["by"]["group"]["sex=f"]["n"] == 2
    assert "| accuracy | 1.0000 |" in (tmp_path / "report.md").read_text()
    assert {path.name for path in (tmp_path / "plots").iterdir()} == set(FILES)


def test_lines_are_judged_in_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "mine.csv"
    manifest.write_text("text,label\nI am furious,anger\nthank you so much,joy\n")
    text(own=ManifestOptions(manifest=manifest))
    assert "mine.csv" in capsys.readouterr().out


def test_videos_and_pictures_are_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(tmp_path / "wall.mp4", seconds=4.0)
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((240, 320, 3), 128, dtype=np.uint8))
    write_sound(tmp_path / "beep.wav", tone(1.0, 16_000)[None], 16_000)
    manifest = tmp_path / "mine.csv"
    rows = "".join(f"{name},neutral\n" for name in ("wall.mp4", "wall.png", "beep.wav"))
    manifest.write_text(f"path,label\n{rows}")
    face(own=ManifestOptions(manifest=manifest), models_dir=tmp_path, json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["by"]["group"]["absent"] == {"no_camera": 1.0, "no_face": 2.0}


@pytest.mark.parametrize(
    ("own", "data", "said"),
    [
        (ManifestOptions(), None, "either --data or --manifest"),
        (ManifestOptions(manifest=Path("a.csv")), Path(), "either --data or --manifest"),
        (ManifestOptions(split="test"), Path(), "need --manifest"),
        (ManifestOptions(markdown=Path("missing/a.md")), Path(), "no folder missing"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    own: ManifestOptions, data: Path | None, said: str
) -> None:
    with pytest.raises(ManifestError, match=said):
        text(data=data, own=own)
