"""The terms that a learned fuser makes small: values by hand, and what each leaves alone."""

import math

import pytest
import torch
from torch.distributions import Dirichlet, kl_divergence

from inference.training.fusion import losses

pytestmark = pytest.mark.unit

EVEN = torch.ones(2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_class_met_four_times_less_weighs_twice_and_one_never_met_nothing() -> None:
    targets = torch.eye(3)[[0, 0, 0, 0, 1]]
    assert losses.class_weights(targets).tolist() == pytest.approx([1.0, 2.0, 0.0])


def test_smoothed_cross_entropy_by_hand() -> None:
    log_probs = torch.log(torch.tensor([[0.8, 0.2]]))
    found = losses.cross_entropy(log_probs, torch.tensor([[1.0, 0.0]]), EVEN, smoothing=0.1)
    assert found.item() == pytest.approx(-0.95 * math.log(0.8) - 0.05 * math.log(0.2))


def test_an_item_weighs_what_its_labels_weigh() -> None:
    log_probs = torch.log(torch.tensor([[0.5, 0.5], [0.9, 0.1]]))
    found = losses.cross_entropy(log_probs, torch.eye(2), torch.tensor([1.0, 3.0]), smoothing=0.0)
    assert found.item() == pytest.approx((-math.log(0.5) - 3 * math.log(0.1)) / 4)


def test_a_probe_of_an_absent_modality_is_not_asked() -> None:
    said = torch.log(torch.tensor([[[0.7, 0.3], [1e-6, 1 - 1e-6]]]))
    alone = losses.probe_loss(
        said, torch.tensor([[True, False]]), torch.tensor([[1.0, 0.0]]), EVEN, 0.0
    )
    assert alone.item() == pytest.approx(-math.log(0.7))
    nobody = losses.probe_loss(said, torch.zeros(1, 2, dtype=torch.bool), EVEN[None], EVEN, 0.0)
    assert nobody.item() == 0.0


def test_distillation_teaches_the_masked_only() -> None:
    full = torch.tensor([[2.0, 0.0]], requires_grad=True)
    masked = torch.tensor([[0.0, 0.0]], requires_grad=True)
    found = losses.self_distillation(full, masked)
    teacher = torch.softmax(torch.tensor([1.0, 0.0]), 0)
    expected = 4 * (teacher * (teacher.log() - math.log(0.5))).sum()
    assert found.item() == pytest.approx(expected.item())
    found.backward()  # type: ignore[no-untyped-call]
    assert full.grad is None
    assert masked.grad is not None
    assert losses.self_distillation(full, full).item() == pytest.approx(0.0, abs=1e-6)


def test_alignment_of_what_is_all_alike_is_the_log_of_how_many_there_are() -> None:
    alike = torch.ones(5, 2, 4)
    found = losses.alignment_loss(alike, torch.ones(5, 2, dtype=torch.bool), torch.arange(5))
    assert found.item() == pytest.approx(math.log(5))


def test_class_mates_are_no_strangers() -> None:
    """Two items of one class, each modality of both the same: nothing pushes them apart."""
    embeddings = torch.randn(2, 2, 8, generator=generator())
    embeddings[1] = embeddings[0]
    everybody = torch.ones(2, 2, dtype=torch.bool)
    together = losses.alignment_loss(embeddings, everybody, torch.tensor([3, 3]))
    assert together.item() == pytest.approx(math.log(2))


def test_alignment_never_reads_what_is_absent() -> None:
    embeddings = torch.randn(4, 3, 8, generator=generator(), requires_grad=True)
    present = torch.tensor([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 0, 0]], dtype=torch.bool)
    classes = torch.tensor([0, 0, 1, 2])
    found = losses.alignment_loss(embeddings, present, classes)
    found.backward()  # type: ignore[no-untyped-call]
    assert embeddings.grad is not None
    assert torch.isfinite(embeddings.grad).all()
    assert (embeddings.grad[~present] == 0).all()
    other = embeddings.detach().clone()
    other[~present] = 100.0
    assert losses.alignment_loss(other, present, classes).item() == found.item()


def test_alignment_of_single_modalities_is_nothing() -> None:
    present = torch.tensor([[True, False], [True, False]])
    assert losses.alignment_loss(torch.ones(2, 2, 4), present, torch.zeros(2)).item() == 0.0


def test_symmetric_loss_by_hand_fades_with_conflict() -> None:
    shared = torch.log(torch.tensor([[[0.5, 0.5], [0.9, 0.1]]]))
    both = torch.ones(1, 2, dtype=torch.bool)
    forth = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
    back = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    agreed = losses.symmetric_loss(shared, both, torch.zeros(1)).item()
    assert agreed == pytest.approx((forth + back) / 2, rel=1e-5)
    half = losses.symmetric_loss(shared, both, torch.tensor([0.5])).item()
    assert half == pytest.approx(agreed / 2)
    alone = torch.tensor([[True, False]])
    assert losses.symmetric_loss(shared, alone, torch.zeros(1)).item() == 0.0


def test_halves_that_share_no_item_are_orthogonal() -> None:
    embeddings = torch.zeros(2, 1, 4)
    embeddings[0, 0, 0] = 1.0
    embeddings[1, 0, 3] = 1.0
    here = torch.ones(2, 1, dtype=torch.bool)
    assert losses.orthogonality(embeddings, here).item() == 0.0
    embeddings[0, 0, 2] = 1.0  # now one item says the same in both halves
    assert losses.orthogonality(embeddings, here).item() == pytest.approx(0.01 * 0.25 / 4)


def test_a_view_that_says_the_same_costs_nothing_and_the_opposite_two() -> None:
    embeddings = torch.randn(3, 2, 4, generator=generator())
    here = torch.ones(3, 2, dtype=torch.bool)
    assert losses.invariance_loss(embeddings, 2 * embeddings, here).item() == pytest.approx(
        0.0, abs=1e-6
    )
    assert losses.invariance_loss(embeddings, -embeddings, here).item() == pytest.approx(2.0)


def test_the_evidential_prior_is_the_divergence_that_torch_knows() -> None:
    alpha = torch.tensor([[1.0, 4.0, 2.5], [1.0, 1.0, 1.0]])
    expected = kl_divergence(Dirichlet(alpha), Dirichlet(torch.ones(2, 3)))
    torch.testing.assert_close(losses._divergence_from_nothing(alpha), expected)


def test_evidence_for_the_truth_is_rewarded_and_for_the_rest_charged_as_epochs_pass() -> None:
    truth, weights = torch.eye(3)[:1], torch.ones(3)

    def lost(evidence: list[float], epoch: int) -> float:
        found = losses.evidential_loss(torch.tensor([evidence]), truth, weights, epoch)
        return float(found.item())

    assert lost([0.0, 0.0, 0.0], 0) == pytest.approx(1 + 1 / 2)  # psi(3) - psi(1)
    assert lost([9.0, 0.0, 0.0], 0) < lost([0.0, 0.0, 0.0], 0) < lost([0.0, 9.0, 0.0], 0)
    assert lost([0.0, 9.0, 0.0], 0) < lost([0.0, 9.0, 0.0], 10) < lost([0.0, 9.0, 0.0], 20)
    assert lost([0.0, 9.0, 0.0], 20) == lost([0.0, 9.0, 0.0], 40)
    assert lost([9.0, 0.0, 0.0], 40) == lost([9.0, 0.0, 0.0], 0)
