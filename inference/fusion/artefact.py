"""What fusion has learnt, as it is shipped: thresholds, temperatures, slopes of quality."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self, cast, get_args

import msgspec

from inference.calibration.patterns import PatternCalibration
from inference.fusion.adaptive import AdaptiveWeighting, QualitySlopes
from inference.fusion.contract import Fuser
from inference.fusion.errors import FusionWeightsError
from inference.fusion.late import LateWeighting
from inference.fusion.learned_artefact import LearnedName, load_learned
from inference.fusion.prior import DEFAULT_PRIOR, DeploymentPrior
from inference.fusion.product_fuser import ProductFuser, Weighting
from inference.labels import Modality

WEIGHTS: Final = Path(__file__).parent.parent / "weights" / "fusion"
FILE: Final = "fusion.json"
FusionName = Literal["late", "adaptive", "feature", "attention", "hybrid", "evidential"]
"""Ways of fusing; the first two are products, the others are learned."""
ProductName = Literal["late", "adaptive"]


class FusionArtefact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `affectstream train calibration` writes.

    Attributes:
        experts: versions of the experts on whose held-out predictions it was fitted.
        training: seed, counts and library versions.
    """

    name: str
    version: int
    calibration: PatternCalibration
    slopes: dict[Modality, QualitySlopes]
    data: str
    licence: str
    experts: dict[str, str]
    training: dict[str, Any]

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read `folder`, by default the shipped one. Raises FusionWeightsError."""
        path = (folder or WEIGHTS) / FILE
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError) as exc:
            raise FusionWeightsError(
                f"{path}: no usable calibration of fusion ({exc}); make it with "
                "`affectstream train calibration`"
            ) from exc

    def save(self, folder: Path) -> None:
        """Write it into `folder`, making it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_bytes(self._encoded())

    @property
    def digest(self) -> str:
        """First 8 hex digits of the SHA-256 of the file."""
        return hashlib.sha256(self._encoded()).hexdigest()[:8]

    def fuser(self, fusion: ProductName, prior: DeploymentPrior = DEFAULT_PRIOR) -> ProductFuser:
        """The product of that name with these figures."""
        weigh: Weighting = (
            AdaptiveWeighting(self.slopes) if fusion == "adaptive" else LateWeighting()
        )
        return ProductFuser(
            weigh, prior, self.calibration, f"{fusion}-{self.version}+{self.digest}"
        )

    def _encoded(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


@dataclass(frozen=True, slots=True)
class Fusers:
    """Which fuser scores whose conversations."""

    default: Fuser
    by_tenant: Mapping[str, Fuser] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        fusion: FusionName = "late",
        by_tenant: Mapping[str, FusionName] | None = None,
        prior: DeploymentPrior = DEFAULT_PRIOR,
        folder: Path | None = None,
        learned: Path | None = None,
    ) -> Self:
        """Fusers by name.

        Args:
            fusion: of whoever is not named in `by_tenant`.
            by_tenant: of some tenants.
            prior: of the deployment.
            folder: calibration of the product; None is the shipped one.
            learned: weights of learned fusion: of one way, or a folder of each; None is what is
                shipped.

        Raises:
            FusionWeightsError: a folder holds nothing usable.
        """
        artefact = FusionArtefact.load(folder)
        opened = {
            name: _open(name, artefact, prior, learned)
            for name in {fusion, *(by_tenant or {}).values()}
        }
        return cls(
            opened[fusion], {tenant: opened[name] for tenant, name in (by_tenant or {}).items()}
        )

    def of(self, tenant: str) -> Fuser:
        """The tenant's own, or the default."""
        return self.by_tenant.get(tenant, self.default)


def _open(
    name: FusionName, artefact: FusionArtefact, prior: DeploymentPrior, learned: Path | None
) -> Fuser:
    if name in get_args(ProductName):
        return artefact.fuser(cast("ProductName", name), prior)
    return load_learned(cast("LearnedName", name), artefact.fuser("late", prior), learned)


UNCALIBRATED: Final = Fusers(ProductFuser(LateWeighting()))
"""Late fusion with nothing fitted: every set holds every label."""
