"""What holds of the shared space whatever is in it."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.alignment.captions import MEASURES, Description, Third, caption, plain_caption
from inference.alignment.losses import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    Temperature,
    between_modalities_loss,
    private_loss,
    symmetric_loss,
)
from inference.alignment.own_labels import Calibrated, calibrate
from inference.alignment.towers import unit
from inference.labels import Emotion
from inference.training.alignment.facts import UNKNOWN, Facts, holds, said_of

pytestmark = pytest.mark.laws

SEEDS = st.integers(0, 2**31 - 1)
DESCRIPTIONS = st.builds(
    Description,
    label=st.none() | st.sampled_from(Emotion),
    thirds=st.tuples(*[st.none() | st.sampled_from(Third)] * len(MEASURES)),
    actions=st.lists(st.sampled_from(["smiles", "lips pressed"]), unique=True).map(tuple),
    words=st.sampled_from(["", "where is my parcel"]),
)


def batch(seed: int, rows: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    parts = torch.randn(rows, 3, 8, generator=chance)
    return parts, torch.rand(rows, 3, generator=chance) < 0.6


def facts(seed: int, count: int = 12) -> Facts:
    chance = np.random.default_rng(seed)
    return Facts(
        chance.integers(0, 7, count),
        chance.integers(-1, 3, (count, len(MEASURES))),
        chance.random((count, 4)) < 0.4,
        chance.integers(-1, 3, count),
    )


@given(place=st.floats(-1e4, 1e4))
def test_the_temperature_never_leaves_its_bounds(place: float) -> None:
    temperature = Temperature()
    with torch.no_grad():
        temperature.place.fill_(place)
    assert LOWEST_TEMPERATURE - 1e-6 <= float(temperature().detach()) <= HIGHEST_TEMPERATURE + 1e-6


@given(seed=SEEDS, labelled=st.booleans())
def test_what_is_absent_never_moves_a_loss(seed: int, labelled: bool) -> None:  # noqa: FBT001
    parts, present = batch(seed)
    other = torch.where(present[..., None], parts, torch.full_like(parts, 7.0))
    labels = torch.arange(len(parts)) % 2 if labelled else None
    even = torch.zeros(len(parts))
    for loss in (
        lambda rows: between_modalities_loss(unit(rows), present, torch.tensor(0.1), labels),
        lambda rows: symmetric_loss(rows, present, even),
        lambda rows: private_loss(rows[..., :4], rows[..., 4:], present),
    ):
        assert torch.equal(loss(parts), loss(other))


@given(description=DESCRIPTIONS, seed=SEEDS)
def test_the_same_chance_gives_the_same_caption(description: Description, seed: int) -> None:
    first, second = (caption(description, random.Random(seed)) for _ in range(2))
    assert first == second
    assert plain_caption(description) == plain_caption(description)
    assert bool(first) == (description != Description())


@given(seed=SEEDS)
def test_a_caption_always_holds_of_the_window_it_is_of_and_never_says_nothing(seed: int) -> None:
    known = facts(seed)
    said = said_of(known, np.random.default_rng(seed))
    assert holds(known, said).diagonal().all()
    says = (
        (said.labels != UNKNOWN)
        | (said.lines != UNKNOWN)
        | (said.thirds != UNKNOWN).any(axis=1)
        | said.actions.any(axis=1)
    )
    assert says.all()


@given(
    scores=st.lists(st.floats(-1e3, 1e3), min_size=20, max_size=60),
    seed=SEEDS,
)
def test_a_calibration_is_monotone_finite_and_inside_one_and_nought(
    scores: list[float], seed: int
) -> None:
    answers = np.random.default_rng(seed).random(len(scores)) < 0.5
    answers[:2] = (True, False)
    found = calibrate(np.array(scores), answers)
    assert isinstance(found, Calibrated)
    probabilities = found.probability(np.sort(scores))
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert (np.diff(probabilities) >= 0).all()
    assert np.isfinite([found.held_out_nll, found.base_nll]).all()
