"""A fuser's network as it is shipped: what it reads, its calibration, its weights."""

from pathlib import Path
from typing import Final, Literal

from inference.calibration.patterns import IDENTITY, PatternCalibration
from inference.fusion.adapters import WIDTH
from inference.fusion.attention import AttentionNetwork
from inference.fusion.encoders import EncoderName
from inference.fusion.errors import FusionWeightsError
from inference.fusion.evidential import EvidentialNetwork
from inference.fusion.feature import FeatureNetwork
from inference.fusion.hybrid import HybridNetwork
from inference.fusion.learned import LearnedFuser
from inference.fusion.network import FusionNetwork
from inference.fusion.product_fuser import ProductFuser
from inference.fusion.reading import Reading
from inference.labels import EMOTIONS
from inference.networks.folder import (
    CONFIG_FILE,
    Config,
    WeightsError,
    filled,
    load_weights,
    save_weights,
)

LEARNED_WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "fusion_learned"
"""A folder for each name."""
LearnedName = Literal["feature", "attention", "hybrid", "evidential"]


class LearnedConfig(Config, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `affectstream train fusion` writes beside the weights.

    Attributes:
        fusion: which network this is.
        labels: that it names, in its order.
        readings: what it reads of each modality.
        experts: versions of the experts on whose held-out evidence it was trained.
        width: of its vectors.
        encoder: of the residual of `hybrid`.
        calibration: temperatures and conformal thresholds of its answers.
    """

    fusion: LearnedName
    labels: tuple[str, ...]
    readings: tuple[Reading, ...]
    experts: dict[str, str]
    width: int = WIDTH
    encoder: EncoderName = "attention"
    calibration: PatternCalibration = IDENTITY


def build(config: LearnedConfig) -> FusionNetwork:
    """The network that `config` describes, untrained.

    Raises:
        ValueError: its readings or width make no network.
    """
    labels = len(config.labels)
    match config.fusion:
        case "feature":
            return FeatureNetwork(config.readings, labels, config.width)
        case "attention":
            return AttentionNetwork(config.readings, labels, config.width)
        case "hybrid":
            return HybridNetwork(config.readings, labels, config.width, config.encoder)
        case "evidential":
            return EvidentialNetwork(config.readings, labels)


def save_learned(folder: Path, config: LearnedConfig, network: FusionNetwork) -> str:
    """Write `folder`, making it; the digest of what was written."""
    return save_weights(folder, config, network.state_dict())


def load_learned(
    fusion: LearnedName, core: ProductFuser, folder: Path | None = None
) -> LearnedFuser:
    """Read a fuser.

    Args:
        fusion: its name.
        core: what speaks for modalities that it does not read.
        folder: its own, or one that holds a folder of that name; None is what is shipped.

    Raises:
        FusionWeightsError: there is none, or it is another's, or of other labels.
    """
    advice = f"affectstream train fusion --fusion {fusion}"
    folder = folder or LEARNED_WEIGHTS
    folder = folder if (folder / CONFIG_FILE).is_file() else folder / fusion
    try:
        weights = load_weights(folder, LearnedConfig, advice)
    except WeightsError as exc:
        raise FusionWeightsError(f"fusion {fusion!r}: {exc}") from exc
    config = weights.config
    if config.fusion != fusion or config.labels != tuple(EMOTIONS):
        raise FusionWeightsError(
            f"{folder}: weights of {config.fusion!r} for {len(config.labels)} labels "
            f"({', '.join(config.labels)}), but {fusion!r} for the {len(EMOTIONS)} of a "
            f"service was asked for; make them with `{advice}`"
        )
    try:
        network = build(config).double()
        filled(network, weights, folder)
    except (WeightsError, ValueError) as exc:
        raise FusionWeightsError(
            f"fusion {fusion!r}: {exc}; make its weights with `{advice}`"
        ) from exc
    return LearnedFuser(network, core, config.calibration, weights.version)
