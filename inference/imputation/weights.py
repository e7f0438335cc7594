"""Imputers as they lie in a folder: half precision, with what they rest on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from inference.imputation.cgan import ConditionalGan, GanImputer
from inference.imputation.contract import Floats, Imputer, ImputerName
from inference.imputation.diffusion import DiffusionImputer, NoiseNet
from inference.imputation.errors import ImputationWeightsError
from inference.imputation.foresight import ImputedForesight
from inference.imputation.probe import Pattern, Probe
from inference.imputation.regression import Regression, Residual
from inference.imputation.ridge import RidgeImputer
from inference.imputation.standard import Standard
from inference.imputation.translator import TranslatorImputer, TranslatorNet
from inference.labels import Emotion, Modality
from inference.networks.folder import Config, load_weights, save_weights

WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "imputation"
"""A folder for each name of an imputer."""
COMMAND: Final = "affectstream train imputation"
Tensors = dict[str, Tensor]
Net = TypeVar("Net", bound=nn.Module)


class ImputerConfig(Config, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the tensors mean, and where they come from.

    Attributes:
        imputer: which of them it is.
        space: version of the shared space that they were fitted in; in another they mean
            nothing.
        modalities: that it was trained on; others it does not expect.
        hidden: width of its network; 0 for ridge.
        labels: of the probe.
    """

    imputer: ImputerName
    space: str
    size: int
    modalities: tuple[Modality, ...]
    hidden: int
    labels: tuple[Emotion, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ImputerWeights:
    """An imputer, the probe that was fitted beside it, and their description."""

    config: ImputerConfig
    imputer: Imputer
    probe: Probe
    digest: str = ""
    """First 8 hex digits over all that is saved; empty before saving."""

    @property
    def version(self) -> str:
        """As published in every score."""
        return f"{self.config.name}-{self.config.version}+{self.digest}"

    @property
    def foresight(self) -> ImputedForesight:
        """What a scorer asks."""
        return ImputedForesight(self.imputer, self.probe, self.version)

    def save(self, folder: Path) -> Self:
        """Write into `folder`, making it; with its digest."""
        tensors = _probe_tensors(self.probe) | _tensors(self.imputer)
        return replace(self, digest=save_weights(folder, self.config, tensors))

    @classmethod
    def load(cls, folder: Path, space: str | None = None) -> Self:
        """Read `folder`.

        Args:
            folder: as `affectstream train imputation` writes it.
            space: version of the shared space that it will be used in; None asks for none.

        Raises:
            WeightsError: nothing usable is there.
            ImputationWeightsError: the tensors do not fit, or they are of another space.
        """
        kept = load_weights(folder, ImputerConfig, COMMAND)
        config, tensors = kept.config, dict(kept.tensors)
        try:
            probe = _probe(config, tensors)
            imputer = _BUILD[config.imputer](config, tensors)
        except (KeyError, RuntimeError, ValueError) as exc:
            raise ImputationWeightsError(
                f"{folder}: the tensors do not fit the config ({exc}); make them with `{COMMAND}`"
            ) from exc
        if space is not None and config.space != space:
            raise ImputationWeightsError(
                f"{folder}: fitted in the shared space {config.space}, but {space} is in use; "
                f"make them with `{COMMAND}`, or set alignment_weights to that space"
            )
        return cls(config, imputer, probe, kept.digest)


def _probe_tensors(probe: Probe) -> Tensors:
    return {
        f"probe.{_joined(pattern)}": torch.from_numpy(head) for pattern, head in probe.heads.items()
    }


def _probe(config: ImputerConfig, tensors: Tensors) -> Probe:
    heads = {
        _split(name.removeprefix("probe.")): one.numpy()
        for name, one in tensors.items()
        if name.startswith("probe.")
    }
    return Probe(config.labels, heads)


def _tensors(imputer: Imputer) -> Tensors:
    match imputer:
        case RidgeImputer():
            return _ridge_tensors(imputer)
        case TranslatorImputer():
            residuals = {
                f"residual.{modality}.{int(told)}": _triangle(residual.factor)
                for (modality, told), residual in imputer.residuals.items()
            }
            return _standard_tensors(imputer.standard) | _net_tensors(imputer.net) | residuals
        case GanImputer():
            tensors = _net_tensors(imputer.net)
            shipped = {name: one for name, one in tensors.items() if "critic" not in name}
            return _standard_tensors(imputer.standard) | shipped
        case DiffusionImputer():
            return _standard_tensors(imputer.standard) | _net_tensors(imputer.net)
        case _:
            raise ImputationWeightsError(f"{type(imputer).__name__} cannot be saved")


def _ridge_tensors(imputer: RidgeImputer) -> Tensors:
    found: Tensors = {}
    for (target, inputs), one in imputer.regressions.items():
        name = f"{target}.{_joined(inputs)}"
        found[f"{name}.weights"] = torch.from_numpy(one.weights)
        found[f"{name}.intercept"] = torch.from_numpy(one.intercept)
        found[f"{name}.residual"] = _triangle(one.residual.factor)
    return found


def _ridge(config: ImputerConfig, tensors: Tensors) -> RidgeImputer:
    regressions = {}
    for name in tensors:
        stem, _, what = name.rpartition(".")
        if what != "intercept":
            continue
        target, _, inputs = stem.partition(".")
        regression = Regression(
            _split(inputs),
            Modality(target),
            tensors[f"{stem}.weights"].numpy(),
            tensors[name].numpy(),
            Residual(_square(tensors[f"{stem}.residual"], config.size)),
        )
        regressions[regression.target, regression.inputs] = regression
    return RidgeImputer(regressions, config.size)


def _translator(config: ImputerConfig, tensors: Tensors) -> TranslatorImputer:
    net = _filled(TranslatorNet(config.modalities, config.size, config.hidden), tensors)
    residuals = {
        (modality, told): Residual(
            _square(tensors[f"residual.{modality}.{int(told)}"], config.size)
        )
        for modality in config.modalities
        for told in (False, True)
    }
    return TranslatorImputer(net, _standard(tensors), residuals)


def _cgan(config: ImputerConfig, tensors: Tensors) -> GanImputer:
    net = ConditionalGan(config.modalities, config.size, config.hidden)
    return GanImputer(_filled(net, tensors, without=("critic",)), _standard(tensors))


def _diffusion(config: ImputerConfig, tensors: Tensors) -> DiffusionImputer:
    net = NoiseNet(config.modalities, config.size, config.hidden)
    return DiffusionImputer(_filled(net, tensors), _standard(tensors))


_BUILD: Final[Mapping[ImputerName, Callable[[ImputerConfig, Tensors], Imputer]]] = {
    "ridge": _ridge,
    "translator": _translator,
    "cgan": _cgan,
    "diffusion": _diffusion,
}


def _net_tensors(net: nn.Module) -> Tensors:
    return {f"net.{name}": one for name, one in net.state_dict().items()}


def _filled(net: Net, tensors: Tensors, without: Iterable[str] = ()) -> Net:
    state = {
        name.removeprefix("net."): one for name, one in tensors.items() if name.startswith("net.")
    }
    missing, unknown = net.load_state_dict(state, strict=False)
    lacking = [name for name in missing if not name.startswith(tuple(without))]
    if lacking or unknown:
        raise KeyError(f"tensors missing: {lacking}; unknown: {unknown}")
    return net.eval().requires_grad_(requires_grad=False)


def _standard_tensors(standard: Standard) -> Tensors:
    return {"standard.mean": standard.mean, "standard.spread": standard.spread}


def _standard(tensors: Tensors) -> Standard:
    return Standard(tensors["standard.mean"], tensors["standard.spread"])


def _triangle(factor: Floats) -> Tensor:
    """The lower triangle as one row: the other one is zero."""
    return torch.from_numpy(factor[np.tril_indices(len(factor))])


def _square(triangle: Tensor, size: int) -> Floats:
    factor = np.zeros((size, size), dtype=np.float32)
    factor[np.tril_indices(size)] = triangle.numpy()
    return factor


def _joined(pattern: Pattern) -> str:
    return "+".join(pattern) or "nothing"


def _split(name: str) -> Pattern:
    return () if name == "nothing" else tuple(Modality(part) for part in name.split("+"))


def load_foresight(
    name: ImputerName, folder: Path | None = None, space: str | None = None
) -> ImputedForesight:
    """The foresight of an imputer, from `folder` or from where the shipped one lies.

    Raises WeightsError and ImputationWeightsError, see `ImputerWeights.load`.
    """
    found = ImputerWeights.load(folder or WEIGHTS / name, space)
    if found.config.imputer != name:
        raise ImputationWeightsError(
            f"{folder}: holds {found.config.imputer}, but {name} is asked for; set imputation to "
            f"{found.config.imputer} or name another folder"
        )
    return found.foresight
