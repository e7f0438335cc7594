"""Learned fusers as folders: read, refused, chosen by tenant."""

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.evidence import Evidence, Features, Quality
from inference.fusion.artefact import Fusers
from inference.fusion.collate import pooled
from inference.fusion.errors import FusionWeightsError
from inference.fusion.learned_artefact import LearnedConfig, LearnedName, load_learned, save_learned
from inference.fusion.reading import Reading, in_order
from inference.labels import EMOTIONS, Modality
from tests.fusers import CORE, LEARNED, OWN, TINY, VOICE, config_of, network_of, write_fusers

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fusers(tmp_path_factory.mktemp("fusers"), TINY)


def spoken() -> Evidence:
    probs = np.array([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    return Evidence(
        modality=Modality.SPEECH,
        expert="test",
        labels=EMOTIONS,
        log_probs=np.log(probs),
        distress_log_odds=0.5,
        quality=Quality(),
        features=Features.whole(VOICE, np.arange(6, dtype=np.float32)),
    )


@pytest.mark.parametrize("fusion", LEARNED)
def test_a_folder_gives_the_fuser_that_was_saved(folder: Path, fusion: LearnedName) -> None:
    found = load_learned(fusion, CORE, folder)
    assert found.version.startswith(f"{fusion}-1+")
    assert len(found.version) == len(f"{fusion}-1+") + 8
    again = load_learned(fusion, CORE, folder / fusion)
    np.testing.assert_array_equal(
        found.fuse([spoken()]).log_probs, again.fuse([spoken()]).log_probs
    )
    own = replace(found, network=network_of(config_of(fusion, TINY)).double())
    np.testing.assert_allclose(  # kept in half precision
        found.fuse([spoken()]).log_probs, own.fuse([spoken()]).log_probs, atol=0.02
    )


def test_each_tenant_has_its_own_fuser(folder: Path) -> None:
    fusers = Fusers.load("late", {"acme": "attention", "other": "adaptive"}, learned=folder)
    versions = [fusers.of(name).version.split("-")[0] for name in ("acme", "other", "third")]
    assert versions == ["attention", "adaptive", "late"]


@pytest.mark.parametrize("fusion", LEARNED)
def test_without_weights_the_error_names_the_command_that_makes_them(
    tmp_path: Path, fusion: LearnedName
) -> None:
    with pytest.raises(FusionWeightsError, match=f"affectstream train fusion --fusion {fusion}"):
        Fusers.load(fusion, learned=tmp_path)


def test_weights_of_another_way_of_fusing_are_refused(folder: Path) -> None:
    with pytest.raises(FusionWeightsError, match=r"weights of 'feature'.*'attention'"):
        load_learned("attention", CORE, folder / "feature")


def test_weights_for_other_labels_are_refused(tmp_path: Path) -> None:
    config = config_of("evidential", TINY, labels=["calm", "angry"])
    save_learned(tmp_path, config, network_of(config))
    with pytest.raises(FusionWeightsError, match=r"2 labels \(calm, angry\)"):
        load_learned("evidential", CORE, tmp_path)


def test_weights_that_do_not_fit_their_config_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "feature", tmp_path / "feature")
    path = tmp_path / "feature" / "config.json"
    config = msgspec.json.decode(path.read_bytes(), type=LearnedConfig)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(config, width=24)))
    with pytest.raises(FusionWeightsError, match=r"does not fit config\.json"):
        load_learned("feature", CORE, tmp_path)


@pytest.mark.parametrize(
    ("space", "width", "tokens"), [("voice-6", 0, 1), ("", 6, 1), ("", 0, 0), ("a", -1, 1)]
)
def test_a_reading_names_a_space_and_its_width_or_neither(
    space: str, width: int, tokens: int
) -> None:
    with pytest.raises(ValueError, match="reading of speech"):
        Reading(modality=Modality.SPEECH, space=space, width=width, tokens=tokens)


def test_readings_are_one_a_modality_in_the_one_order() -> None:
    assert in_order(OWN[::-1]) == OWN
    for readings in ((), (OWN[0], OWN[0])):
        with pytest.raises(ValueError, match="at least one, and one of each"):
            in_order(readings)


def test_more_tokens_than_are_read_become_means_of_neighbours() -> None:
    tokens = np.arange(8, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(pooled(tokens, 4), [[0.5], [2.5], [4.5], [6.5]])
    assert pooled(tokens, 8) is tokens
