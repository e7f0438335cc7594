"""A ready-made checkpoint gets its temperature from material that it never saw."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.calibration.temperature import CalibrationError, fit_temperature
from inference.experts.huggingface.opening import open_expert
from inference.experts.huggingface.sidecar import Sidecar
from inference.experts.huggingface.source import CheckpointError, Source
from inference.labels import Modality
from inference.panel import Choice, load_experts
from inference.training.checkpoint_temperature import FEWEST, read_items
from inference.training.head_fit import NothingToLearnError
from inference.training.manifest import read_manifest
from streams.cli.train_temperature import temperature
from tests import checkpoints

RECORDINGS = Path(__file__).parents[1] / "data" / "emodb"
SURE = 3.0
"""Log-odds of joy, whatever is said; joy is right in three of four cases."""


def lines(folder: Path, joys: int = 30, angers: int = 10) -> Path:
    rows = [
        *(f"thank you {number},joy" for number in range(joys)),
        *(f"bad thing {number},anger" for number in range(angers)),
    ]
    path = folder / "own.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return path


def words(folder: Path, logits: tuple[float, ...] = (SURE, 0.0)) -> Path:
    return checkpoints.words_checkpoint(folder / "words", ["joy", "anger"], logits)


def test_a_checkpoint_gets_the_temperature_at_which_it_is_as_sure_as_it_is_right(
    tmp_path: Path,
) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "words", ["joy", "anger"])
    Sidecar(licence="mit", languages=("en",)).save(folder)
    choice = Choice(profile="default", models_dir=tmp_path, models={Modality.TEXT: str(folder)})
    before = load_experts(choice)[1]
    texts = [f"{first} {second}" for first in checkpoints.WORDS for second in ("bad", "thank you")]
    manifest = tmp_path / "own.csv"
    manifest.write_text("\n".join(["text,label", *(f"{text},joy" for text in texts)]) + "\n")
    joy = read_items(before, read_manifest(manifest, "text").items).log_probs[:, 1]
    called = ["joy" if log_prob > np.median(joy) else "anger" for log_prob in joy]
    wrong = {"joy": "anger", "anger": "joy"}
    rows = [
        f"{text},{wrong[label] if place % 4 == 0 else label}"  # three in four are right
        for place, (text, label) in enumerate(zip(texts, called, strict=True))
    ]
    manifest.write_text("\n".join(["text,label", *rows, "was it,fear"]) + "\n")
    temperature(modality="text", model=str(folder), manifest=manifest)
    readings = read_items(before, read_manifest(manifest, "text").items)
    assert (len(readings.labels), readings.left_out) == (len(texts), 1)
    sidecar = Sidecar.read(folder)
    assert sidecar.temperature == pytest.approx(
        fit_temperature(readings.log_probs, readings.labels), rel=1e-4
    )
    assert (sidecar.licence, sidecar.languages) == ("mit", ("en",))
    assert sidecar.fitted_on.startswith("own.csv ")
    after = load_experts(choice)[1]
    assert after.version != before.version


def test_what_is_no_better_than_chance_gets_none(tmp_path: Path) -> None:
    folder = words(tmp_path)
    with pytest.raises(CalibrationError, match="no better than chance"):
        temperature(modality="text", model=str(folder), manifest=lines(tmp_path))
    assert Sidecar.read(folder) == Sidecar()


def test_a_handful_of_items_is_too_little(tmp_path: Path) -> None:
    with pytest.raises(NothingToLearnError, match=f"20 readings of 2 labels.*{FEWEST}"):
        temperature(modality="text", model=str(words(tmp_path)), manifest=lines(tmp_path, 10))
    with pytest.raises(NothingToLearnError, match="40 readings of 1 labels"):
        temperature(modality="text", model=str(words(tmp_path)), manifest=lines(tmp_path, 40, 0))


def test_voices_and_faces_are_read_too(tmp_path: Path) -> None:
    voice = checkpoints.voice_checkpoint(tmp_path / "voice", ["ang", "neu"])
    face = checkpoints.face_checkpoint(tmp_path / "face", ["angry", "neutral"])
    ears, eyes = (
        open_expert(modality, Source(str(one), one.name, one), "default", tmp_path, 1)
        for modality, one in ((Modality.SPEECH, voice), (Modality.FACE, face))
    )
    noise = np.random.default_rng(5).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    (tmp_path / "nobody.jpg").write_bytes(cv2.imencode(".jpg", noise)[1].tobytes())
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    manifest = tmp_path / "own.csv"
    manifest.write_text("path,label\nnobody.jpg,anger\nbroken.jpg,neutral\n")
    assert read_items(eyes, read_manifest(manifest, "path").items).left_out == 2
    manifest.write_text(f"path,label\n{RECORDINGS / '03a01Wa.flac'},anger\n")
    heard = read_items(ears, read_manifest(manifest, "path").items)
    assert heard.log_probs.shape == (2, 2)  # as it is, and on the telephone
    assert heard.left_out == 0


def test_the_shipped_experts_have_theirs(tmp_path: Path) -> None:
    for expert in load_experts(Choice(profile="default", models_dir=tmp_path)):
        with pytest.raises(CheckpointError, match="has its temperature"):
            read_items(expert, ())
        assert expert.modality in Modality
