"""Parts of imputers against formulas: closed forms, shrinkage, schedules, losses, hiding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import oas
from sklearn.linear_model import Ridge
from torch import nn

from inference.imputation.cgan import NOISE, ConditionalGan, GanImputer, gan_loss
from inference.imputation.covariance import Cloud, shrinkage, shrunk_covariance
from inference.imputation.diffusion import (
    SAMPLER_STEPS,
    STEPS,
    NoiseNet,
    ddim,
    diffusion_loss,
    noise_schedule,
    step_waves,
)
from inference.imputation.ellipsoid import DRAWS, Ellipsoid
from inference.imputation.errors import ShapeError
from inference.imputation.regression import Residual, ridge
from inference.imputation.standard import Standard
from inference.imputation.translator import TranslatorNet, translation_loss
from inference.labels import EMOTIONS, MODALITIES, Emotion, Modality
from inference.training.imputation.hiding import shown_at_random
from tests.imputers import HIDDEN, SIZE, TWO, shared_rows, tiny


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_ridge_is_the_closed_form_that_scikit_learn_solves(penalty: float) -> None:
    random = np.random.default_rng(0)
    inputs, target = random.standard_normal((40, 5)), random.standard_normal((40, 3))
    weights, intercept = ridge(inputs, target, penalty)
    model = Ridge(alpha=40 * penalty, solver="cholesky").fit(inputs, target)
    np.testing.assert_allclose(weights, model.coef_.T, atol=1e-10)
    np.testing.assert_allclose(intercept, model.intercept_, atol=1e-10)


def test_ridge_of_nothing_is_the_mean() -> None:
    target = np.random.default_rng(0).standard_normal((9, 3))
    weights, intercept = ridge(np.zeros((9, 0)), target, 1.0)
    assert weights.shape == (0, 3)
    np.testing.assert_allclose(intercept, target.mean(axis=0))


@pytest.mark.parametrize(("n", "size"), [(8, 30), (40, 6), (200, 4)])
def test_shrinkage_is_that_of_the_oracle_approximation(n: int, size: int) -> None:
    rows = np.random.default_rng(n).standard_normal((n, size)) * np.arange(1, size + 1)
    covariance, share = oas(rows, assume_centered=True)
    assert shrinkage(rows) == pytest.approx(share)
    np.testing.assert_allclose(shrunk_covariance(rows), covariance, rtol=1e-6, atol=1e-9)


def test_a_cloud_measures_mahalanobis_distances() -> None:
    random = np.random.default_rng(0)
    draws, points = random.standard_normal((7, 12)), random.standard_normal((5, 12))
    cloud = Cloud.of(draws)
    centred = draws - draws.mean(axis=0)
    inverse = np.linalg.inv(shrunk_covariance(centred))
    away = points - draws.mean(axis=0)
    expected = np.sqrt(np.einsum("pi,ij,pj->p", away, inverse, away))
    np.testing.assert_allclose(cloud.distances(points), expected, rtol=1e-5)


def test_nine_of_ten_further_draws_lie_inside_whatever_their_shape() -> None:
    random = np.random.default_rng(0)
    mixing = random.standard_normal((20, 20))
    inside = [
        Ellipsoid.of(random.standard_t(3, (DRAWS, 20)) @ mixing).surprise(
            random.standard_t(3, 20) @ mixing
        )
        <= 1
        for _ in range(400)
    ]
    assert np.mean(inside) == pytest.approx(30 / 33, abs=0.045)  # three standard errors


def test_the_middle_of_the_draws_is_no_surprise_and_far_away_is_one() -> None:
    draws = np.random.default_rng(0).standard_normal((DRAWS, 4))
    ellipsoid = Ellipsoid.of(draws)
    assert ellipsoid.surprise(draws[: DRAWS // 2].mean(axis=0)) == pytest.approx(0, abs=1e-6)
    assert ellipsoid.surprise(np.full(4, 20.0)) > 2
    with pytest.raises(ShapeError, match="at least 4"):
        Ellipsoid.of(draws[:3])


def test_a_residual_draws_with_the_covariance_that_it_was_measured_with() -> None:
    errors = np.random.default_rng(0).standard_normal((4000, 3)) @ np.diag([1.0, 2.0, 0.5])
    drawn = Residual.of(errors).draw(8000, np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(drawn.T), np.diag([1.0, 4.0, 0.25]), atol=0.15)


def test_the_schedule_goes_from_almost_all_signal_to_almost_none() -> None:
    signal = noise_schedule()
    assert len(signal) == STEPS
    assert float(signal[0]) == pytest.approx(1 - 1e-3)
    assert float(signal[-1]) < 0.01
    assert bool((signal[1:] < signal[:-1]).all())


def test_ddim_is_deterministic_and_finds_what_a_perfect_denoiser_knows() -> None:
    signal, truth, start = noise_schedule(), normal(4, 6, seed=1), normal(4, 6, seed=2)
    asked: list[int] = []

    def perfect(rows: torch.Tensor, step: int) -> torch.Tensor:
        asked.append(step)
        return (rows - signal[step].sqrt() * truth) / (1 - signal[step]).sqrt()

    found = ddim(perfect, start, signal)
    assert torch.allclose(found, truth, atol=1e-4)
    assert torch.equal(found, ddim(perfect, start, signal))
    assert asked[0] == STEPS - 1
    assert asked[SAMPLER_STEPS - 1] == 0
    assert asked[:SAMPLER_STEPS] == sorted(set(asked), reverse=True)


def test_a_noise_net_never_reads_the_noisy_copy_of_what_is_known() -> None:
    net = tiny("diffusion").net  # type: ignore[attr-defined]
    known, step = normal(5, 3, SIZE), torch.arange(5)
    present = torch.tensor([True, False, True]).expand(5, -1)
    noisy = normal(5, 3, SIZE, seed=3)
    other = torch.where(present[..., None], noisy + 5, noisy)
    assert torch.equal(net(noisy, known, present, step), net(other, known, present, step))


@torch.no_grad()
def test_the_loss_of_diffusion_counts_hidden_coordinates_alone() -> None:
    net = NoiseNet(TWO, SIZE, HIDDEN)
    rows, noise, step = normal(5, 2, SIZE), normal(5, 2, SIZE, seed=1), torch.arange(5) * 9
    there = torch.ones((5, 2), dtype=torch.bool)
    assert float(diffusion_loss(net, rows, there, there, step, noise)) == 0.0
    shown = torch.tensor([True, False]).expand(5, -1)
    hidden = diffusion_loss(net, rows, there, shown, step, noise)
    share = net.signal[step][:, None, None]
    noisy = share.sqrt() * rows + (1 - share).sqrt() * noise
    predicted = net(noisy, rows * shown[..., None], shown, step)
    expected = (predicted - noise)[:, 1].square().mean()
    assert float(hidden) == pytest.approx(float(expected), rel=1e-5)


def test_every_step_has_waves_of_its_own() -> None:
    waves = step_waves(torch.arange(STEPS))
    assert len(torch.unique(waves, dim=0)) == STEPS


@torch.no_grad()
def test_the_cycle_costs_nothing_where_modalities_are_an_invertible_map_of_each_other() -> None:
    net = TranslatorNet(TWO, SIZE, HIDDEN)
    turn, _ = torch.linalg.qr(normal(SIZE, SIZE))
    for name, weight in (("speech_to_text", turn), ("text_to_speech", turn.T)):
        linear = nn.Linear(SIZE, SIZE, bias=False)
        linear.weight = nn.Parameter(weight.contiguous())
        net.pairs[name] = linear
    voice = normal(7, SIZE, seed=1)
    rows = torch.stack([voice, voice @ turn.T], dim=1)
    there = torch.ones((7, 2), dtype=torch.bool)
    assert float(translation_loss(net, rows, there)) == pytest.approx(0, abs=1e-10)
    alone = torch.tensor([True, False]).expand(7, -1)
    assert float(translation_loss(net, rows, alone)) == 0.0
    assert float(translation_loss(net, rows + 1, there)) > 0.1


def test_a_translation_is_the_mean_over_those_that_are_there() -> None:
    net = TranslatorNet(MODALITIES, SIZE, HIDDEN)
    rows = normal(1, 3, SIZE)
    both = net.estimate(rows, torch.tensor([[True, True, False]]))[0, 2]
    voice = net.estimate(rows, torch.tensor([[True, False, False]]))[0, 2]
    words = net.estimate(rows, torch.tensor([[False, True, False]]))[0, 2]
    assert torch.allclose(both, (voice + words) / 2, atol=1e-6)
    assert not net.estimate(rows, torch.tensor([[False, False, True]]))[0, 2].any()


def test_each_player_of_the_gan_is_taught_by_its_own_loss_alone() -> None:
    net = ConditionalGan(TWO, SIZE, HIDDEN)
    rows, there = normal(6, 2, SIZE), torch.ones((6, 2), dtype=torch.bool)
    label, noise = torch.zeros((6, len(EMOTIONS))), normal(6, NOISE)
    shown = torch.tensor([True, False]).expand(6, -1)
    known = rows * shown[..., None]
    drawn = net.generate(known, shown, label, noise)
    assert torch.equal(drawn[:, 0], rows[:, 0])
    torch.autograd.backward(net.judge_fixed(drawn, known, shown, label).sum())
    assert all(one.grad is None for one in net.critic.parameters())
    assert all(one.grad is not None for one in net.generator.parameters())
    loss = gan_loss(net, rows, there, shown, label, noise)
    assert torch.isfinite(loss)
    generator = [one.detach().clone() for one in net.generator.parameters()]
    torch.autograd.backward(loss)
    assert all(one.grad is not None for one in net.critic.parameters())
    assert all(map(torch.equal, generator, net.generator.parameters()))


def test_a_generator_makes_rows_of_a_label_the_same_for_a_seed() -> None:
    imputer = tiny("cgan", TWO)
    assert isinstance(imputer, GanImputer)
    made = imputer.of_label(Emotion.FEAR, 4, 0)
    assert made.shape == (4, len(MODALITIES), SIZE)
    assert not made[:, MODALITIES.index(Modality.FACE)].any()
    np.testing.assert_array_equal(made, imputer.of_label(Emotion.FEAR, 4, 0))
    assert not np.array_equal(made, imputer.of_label(Emotion.JOY, 4, 0))


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=8),
    st.integers(0, 99),
)
def test_what_is_shown_is_there_and_something_stays_hidden(
    rows: list[list[bool]], seed: int
) -> None:
    there = torch.tensor(rows)
    shown = shown_at_random(there, torch.Generator().manual_seed(seed))
    assert not bool((shown & ~there).any())
    for had, given_ in zip(there.sum(dim=1).tolist(), shown.sum(dim=1).tolist(), strict=True):
        assert given_ == had if had < 2 else 1 <= given_ < had


def test_every_way_of_hiding_occurs_and_some_rows_may_show_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    there = torch.ones((400, 3), dtype=torch.bool)
    assert len(torch.unique(shown_at_random(there, generator), dim=0)) == 6
    blank = ~shown_at_random(there, generator, 0.25).any(dim=1)
    assert 0.15 < float(blank.float().mean()) < 0.35


@pytest.mark.parametrize("each", [False, True])
def test_standardising_comes_back_and_ignores_what_is_absent(*, each: bool) -> None:
    rows = shared_rows()
    parts, present = rows.columns(MODALITIES)
    present = present.copy()
    present[::3, 1] = False
    parts = np.where(present[..., None], parts, np.float32(7))
    standard = Standard.of(parts, present, each=each)
    there = torch.from_numpy(present)
    found = standard.standardised(torch.from_numpy(parts), there)
    assert not found[~there].any()
    spread = found[there[:, 1], 1].std(dim=0, correction=0)
    assert float(spread.square().mean()) == pytest.approx(1, rel=1e-4)
    back = standard.restored(found)[there]
    np.testing.assert_allclose(back, parts[present], atol=1e-5)


def test_a_coordinate_that_never_varies_is_not_blown_up() -> None:
    parts = np.random.default_rng(0).standard_normal((50, 1, 3)).astype(np.float32)
    parts[..., 2] = 0
    standard = Standard.of(parts, np.ones((50, 1), dtype=np.bool_), each=True)
    there = torch.ones((1, 1), dtype=torch.bool)
    assert float(standard.standardised(torch.full((1, 1, 3), 0.01), there).abs().max()) < 10
