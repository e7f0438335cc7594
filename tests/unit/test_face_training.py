"""Learning from FER+: who is read, what is learnt, and that an interruption costs nothing."""

from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch

from inference.experts.face_cnn import FaceCnn, FaceCnnError, standardised
from inference.experts.threads import limit_threads
from inference.labels import EMOTIONS
from inference.training.face import (
    CHECKPOINT_FILE,
    CheckpointError,
    Plan,
    rare_weights,
    rate,
    train_face,
)
from inference.training.face_augment import covered, filmed_again
from inference.training.face_calibration import TooFewFacesError
from inference.training.face_card import CARD_FILE
from inference.training.face_material import ferplus
from inference.training.ferplus import EXPRESSIONS, NoFacesError, VotedTiles, read_tiles
from streams.cli.train_face import face

HEADER = "split,tile,name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
OURS = ("neutral", "joy", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
FACES = 320
PLAN = Plan(seed=3, epochs=2, widths=(4, 8, 8, 8))


def _tile(label: int, random: np.random.Generator) -> np.ndarray:
    """A bright block whose place is the label, on noise."""
    tile = random.integers(0, 60, (48, 48), dtype=np.uint8)
    top, left = divmod(label, 3)
    tile[16 * top : 16 * top + 14, 16 * left : 16 * left + 14] += 150
    return tile


def _write(folder: Path, which: str, faces: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    mosaic = np.zeros((2400, 2400), dtype=np.uint8)
    rows = [HEADER]
    for number in range(faces):
        label = number % len(OURS)
        row, column = divmod(number, 50)
        place = slice(48 * row, 48 * row + 48), slice(48 * column, 48 * column + 48)
        mosaic[place] = _tile(label, random)
        votes = [0] * 10
        votes[label], votes[(label + 1) % 8] = 8, 2
        rows.append(f"{which},{number},f{number}.png,{','.join(map(str, votes))}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    (folder / f"{which}_00.png").write_bytes(cv2.imencode(".png", mosaic)[1].tobytes())


@pytest.fixture(scope="module", autouse=True)
def _one_thread_to_begin_with() -> None:
    limit_threads(1)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Sums depend on the number of threads, which commands set for the whole process."""
    limit_threads(1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ferplus")
    _write(folder, "Train", FACES, 1)
    return folder


@pytest.fixture(scope="module")
def faces(corpus: Path) -> VotedTiles:
    return read_tiles(corpus, "Train")


@pytest.fixture(scope="module")
def trained(faces: VotedTiles, tmp_path_factory: pytest.TempPathFactory) -> FaceCnn:
    return train_face(ferplus(faces, PLAN.seed), tmp_path_factory.mktemp("trained"), PLAN)


def _votes(*rows: tuple[int, ...]) -> VotedTiles:
    return VotedTiles(np.zeros((len(rows), 48, 48), dtype=np.uint8), np.array(rows))


def test_a_tile_is_found_by_its_number(faces: VotedTiles) -> None:
    assert faces.tiles.shape == (FACES, 48, 48)
    for number in (0, 5, 51, 319):
        top, left = divmod(number % 8, 3)
        block = faces.tiles[number, 16 * top : 16 * top + 14, 16 * left : 16 * left + 14]
        assert block.min() >= 150
        assert EXPRESSIONS[faces.majorities[number]] == OURS[number % 8]


def test_single_votes_and_faces_that_nobody_could_name_teach_nothing() -> None:
    voted = _votes(
        (6, 1, 0, 3, 0, 0, 0, 0, 0, 0),  # anger 6, disgust 1, joy 3
        (2, 0, 0, 0, 0, 0, 0, 0, 8, 0),  # most do not know
        (2, 0, 0, 0, 0, 0, 0, 0, 0, 8),  # most see no face
        (1, 1, 1, 1, 1, 1, 1, 1, 1, 1),  # strays only
        (0, 0, 0, 5, 5, 0, 0, 0, 0, 0),  # a tie can be learnt from
    )
    assert voted.shares[0] == pytest.approx([2 / 3, 0, 0, 1 / 3, 0, 0, 0, 0])
    assert not voted.shares[1:4].any()
    assert voted.shares[4, [3, 4]] == pytest.approx([0.5, 0.5])
    assert voted.majorities.tolist() == [0, -1, -1, -1, -1]


def test_a_folder_without_faces_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoFacesError, match="--data"):
        read_tiles(tmp_path, "Train")
    (tmp_path / "labels.csv").write_text(f"{HEADER}\nTrain,0,a.png,9,0,0,0,0,0,0,0,0,0\n")
    with pytest.raises(NoFacesError, match="no face of the split Valid"):
        read_tiles(tmp_path, "Valid")
    with pytest.raises(NoFacesError, match="2400x2400"):
        read_tiles(tmp_path, "Train")


def test_a_mosaic_that_is_a_jpeg_is_read_as_well(tmp_path: Path) -> None:
    grey = np.full((2400, 2400), 90, dtype=np.uint8)
    (tmp_path / "Train_00.jpg").write_bytes(cv2.imencode(".jpg", grey)[1].tobytes())
    (tmp_path / "labels.csv").write_text(f"{HEADER}\nTrain,7,a.png,9,0,0,0,0,0,0,0,0,0\n")
    assert read_tiles(tmp_path, "Train").tiles.mean() == pytest.approx(90, abs=1)


def test_held_out_faces_are_no_part_of_what_is_learnt(faces: VotedTiles) -> None:
    numbered = VotedTiles(
        np.arange(len(faces), dtype=np.uint8)[:, None, None] + np.zeros((1, 48, 48), np.uint8),
        faces.votes,
    )
    parts = ferplus(numbered, seed=1)
    assert len(parts.held_out) == FACES // 10
    assert len(parts.learnt) + len(parts.held_out) == FACES
    both = np.concatenate([parts.learnt.tiles[:, 0, 0], parts.held_out.tiles[:, 0, 0]])
    assert sorted(both) == sorted(numbered.tiles[:, 0, 0])
    assert not np.array_equal(parts.held_out.tiles, ferplus(numbered, seed=2).held_out.tiles)


def test_the_rarer_a_label_the_more_it_weighs_and_the_mean_weight_is_one() -> None:
    shares = np.eye(8)[[3] * 64 + [0] * 8 + [1]]
    weights = rare_weights(shares)
    assert weights[3] < weights[0] < weights[1]
    assert weights[0] / weights[3] == pytest.approx(8**0.25)
    assert (shares * weights).sum(axis=1).mean() == pytest.approx(1.0)


def test_the_learning_rate_rises_once_and_falls_to_nothing() -> None:
    rates = np.array([rate(done, 200) for done in range(200)])
    top = int(rates.argmax())
    assert np.all(np.diff(rates[: top + 1]) > 0)
    assert np.all(np.diff(rates[top:]) < 0)
    assert rates[-1] < 0.01
    assert rates.max() <= 1.0


def test_a_face_that_is_filmed_again_is_another_picture_and_the_same_by_the_same_chance() -> None:
    tiles = torch.randint(0, 256, (4, 1, 48, 48), generator=torch.Generator().manual_seed(1))
    once, again, other = (
        filmed_again(tiles.float(), torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    assert once.shape == tiles.shape
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_a_cover_is_a_rectangle_on_some_of_the_faces() -> None:
    faces = torch.ones(200, 1, 48, 48)
    hidden = covered(faces, torch.Generator().manual_seed(1)) == 0
    share = hidden.flatten(1).any(dim=1).float().mean().item()
    assert 0.1 < share < 0.5
    for one in hidden[hidden.flatten(1).any(dim=1)]:
        rows, columns = one[0].any(dim=1), one[0].any(dim=0)
        assert torch.equal(one[0], rows[:, None] & columns[None, :])


def test_light_and_contrast_of_the_camera_drop_out_and_a_flat_picture_stays_flat() -> None:
    tile = torch.randint(40, 200, (1, 1, 48, 48), generator=torch.Generator().manual_seed(1))
    dim = 0.5 * tile + 30
    assert torch.allclose(standardised(tile.float()), standardised(dim), atol=1e-5)
    assert standardised(torch.full((1, 1, 48, 48), 90.0)).abs().max() == 0


def test_the_same_seed_makes_the_same_weights(
    faces: VotedTiles, trained: FaceCnn, tmp_path: Path
) -> None:
    assert train_face(ferplus(faces, PLAN.seed), tmp_path, PLAN).version == trained.version
    other = train_face(ferplus(faces, PLAN.seed), tmp_path, msgspec.structs.replace(PLAN, seed=4))
    assert other.version != trained.version


def test_an_interrupted_training_ends_with_the_same_weights(
    faces: VotedTiles, trained: FaceCnn, tmp_path: Path
) -> None:
    first_of: list[int] = []

    def stop(done: int, of: int) -> None:
        if done > of // 2:  # the first step of the second epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_face(ferplus(faces, PLAN.seed), tmp_path, PLAN, stop)
    assert (tmp_path / CHECKPOINT_FILE).is_file()
    resumed = train_face(
        ferplus(faces, PLAN.seed), tmp_path, PLAN, lambda done, of: first_of.append(done)
    )
    assert first_of[0] > 1
    assert resumed.version == trained.version
    assert not (tmp_path / CHECKPOINT_FILE).exists()


def test_the_checkpoint_of_another_plan_is_refused(faces: VotedTiles, tmp_path: Path) -> None:
    def stop(done: int, of: int) -> None:
        if done > of // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_face(ferplus(faces, PLAN.seed), tmp_path, PLAN, stop)
    with pytest.raises(CheckpointError, match="--out"):
        train_face(ferplus(faces, PLAN.seed), tmp_path, msgspec.structs.replace(PLAN, seed=9))
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"broken")
    with pytest.raises(CheckpointError, match="delete"):
        train_face(ferplus(faces, PLAN.seed), tmp_path, PLAN)


def test_too_few_faces_to_calibrate_on_are_an_error(faces: VotedTiles, tmp_path: Path) -> None:
    joyful = faces.of(faces.majorities == EXPRESSIONS.index("joy"))
    with pytest.raises(TooFewFacesError, match="distress"):
        train_face(ferplus(joyful, PLAN.seed), tmp_path, PLAN)


def test_the_command_writes_weights_config_and_card(corpus: Path, tmp_path: Path) -> None:
    face(data=corpus, out=tmp_path / "net", epochs=1)
    cnn = FaceCnn.load(tmp_path / "net")
    card = (tmp_path / "net" / CARD_FILE).read_text()
    assert cnn.version in card
    assert "research only" in cnn.config.licence
    assert "no commercial grant" in card
    assert cnn.config.labels == (*EMOTIONS, "contempt")
    assert cnn.config.training["faces"] == FACES - FACES // 10


def test_weights_that_cannot_be_read_are_an_error(trained: FaceCnn, tmp_path: Path) -> None:
    with pytest.raises(FaceCnnError, match="train face"):
        FaceCnn.load(tmp_path)
    trained.save(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"anger"', '"rage"', 1))
    with pytest.raises(FaceCnnError, match="rage"):
        FaceCnn.load(tmp_path)
    short = msgspec.structs.replace(trained.config, log_prior=(0.0,) * 7)
    replace(trained, config=short).save(tmp_path)
    with pytest.raises(FaceCnnError, match="its prior has 7"):
        FaceCnn.load(tmp_path)


def test_a_net_that_says_its_prior_says_nothing(trained: FaceCnn) -> None:
    prior = np.array(trained.config.log_prior)
    assert np.exp(prior).sum() == pytest.approx(1.0)
    assert trained.emotions(prior) == pytest.approx(np.full(7, -np.log(7)))


def test_a_crop_and_its_mirror_image_are_read_the_same_and_each_by_itself(
    faces: VotedTiles, trained: FaceCnn
) -> None:
    crops = faces.tiles[:5]
    read = trained.log_probs(crops)
    assert np.exp(read).sum(axis=1) == pytest.approx(np.ones(5))
    assert trained.log_probs(np.ascontiguousarray(crops[:, :, ::-1])) == pytest.approx(read)
    assert trained.log_probs(crops[2:3])[0] == pytest.approx(read[2], abs=1e-5)
