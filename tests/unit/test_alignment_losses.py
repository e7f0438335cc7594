"""The losses of the shared space, against sums made by hand."""

import math

import pytest
import torch

from inference.alignment.losses import (
    ORTHOGONALITY,
    Temperature,
    between_modalities_loss,
    invariance_loss,
    private_loss,
    symmetric_loss,
    window_caption_loss,
)

pytestmark = pytest.mark.unit

AXES = torch.eye(2)
ONE = torch.tensor(1.0)


def test_the_temperature_begins_where_it_is_told() -> None:
    assert float(Temperature().forward().detach()) == pytest.approx(0.07)
    assert float(Temperature(0.3).forward().detach()) == pytest.approx(0.3)


def test_infonce_of_two_windows_that_are_their_captions() -> None:
    loss = window_caption_loss(AXES, AXES, torch.eye(2, dtype=torch.bool), ONE)
    assert float(loss) == pytest.approx(math.log(math.e + 1) - 1)


def test_a_caption_that_holds_of_both_windows_pulls_at_both() -> None:
    """Rows of captions equal: every target is one half, every share too."""
    captions = AXES[[0, 0]]
    loss = window_caption_loss(AXES, captions, torch.ones(2, 2, dtype=torch.bool), ONE)
    back = math.log(math.e + 1) - 0.5  # half of the target on a logit of 1, half on one of 0
    assert float(loss) == pytest.approx((math.log(2) + back) / 2)


def test_nt_xent_of_two_windows_with_two_modalities_each() -> None:
    parts = torch.stack([AXES[[0, 0]], AXES[[1, 1]]])  # (window, modality, dim)
    present = torch.ones(2, 2, dtype=torch.bool)
    loss = between_modalities_loss(parts, present, ONE)
    assert float(loss) == pytest.approx(math.log(math.e + 2) - 1)


def test_a_window_with_one_modality_has_no_pair_but_stands_against_others() -> None:
    parts = torch.stack([AXES[[0, 0]], AXES[[1, 1]]])
    present = torch.tensor([[True, True], [True, False]])
    loss = between_modalities_loss(parts, present, ONE)
    assert float(loss) == pytest.approx(math.log(math.e + 1) - 1)
    alone = torch.tensor([[True, False], [False, True]])
    assert float(between_modalities_loss(parts, alone, ONE)) == 0.0


def test_windows_of_one_label_are_pairs_in_the_supervised_form() -> None:
    parts = AXES[[0, 0]][:, None]  # two windows, one modality
    present = torch.ones(2, 1, dtype=torch.bool)
    same, other = torch.tensor([4, 4]), torch.tensor([4, 5])
    assert float(between_modalities_loss(parts, present, ONE, same)) == pytest.approx(0.0)
    assert float(between_modalities_loss(parts, present, ONE, other)) == 0.0


def test_symmetric_loss_by_hand_and_less_of_it_where_experts_contradict() -> None:
    shared = torch.tensor([[[math.log(3.0), 0.0], [0.0, 0.0]]])  # (3/4, 1/4) and (1/2, 1/2)
    present = torch.ones(1, 2, dtype=torch.bool)
    forth = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    back = 0.5 * math.log(2 / 3) + 0.5 * math.log(2.0)
    whole = float(symmetric_loss(shared, present, torch.zeros(1)))
    assert whole == pytest.approx((forth + back) / 2)
    assert float(symmetric_loss(shared, present, torch.full((1,), 0.75))) == pytest.approx(
        whole / 4
    )


def test_neither_side_pulls_its_teacher() -> None:
    shared = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]], requires_grad=True)
    loss = symmetric_loss(shared, torch.ones(1, 2, dtype=torch.bool), torch.zeros(1))
    loss.backward()
    a, b = shared.detach().softmax(-1)[0]
    mean = (a * (a / b).log()).sum()
    expected = a * ((a / b).log() - mean) / 2  # of KL(p_a || sg p_b) alone
    assert shared.grad is not None
    assert torch.allclose(shared.grad[0, 0], expected, atol=1e-6)


def test_the_private_half_costs_what_it_repeats() -> None:
    there = torch.ones(2, 1, dtype=torch.bool)
    shared = AXES[:, None]
    assert float(private_loss(shared, shared, there)) == pytest.approx(ORTHOGONALITY * 2 / 4)
    assert float(private_loss(shared[:1], torch.zeros(1, 1, 2), there[:1])) == 0.0


def test_invariance_moves_the_degraded_view_only() -> None:
    clean = torch.tensor([[1.0, 0.0]], requires_grad=True)
    degraded = torch.tensor([[1.0, 1.0]], requires_grad=True)
    loss = invariance_loss(clean, degraded)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(1 - 2**-0.5)
    assert clean.grad is None
    assert degraded.grad is not None
    assert float(invariance_loss(torch.zeros(0, 2), torch.zeros(0, 2))) == 0.0
