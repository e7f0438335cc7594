"""`affectstream train speech` and `train calibration` on recordings and lines of one's own."""

import json
from pathlib import Path

import pytest

from inference.experts.speech import SpeechExpert
from inference.fusion.artefact import FILE, FusionArtefact
from inference.labels import Emotion
from inference.training.speech import TooFewVoicesError
from inference.training.speech_material import NoMaterialError
from streams.cli.train_calibration import calibration
from streams.cli.train_speech import speech

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"
SPEAKERS = ("anna", "ben", "cem")


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Two recordings, each said to be of three speakers."""
    rows = [
        f"{RECORDINGS / name}.flac,{label},{speaker},train"
        for speaker in SPEAKERS
        for name, label in (("03a01Wa", "furious"), ("03a01Nc", "neutral"))
    ]
    path = tmp_path / "calls.csv"
    path.write_text("\n".join(("path,label,speaker,split", *rows, "missing.wav,joy,dan,test")))
    return path


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_own_recordings_alone_make_heads_and_then_a_calibration(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = tmp_path / "heads"
    speech(add=[calls], labels="furious=anger", split="train", only_added=True, out=heads)
    assert f"is in {heads}" in capsys.readouterr().err.replace("\n", "")
    expert = SpeechExpert.load(folder=heads)
    assert expert.version.startswith("speech-own-")
    assert expert.head.config.labels == (Emotion.ANGER, Emotion.NEUTRAL)
    assert expert.head.config.training["speakers"] == [f"calls/{name}" for name in SPEAKERS]
    kept = tmp_path / "heads.heard"
    heard = {path: path.stat().st_mtime_ns for path in kept.rglob("*.safetensors")}
    assert heard

    lines = tmp_path / "lines.csv"
    lines.write_text(
        "text,label,split\n"
        + "this is outrageous and I am furious,furious,train\n" * 5
        + "it is on the table in the room,neutral,train\n" * 5
    )
    fusion = tmp_path / "fusion"
    calibration(
        add_speech=[calls],
        add_text=[lines],
        labels="furious=anger",
        split="train",
        out=fusion,
        speech_weights=heads,
        cache=kept,
    )
    artefact = FusionArtefact.load(fusion)
    assert set(artefact.calibration.thresholds) == {"speech", "text", "speech+text", "shared"}
    assert "calls.csv" in artefact.data
    assert "lines.csv" in artefact.data
    assert "EmoDB" not in json.dumps(json.loads((fusion / FILE).read_text()))

    again = tmp_path / "again"
    speech(
        add=[calls],
        labels="furious=anger",
        split="train",
        only_added=True,
        out=again,
        cache=kept,
    )
    assert _bytes(again) == _bytes(heads)
    assert heard == {path: path.stat().st_mtime_ns for path in kept.rglob("*.safetensors")}


def test_what_cannot_be_trained_is_refused(calls: Path, tmp_path: Path) -> None:
    with pytest.raises(NoMaterialError, match="name the folder of a corpus"):
        speech(only_added=True, data=RECORDINGS, out=tmp_path / "heads")
    calls.write_text("\n".join(calls.read_text().splitlines()[:3]))
    with pytest.raises(TooFewVoicesError, match="two speakers each show no label"):
        speech(add=[calls], labels="furious=anger", only_added=True, out=tmp_path / "heads")


def test_recordings_without_a_label_of_the_heads_are_refused_before_they_are_heard(
    calls: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.csv"
    lines.write_text("text,label,split\nit is on the table,neutral,train\n")
    kept = tmp_path / "heard"
    with pytest.raises(TooFewVoicesError, match="disgust: 0 speakers; every label of the heads"):
        calibration(
            add_speech=[calls],
            add_text=[lines],
            labels="furious=anger",
            split="train",
            out=tmp_path / "fusion",
            cache=kept,
        )
    assert not kept.exists()
