"""Training a learned fuser, made tiny: the same numbers from a seed, broken off or not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.evaluation.calibrated_fit import CalibratedFit
from inference.evaluation.learned_rows import LearnedRecipe
from inference.evaluation.row_recipes import ProductRecipe
from inference.evaluation.rows import CalibratedRows
from inference.fusion.artefact import FusionArtefact
from inference.fusion.batch import FusionBatch
from inference.fusion.feature import FeatureNetwork
from inference.fusion.hybrid import HybridNetwork
from inference.fusion.late import LateWeighting
from inference.fusion.learned_artefact import (
    LEARNED_WEIGHTS,
    LearnedConfig,
    LearnedName,
    load_learned,
)
from inference.fusion.network import FusionNetwork
from inference.fusion.product import log_normalised
from inference.fusion.reading import Reading
from inference.labels import EMOTIONS, Modality
from inference.networks.folder import load_weights
from inference.training.fusion.material import FusionMaterial, one_hot, speaker_split
from inference.training.fusion.objective import FRESHNESS, with_late_words
from inference.training.fusion.recipe import Origin, make_fuser, split_pseudo
from inference.training.fusion.train import read, train_fuser
from inference.training.loop import Plan
from inference.training.paired import Part
from streams.cli.train_fusion import NoPairsError, fusion

pytestmark = pytest.mark.unit

VOICE = Reading(modality=Modality.SPEECH, space="test-5", width=5)
WORDS = Reading(modality=Modality.TEXT, space="test-4", width=4)
PATTERNS = ((Modality.SPEECH,), (Modality.FACE,), (Modality.SPEECH, Modality.FACE))
EPOCHS = 4


def material(n: int = 48, seed: int = 0) -> FusionMaterial:
    random = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    support = random.normal(size=(n, 2, 3)) + 2 * np.eye(3)[truth][:, None]
    batch = FusionBatch.of_vectors(
        torch.from_numpy(support).float(),
        torch.ones(n, 2, dtype=torch.bool),
        [torch.from_numpy(random.normal(size=(n, width))).float() for width in (5, 4)],
    )
    return FusionMaterial(
        modalities=(Modality.SPEECH, Modality.TEXT),
        batch=batch,
        targets=one_hot(truth, 3),
        distress=torch.tensor([1.0, 0.0, float("nan")])[torch.from_numpy(truth)],
        speakers=np.array([f"speaker {row % 6}" for row in range(n)]),
        views=batch,
    )


def feature() -> FusionNetwork:
    return FeatureNetwork((VOICE, WORDS), 3, 8)


def weights(network: FusionNetwork) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one: FusionNetwork, other: FusionNetwork) -> bool:
    theirs = weights(other)
    return all(torch.equal(value, theirs[name]) for name, value in weights(one).items())


def test_a_seed_gives_the_same_network_and_another_seed_another() -> None:
    plans = [Plan(epochs=EPOCHS, seed=seed) for seed in (3, 3, 4)]
    first, again, other = (
        train_fuser(feature, material(), material(seed=1), plan).network for plan in plans
    )
    assert same(first, again)
    assert not same(first, other)


def test_a_training_that_was_broken_off_ends_where_the_whole_one_does(tmp_path: Path) -> None:
    whole = train_fuser(feature, material(), material(seed=1), Plan(epochs=EPOCHS))
    plan = Plan(epochs=EPOCHS, checkpoint=tmp_path / "training.pt")
    epochs = 0

    def break_off() -> None:
        nonlocal epochs
        epochs += 1
        if epochs == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_fuser(feature, material(), material(seed=1), plan, on_epoch=break_off)
    assert plan.checkpoint is not None
    assert plan.checkpoint.is_file()
    resumed = train_fuser(feature, material(), material(seed=1), plan)
    assert same(resumed.network, whole.network)
    assert resumed.history.epochs == whole.history.epochs
    assert not plan.checkpoint.exists()


def test_training_leaves_the_generator_of_everybody_else_alone() -> None:
    before = torch.get_rng_state()
    train_fuser(feature, material(), material(seed=1), Plan(epochs=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_residual_that_earns_nothing_is_closed_and_the_product_remains() -> None:
    """Numbers without meaning beside opinions that hold all there is to know."""
    held_out = material(seed=1)
    trained = train_fuser(
        lambda: HybridNetwork((VOICE, WORDS), 3, 8, "feature"),
        material(),
        held_out,
        Plan(epochs=1),
    )
    assert trained.earned is not None
    assert not trained.earned.kept
    batch = held_out.batch
    core = (batch.log_prior + batch.core()[0]).log_softmax(dim=-1).double().numpy()
    np.testing.assert_allclose(read(trained.network, batch), core, atol=1e-6)


def test_late_words_say_so_and_everybody_else_keeps_theirs() -> None:
    items = material()
    late = with_late_words(items, np.random.default_rng(0))
    moved = late.quality[:, 1, FRESHNESS] == 0
    assert 0 < moved.sum() < items.n
    assert torch.equal(late.vectors[1][~moved], items.batch.vectors[1][~moved])
    assert torch.equal(late.vectors[0], items.batch.vectors[0])
    assert torch.equal(late.support[:, 0], items.batch.support[:, 0])


def test_items_put_together_take_each_modality_from_its_own_row() -> None:
    items = material()
    rows = {Modality.SPEECH: np.array([4, 5]), Modality.TEXT: np.array([7, 8])}
    joined = items.together(rows)
    assert torch.equal(joined.batch.support[:, 0], items.batch.support[[4, 5], 0])
    assert torch.equal(joined.batch.vectors[1], items.batch.vectors[1][[7, 8]])
    assert torch.equal(joined.targets, items.targets[[4, 5]])


def test_nobody_is_on_both_sides_of_a_split() -> None:
    speakers = material().speakers
    held_out = speaker_split(speakers, 0.25, np.random.default_rng(0))
    assert set(speakers[held_out]).isdisjoint(speakers[~held_out])
    assert 0 < held_out.sum() < len(speakers)


def rows(n: int = 120) -> tuple[CalibratedRows, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = np.arange(n) % 3
    said = {
        modality: log_normalised(random.normal(size=(n, 3)) + 2 * np.eye(3)[truth])
        for modality in (Modality.SPEECH, Modality.FACE)
    }
    return (
        CalibratedRows(said, np.full(3, -np.log(3))),
        truth,
        np.array([f"{i % 8}" for i in range(n)]),
    )


@pytest.mark.parametrize("name", ["feature", "evidential", "hybrid"])
def test_a_learned_recipe_is_calibrated_on_speakers_that_it_has_not_learned_from(
    name: str,
) -> None:
    said, truth, speakers = rows()
    recipe = LearnedRecipe(name, steps=5)  # type: ignore[arg-type]
    fit = recipe.fit(said, truth, speakers)
    assert set(speakers[fit.unseen]).isdisjoint(speakers[~fit.unseen])
    fused = CalibratedFit.fit(recipe, said, truth, speakers, PATTERNS).fused(said)
    for log_probs in fused.values():
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1.0, atol=1e-5)


def test_a_product_learns_nothing_so_everything_may_calibrate_it() -> None:
    said, truth, speakers = rows()
    assert ProductRecipe(LateWeighting()).fit(said, truth, speakers).unseen.all()


def part(modality: Modality, space: str, size: int, n: int) -> Part:
    random = np.random.default_rng(0)
    truth = np.arange(n) % 3
    support = np.zeros((n, len(EMOTIONS)))
    support[:, :3] = log_normalised(random.normal(size=(n, 3)) + np.eye(3)[truth]) + np.log(3)
    return Part(
        modality=modality,
        space=space,
        vectors=random.normal(size=(n, size)).astype(np.float32),
        support=support,
        distress=random.normal(size=n),
        truth=np.array([EMOTIONS[column].value for column in truth]),
        groups=np.array([f"{row % 4}" for row in range(n)]),
        said=np.full(n, ""),
        efforts_db=np.full(n, np.nan),
        views={"noisy": random.normal(size=(n, size)).astype(np.float32)},
    )


def test_what_training_writes_is_a_fuser_that_says_what_it_is(tmp_path: Path) -> None:
    voice, text = part(Modality.SPEECH, "voice-6", 6, 24), part(Modality.TEXT, "words-5", 5, 24)
    split = split_pseudo(voice, text, seed=0, per_item=2)
    assert set(split.learned.groups).isdisjoint(split.held_out.groups)
    lines = [set(pairs.rows[:, 1].tolist()) for pairs in (split.learned, split.held_out)]
    assert all(lines)
    origin = Origin(data="made up", licence="none", experts={"speech": "a", "text": "b"})
    plan = Plan(epochs=1, checkpoint=tmp_path / "feature" / "training.pt")
    make_fuser("feature", split, origin, plan, tmp_path / "feature", width=8)
    core = FusionArtefact.load().fuser("late")
    fuser = load_learned("feature", core, tmp_path)
    assert fuser.version.startswith("feature-1+")
    assert set(fuser.calibration.thresholds) == {"speech", "text", "speech+text", "shared"}
    assert not fuser.calibration.temperatures
    again = replace(plan, checkpoint=None)
    make_fuser("feature", split, origin, again, tmp_path / "again" / "feature", width=8)
    assert load_learned("feature", core, tmp_path / "again").version == fuser.version


def test_the_command_says_which_pairs_it_needs(tmp_path: Path) -> None:
    with pytest.raises(NoPairsError, match="--emodb and --goemotions, or --ravdess"):
        fusion(out=tmp_path, emodb=tmp_path)


@pytest.mark.parametrize("name", ["feature", "attention", "hybrid", "evidential"])
def test_what_ships_is_made_from_what_may_ship_and_is_small(name: LearnedName) -> None:
    weights = LEARNED_WEIGHTS / name
    assert sum(file.stat().st_size for file in weights.iterdir()) < 2 * 2**20
    config = load_weights(weights, LearnedConfig, "").config
    assert config.licence == "Apache-2.0"
    assert "EmoDB" in config.data
    assert "GoEmotions" in config.data
    card = (weights / "README.md").read_text()
    assert str(config.training["items"]) in card
    if name == "hybrid":
        kept = "stays open" if config.training["residual kept"] else "was closed again"
        assert kept in card
