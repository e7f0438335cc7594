"""The training loop: the same seed gives the same weights, broken off or not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from inference.networks.folder import Config, WeightsError, filled, load_weights, save_weights
from inference.training.loop import HISTORY, History, Plan, TrainingError, fit

pytestmark = pytest.mark.unit
INPUTS = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
TARGETS = INPUTS @ torch.tensor([[1.0], [-2.0], [0.5]])


class Line:
    """Least squares in batches of sixteen, drawn anew each epoch."""

    def __init__(self, module: nn.Module, *, broken: bool = False) -> None:
        self.module = module
        self.order = torch.arange(0)
        self.broken = broken

    def batches(self, generator: torch.Generator) -> int:
        self.order = torch.randperm(48, generator=generator)
        return 3

    def loss(self, batch: int, generator: torch.Generator) -> Tensor:
        rows = self.order[16 * batch : 16 * batch + 16]
        noise = 0.01 * torch.randn(16, 3, generator=generator)
        lost = nn.functional.mse_loss(self.module(INPUTS[rows] + noise), TARGETS[rows])
        return lost * float("nan") if self.broken else lost

    def judge(self) -> float:
        return float(nn.functional.mse_loss(self.module(INPUTS[48:]), TARGETS[48:]))


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.1), nn.Linear(8, 1))


def trained(plan: Plan, module: nn.Module | None = None) -> tuple[nn.Module, History]:
    module = module or network()
    return module, fit(module, Line(module), plan)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(mine, yours) for mine, yours in pairs)


def test_one_seed_gives_one_result_and_another_another() -> None:
    first, _ = trained(Plan(epochs=4, seed=1))
    again, _ = trained(Plan(epochs=4, seed=1))
    other, _ = trained(Plan(epochs=4, seed=2))
    assert same(first, again)
    assert not same(first, other)


def test_a_training_that_was_broken_off_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole, history = trained(Plan(epochs=6))
    checkpoint = tmp_path / "kept.pt"
    module = network()
    left = iter(range(3))

    def break_off() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(module, Line(module), Plan(epochs=6, checkpoint=checkpoint), break_off)
    assert checkpoint.is_file()
    resumed, again = trained(Plan(epochs=6, checkpoint=checkpoint))
    assert same(whole, resumed)
    assert again.epochs == history.epochs
    assert not checkpoint.exists()


def test_the_best_epoch_is_kept_and_none_comes_long_after_it() -> None:
    module, history = trained(Plan(epochs=60, learning_rate=0.3, patience=3))
    with torch.no_grad():
        kept = Line(module).judge()
    assert kept == min(epoch.judged for epoch in history.epochs)
    assert len(history.epochs) <= history.best + 1 + 3 + 1


def test_a_loss_that_is_no_number_ends_the_training_with_advice() -> None:
    module = network()
    with pytest.raises(TrainingError, match="lower the learning rate"):
        fit(module, Line(module, broken=True), Plan(epochs=1))


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "other.pt"
    torch.save({"module": {}}, checkpoint)
    with pytest.raises(TrainingError, match="not a checkpoint of this training"):
        trained(Plan(epochs=1, checkpoint=checkpoint))


def test_a_history_is_written_to_read_and_to_look_at(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="curves are drawn with the extra plots")
    _, history = trained(Plan(epochs=2))
    history.save(tmp_path)
    assert (tmp_path / HISTORY).read_text().count(",") == 3
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


CONFIG = Config(name="line", version=1, data="made up", licence="CC0-1.0", training={"seed": 0})


def test_weights_come_back_as_they_were_written_in_half_precision(tmp_path: Path) -> None:
    module = network()
    digest = save_weights(tmp_path, CONFIG, module.state_dict())
    weights = load_weights(tmp_path, Config, "train")
    assert (weights.config, weights.version) == (CONFIG, f"line-1+{digest}")
    loaded = filled(network(), weights, tmp_path)
    for mine, yours in zip(loaded.parameters(), module.parameters(), strict=True):
        assert torch.equal(mine, yours.half().float())


def test_weights_that_are_missing_or_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="make them with `affectstream train line`"):
        load_weights(tmp_path, Config, "affectstream train line")
    save_weights(tmp_path, CONFIG, {"other": torch.zeros(1)})
    weights = load_weights(tmp_path, Config, "train")
    with pytest.raises(WeightsError, match="does not fit"):
        filled(network(), weights, tmp_path)
