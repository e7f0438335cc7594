"""Which experts a profile loads, which models may stand in for them, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from inference.evidence import Expert
from inference.experts.huggingface.licence import LicenceError
from inference.experts.huggingface.source import CheckpointError
from inference.experts.speech_head import WEIGHTS as SPEECH
from inference.experts.text import WEIGHTS as TEXT
from inference.fusion.artefact import WEIGHTS as FUSION
from inference.labels import MODALITIES, Modality
from inference.panel import (
    Choice,
    MissingWeightsError,
    NoSentenceVectorsError,
    UnknownProfileError,
    load_expert,
    load_experts,
)
from inference.third_party import BundleError
from streams.cli._manifest import ManifestOptions
from streams.cli._scoring import expert_choice
from streams.cli.doctor import _ask, _models
from streams.cli.evaluate_model import model as evaluate_model
from streams.settings import Settings
from tests import checkpoints


def versions(choice: Choice) -> list[str]:
    return [expert.version for expert in load_experts(choice)]


def voices(folder: Path, licence: str) -> Path:
    """Weights as `affectstream train speech` writes them, on material of that licence."""
    shutil.copytree(SPEECH, folder)
    config = json.loads((folder / "config.json").read_text()) | {"licence": licence}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def default(tmp_path: Path) -> Choice:
    return Choice(profile="default", models_dir=tmp_path)


@pytest.fixture
def research(default: Choice) -> Choice:
    return replace(default, profile="research")


def test_the_default_profile_has_the_shipped_expert_of_every_modality(default: Choice) -> None:
    experts: list[Expert] = load_experts(default)
    assert [expert.modality for expert in experts] == list(MODALITIES)
    assert all(default.takes_shipped(modality) for modality in MODALITIES)


def test_a_profile_that_there_is_none_of_is_refused_by_name(default: Choice) -> None:
    with pytest.raises(UnknownProfileError, match="'science': there are 'default', 'research'"):
        load_experts(replace(default, profile="science"))


def test_weights_that_are_not_trained_yet_are_an_error_that_says_how(research: Choice) -> None:
    with pytest.raises(MissingWeightsError, match=r"affectstream train speech .*research/speech"):
        load_experts(research)
    settings = Settings(profile="research", models_dir=research.models_dir)
    with pytest.raises(MissingWeightsError, match="profile 'research': no speech weights"):
        load_experts(expert_choice(settings))
    with pytest.raises(MissingWeightsError, match=r'affectstream train face .*face_model = "ship'):
        load_experts(replace(research, models={Modality.SPEECH: "shipped"}))


def test_shipped_experts_may_be_asked_for_by_name(default: Choice, research: Choice) -> None:
    assert versions(
        replace(research, models={Modality.SPEECH: "shipped", Modality.FACE: "shipped"})
    ) == versions(default)


def test_research_reads_voices_with_weights_that_were_trained_here(research: Choice) -> None:
    voices(research.models_dir / "research" / "speech", "CC BY-NC-SA 4.0")
    trained, *_ = versions(replace(research, models={Modality.FACE: "shipped"}))
    assert trained.startswith("speech-emodb-2+")
    assert trained != versions(Choice(profile="default", models_dir=research.models_dir))[0]


def test_weights_without_commercial_use_are_for_research_alone(
    default: Choice, research: Choice, tmp_path: Path
) -> None:
    folder = str(voices(tmp_path / "own", "CC BY-NC-SA 4.0"))
    with pytest.raises(LicenceError, match=r"own: CC BY-NC-SA 4\.0: no commercial use"):
        load_experts(replace(default, models={Modality.SPEECH: folder}))
    assert load_experts(
        replace(research, models={Modality.SPEECH: folder, Modality.FACE: "shipped"})
    )


def test_weights_that_saw_own_recordings_count_as_their_owners(
    default: Choice, tmp_path: Path
) -> None:
    folder = voices(tmp_path / "own", "Apache-2.0; as the added recordings allow")
    assert load_expert(replace(default, models={Modality.SPEECH: str(folder)}), Modality.SPEECH)


def test_a_folder_of_trained_words_may_be_chosen(default: Choice, tmp_path: Path) -> None:
    folder = shutil.copytree(TEXT, tmp_path / "words")
    assert versions(replace(default, models={Modality.TEXT: str(folder)})) == versions(default)


def test_sentence_vectors_that_a_text_model_cannot_use_are_refused_and_not_left_out(
    default: Choice, tmp_path: Path
) -> None:
    own = shutil.copytree(TEXT, tmp_path / "words")
    theirs = checkpoints.words_checkpoint(tmp_path / "theirs", ["joy", "anger"])
    plus = replace(default, text_plus=True)
    with pytest.raises(BundleError, match="sentence_encoder"):
        load_expert(replace(plus, models={Modality.TEXT: str(own)}), Modality.TEXT)
    with pytest.raises(NoSentenceVectorsError, match="theirs: text_plus"):
        load_expert(replace(plus, models={Modality.TEXT: str(theirs)}), Modality.TEXT)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_checkpoint_may_stand_in_for_any_expert(
    modality: Modality, default: Choice, tmp_path: Path
) -> None:
    make = {
        Modality.SPEECH: checkpoints.voice_checkpoint,
        Modality.TEXT: checkpoints.words_checkpoint,
        Modality.FACE: checkpoints.face_checkpoint,
    }[modality]
    folder = make(tmp_path / "theirs", ["happy", "angry", "neutral"])
    settings = Settings(models_dir=tmp_path, **{f"{modality}_model": str(folder)})
    choice = expert_choice(settings)
    assert [choice.takes_shipped(one) for one in MODALITIES] == [
        one is not modality for one in MODALITIES
    ]
    chosen = versions(choice)[MODALITIES.index(modality)]
    assert chosen.startswith("theirs+")
    assert settings.scoring_digest != Settings().scoring_digest


def test_a_folder_without_weights_is_an_error_that_says_so(default: Choice, tmp_path: Path) -> None:
    for modality in MODALITIES:
        with pytest.raises(CheckpointError, match=r"config\.json"):
            load_experts(replace(default, models={modality: str(tmp_path)}))


def test_the_figures_of_a_chosen_model_come_from_the_same_command_as_those_of_the_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "theirs", ["joy", "anger"], [4.0, 0.0])
    manifest = tmp_path / "own.csv"
    manifest.write_text("text,label\nso happy and glad about it with you,joy\nit is bad,anger\n")
    monkeypatch.chdir(tmp_path)
    own = ManifestOptions(manifest=manifest)
    evaluate_model(modality="text", model=str(folder), json=True, own=own)
    judged = json.loads(capsys.readouterr().out)
    evaluate_model(modality="text", json=True, own=own)
    shipped = json.loads(capsys.readouterr().out)
    assert "theirs+" in json.dumps(judged)
    assert "theirs+" not in json.dumps(shipped)


async def test_doctor_says_which_models_are_chosen_and_what_their_scores_do_not_promise(
    tmp_path: Path,
) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "theirs", ["joy", "anger"])
    said = await _models(Settings(models_dir=tmp_path, text_model=str(folder)))
    assert said.startswith("profile default; speech speech-emodb-2+")
    assert f"text theirs+{said.partition('text theirs+')[2][:8]} ({folder})" in said
    assert "other experts of text" in said
    assert "no promise" not in await _models(Settings(models_dir=tmp_path))


async def test_doctor_looks_at_a_calibration_of_ones_own(tmp_path: Path) -> None:
    finding = await _ask("models", _models, Settings(calibration=str(tmp_path)))
    assert not finding.ok
    assert "no usable calibration of fusion" in finding.detail
    own = shutil.copytree(FUSION, tmp_path / "fusion")
    folder = checkpoints.words_checkpoint(tmp_path / "theirs", ["joy", "anger"])
    settings = Settings(models_dir=tmp_path, text_model=str(folder), calibration=str(own))
    said = await _models(settings)
    assert f"calibrated ({own}) with speech speech-emodb-" in said
    assert "no promise" not in said


async def test_doctor_passes_on_why_a_model_does_not_load(tmp_path: Path) -> None:
    folder = checkpoints.words_checkpoint(tmp_path / "theirs", ["joy", "LABEL_7"])
    finding = await _ask("models", _models, Settings(models_dir=tmp_path, text_model=str(folder)))
    assert not finding.ok
    assert "'LABEL_7'" in finding.detail


async def test_doctor_says_why_a_calibration_does_not_load(tmp_path: Path) -> None:
    settings = Settings(models_dir=tmp_path, calibration=str(tmp_path))
    finding = await _ask("models", _models, settings)
    assert not finding.ok
    assert "no usable calibration of fusion" in finding.detail
    assert "; fusion late-1+" in await _models(Settings(models_dir=tmp_path))
