"""Fitting imputers: what is learnt, seeds, interruptions, folders, and made-up rows."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.alignment.space import WEIGHTS as SPACE
from inference.alignment.space import Inputs
from inference.imputation.contract import DEFAULT_IMPUTER, IMPUTERS, ImputerName
from inference.imputation.ellipsoid import DRAWS, Ellipsoid
from inference.imputation.errors import ImputationWeightsError
from inference.imputation.probe import Probe, pattern_of
from inference.imputation.weights import WEIGHTS, ImputerWeights, load_foresight
from inference.labels import MODALITIES, Emotion, Modality
from inference.networks.folder import WeightsError, load_weights
from inference.training.imputation.augmentation import augmented, judge_augmentation
from inference.training.imputation.components import Components
from inference.training.imputation.probe_fit import fit_probe
from inference.training.imputation.ridge_fit import fit_ridge
from inference.training.imputation.rows import SharedRows, TooLittleToImputeError
from inference.training.imputation.train import (
    Origin,
    Settings,
    train_imputer,
    train_weights,
    with_augmentation,
)
from tests.imputers import SIZE, TWO, shared_rows

QUICK = Settings(hidden=8, batch_size=32, epochs=3)
ORIGIN = Origin(space="space-1+00000000", data="made up", licence="none")
NETWORKS: tuple[ImputerName, ...] = ("translator", "cgan", "diffusion")
ROWS = shared_rows()


def likeness(name: ImputerName, rows: SharedRows, epochs: int) -> tuple[float, float]:
    """Mean cosine of hidden text to the mean draw, and to the mean row."""
    imputer = train_imputer(name, rows, replace(QUICK, epochs=epochs, hidden=32)).imputer
    text = MODALITIES.index(Modality.TEXT)
    present = rows.present.copy()
    present[:, text] = False
    truth = rows.parts[:, text]
    found = []
    for mean in (
        imputer.sample(rows.parts, present, 8, 0)[:, :, text].mean(axis=0),
        np.tile(truth.mean(axis=0), (len(truth), 1)),
    ):
        lengths = np.linalg.norm(mean, axis=1)
        found.append(float(((mean * truth).sum(axis=1) / lengths).mean()))
    return found[0], found[1]


@pytest.mark.parametrize(("name", "epochs"), [("ridge", 1), ("translator", 25), ("cgan", 25)])
def test_what_is_hidden_is_found_better_than_by_its_mean(name: ImputerName, epochs: int) -> None:
    own, usual = likeness(name, shared_rows(240, TWO, bound=0.95), epochs)
    assert own > usual + 0.1


def test_the_default_covers_what_it_was_not_fitted_on() -> None:
    rows = shared_rows(600, TWO, bound=0.7)
    known = np.arange(len(rows)) < 400
    imputer = fit_ridge(rows.of(known))
    judged = rows.of(~known)
    text = MODALITIES.index(Modality.TEXT)
    present = judged.present.copy()
    present[:, text] = False
    drawn = imputer.sample(judged.parts, present, DRAWS, 0)[:, :, text]
    inside = [
        Ellipsoid.of(drawn[:, row]).surprise(judged.parts[row, text]) <= 1
        for row in range(len(judged))
    ]
    assert 0.82 < np.mean(inside) < 0.98


@pytest.mark.parametrize("name", NETWORKS)
def test_equal_seeds_give_equal_weights_and_an_interruption_changes_nothing(
    name: ImputerName, tmp_path: Path
) -> None:
    whole = train_imputer(name, ROWS, QUICK)
    again = train_imputer(name, ROWS, QUICK)

    class Interruption(Exception):  # noqa: N818 - what it is
        pass

    def after_two() -> None:
        after_two.done += 1  # type: ignore[attr-defined]
        if after_two.done == 2:  # type: ignore[attr-defined]
            raise Interruption

    after_two.done = 0  # type: ignore[attr-defined]
    kept = replace(QUICK, checkpoints=tmp_path)
    with pytest.raises(Interruption):
        train_imputer(name, ROWS, kept, after_two)
    assert (tmp_path / f"{name}.checkpoint").is_file()
    resumed = train_imputer(name, ROWS, kept)
    assert not list(tmp_path.iterdir())
    known, present = ROWS.parts[:3], np.array([[True, False, True]] * 3)
    first = whole.imputer.sample(known, present, 2, 0)
    for other in (again, resumed):
        np.testing.assert_array_equal(other.imputer.sample(known, present, 2, 0), first)
    assert resumed.history == whole.history
    assert whole.history is not None
    assert len(whole.history.epochs) == 3
    seeded = train_imputer(name, ROWS, replace(QUICK, seed=1)).imputer
    assert not np.array_equal(seeded.sample(known, present, 2, 0), first)


@pytest.mark.parametrize("name", IMPUTERS)
def test_a_folder_gives_back_what_was_saved(name: ImputerName, tmp_path: Path) -> None:
    rows = shared_rows(modalities=TWO)
    weights, _ = train_weights(name, rows, ORIGIN, QUICK)
    assert weights.digest == ""
    saved = weights.save(tmp_path)
    found = ImputerWeights.load(tmp_path, ORIGIN.space)
    assert found.version == saved.version == f"imputation-{name}-1+{saved.digest}"
    assert found.config == weights.config
    assert found.imputer.expects == set(TWO)
    present = np.array([[True, False, False]] * 3)
    there = found.imputer.sample(rows.parts[:3], present, 2, 0)
    np.testing.assert_allclose(
        there, weights.imputer.sample(rows.parts[:3], present, 2, 0), atol=0.02
    )
    assert set(found.probe.heads) == {(Modality.SPEECH,), (Modality.TEXT,), TWO}
    assert load_foresight(name, tmp_path, ORIGIN.space).version == saved.version
    again = found.save(tmp_path / "again")
    assert ImputerWeights.load(tmp_path / "again").digest == again.digest == saved.digest


def test_a_folder_that_does_not_fit_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="affectstream train imputation"):
        load_foresight("ridge", tmp_path)
    weights, _ = train_weights("ridge", shared_rows(modalities=TWO), ORIGIN, QUICK)
    weights.save(tmp_path)
    with pytest.raises(ImputationWeightsError, match="space-1\\+00000000, but other-2 is in use"):
        load_foresight("ridge", tmp_path, "other-2")
    with pytest.raises(ImputationWeightsError, match="holds ridge, but cgan is asked for"):
        load_foresight("cgan", tmp_path)
    wrong = msgspec.structs.replace(weights.config, imputer="diffusion", hidden=8)
    replace(weights, config=wrong).save(tmp_path)
    with pytest.raises(ImputationWeightsError, match="do not fit the config"):
        load_foresight("diffusion", tmp_path)


def test_material_without_pairs_or_people_is_refused() -> None:
    alone = shared_rows(modalities=(Modality.SPEECH,))
    with pytest.raises(TooLittleToImputeError, match="two modalities"):
        train_imputer("ridge", alone, QUICK)
    rows = shared_rows()
    one = replace(rows, speakers=np.full(len(rows), "only"))
    with pytest.raises(TooLittleToImputeError, match="one speaker"):
        train_imputer("translator", one, QUICK)


def test_each_person_is_left_out_once() -> None:
    held_out = np.array(list(ROWS.folds()))
    assert (held_out.sum(axis=0) == 1).all()
    learnt, judged = ROWS.split()
    assert not set(learnt.speakers) & set(judged.speakers)


def test_a_probe_reads_its_pattern_alone_and_gives_probabilities() -> None:
    probe = fit_probe(ROWS)
    assert len(probe.heads) == 7
    other = ROWS.parts.copy()
    other[:, MODALITIES.index(Modality.FACE)] = 9
    np.testing.assert_array_equal(probe.log_probs(other, TWO), probe.log_probs(ROWS.parts, TWO))
    log_probs = probe.log_probs(ROWS.parts, MODALITIES)
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1)
    assert (log_probs.argmax(axis=1) == ROWS.truth).mean() > 0.5
    assert pattern_of([True, True, False]) == TWO
    assert not Probe(ROWS.labels, {}).knows(TWO)


def test_components_give_unit_rows_and_need_nobody_else() -> None:
    vectors = np.random.default_rng(0).standard_normal((30, 9)).astype(np.float32)
    vectors[:, 4] = 1.0  # never varies
    components = Components.of(vectors)
    rows = components.rows(vectors)
    assert rows.shape == (30, 256)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(components.rows(vectors[:1])[0], rows[0])


class Straw:
    """Makes up rows of a label: those that it was given, or noise."""

    def __init__(self, rows: SharedRows | None) -> None:
        self.rows = rows
        self.asked: dict[Emotion, int] = {}

    def of_label(self, label: Emotion, n: int, seed: int) -> np.ndarray:
        self.asked[label] = n
        random = np.random.default_rng(seed)
        if self.rows is None:
            return random.standard_normal((n, len(MODALITIES), SIZE)).astype(np.float32)
        own = self.rows.parts[self.rows.truth == self.rows.labels.index(label)]
        return own[random.integers(0, len(own), n)]


def uneven() -> SharedRows:
    rows = shared_rows(300, seed=2)
    return rows.of((rows.truth != 0) | (np.arange(len(rows)) % 8 < 1))


def test_made_up_rows_are_of_rare_labels_and_at_most_as_many_as_real_ones() -> None:
    rows, straw = uneven(), Straw(None)
    more = augmented(rows, straw, 0)
    real, total = (np.bincount(one.truth, minlength=3) for one in (rows, more))
    assert total[0] == 2 * real[0]
    assert (total <= np.maximum(real, np.minimum(2 * real, real.max()))).all()
    assert sum(straw.asked.values()) == len(more) - len(rows)
    assert set(more.speakers) == set(rows.speakers)
    np.testing.assert_array_equal(more.parts[: len(rows)], rows.parts)


def test_augmentation_is_kept_only_where_it_clearly_helps() -> None:
    rows = uneven()
    noise = judge_augmentation(rows, lambda _: Straw(None))
    assert not noise.kept
    assert noise.error > 0
    assert set(noise.made) <= set(rows.labels)
    copies = judge_augmentation(rows, Straw)
    assert copies.kept == (copies.after - copies.before > 2 * copies.error)


def test_what_came_of_augmentation_stands_in_the_config() -> None:
    rows = shared_rows(90, TWO)
    weights, _ = train_weights("cgan", rows, ORIGIN, QUICK)
    judged = with_augmentation(weights, rows, QUICK)
    told = judged.config.training["augmentation"]
    assert set(told) == {"made", "before", "after", "error", "kept"}
    assert told["kept"] or judged.probe is weights.probe


@pytest.mark.parametrize("folder", sorted(WEIGHTS.glob("*/")), ids=lambda folder: folder.name)
def test_what_ships_belongs_to_the_space_that_ships(folder: Path) -> None:
    """Fails where one was made anew without the other: `affectstream train imputation`."""
    space = load_weights(SPACE, Inputs, "affectstream train alignment").version
    shipped = ImputerWeights.load(folder, space)
    assert shipped.config.imputer == folder.name
    assert shipped.config.modalities == TWO
    assert shipped.config.licence == "CC BY 4.0"
    assert "EmoDB" in shipped.config.data
    assert "GoEmotions" in shipped.config.data


def test_the_default_ships() -> None:
    assert load_foresight(DEFAULT_IMPUTER).imputer.expects == set(TWO)
