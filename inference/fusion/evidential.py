"""`evidential`: each modality holds a Dirichlet, and Dempster's rule combines them."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.fusion.batch import FusionBatch
from inference.fusion.network import FusionNetwork, Said
from inference.fusion.reading import Reading


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """Subjective opinions: belief in each label, the rest of 1 being uncertainty.

    Attributes:
        alpha: (batch, modality, label) Dirichlet of each modality before it is discounted; all
            1 where it is absent.
        belief: (batch, label) after the combination.
        uncertainty: (batch, 1) what belief leaves of 1, above 0.
    """

    alpha: Tensor
    belief: Tensor
    uncertainty: Tensor

    @property
    def combined_alpha(self) -> Tensor:
        """(batch, label) Dirichlet of the combination: 1 + C b / u."""
        labels = self.belief.shape[-1]
        return 1.0 + labels * self.belief / self.uncertainty


class EvidentialNetwork(FusionNetwork):
    """Evidence of a modality, trust, Dempster's reduced rule, and the prior as base rate.

    1. e_mc = relu(softplus(a_mc s_mc + b_mc) - softplus(b_mc)) with a > 0: no support, no
       evidence. alpha = e + 1, S = C + sum of e, belief e / S, uncertainty C / S.
    2. Trust t = min(w, 1): belief t b, the rest uncertainty (Josang 2016, section 14.3).
    3. b_c u-products over modalities: M_c = prod(b_mc + u_m) - prod(u_m), N = prod(u_m), both
       over their sum; the same as Dempster's reduced rule of two at a time.
    4. p_c = b_c + prior_c u (Josang 2016, section 3.5), so s = log prior + log(p / prior).

    Source: Sensoy et al. 2018 (EDL), Han et al. 2021 (TMC), def. 4. Departures: evidence comes
    from calibrated support, not from features, so a vacuous modality has none; trust before the
    combination; the deployment prior in place of an even base rate; the closed form of step 3,
    in which no order of modalities exists. Distress and shares are those of the product, and so
    is vacuity: the rule's own was measured to be too sure.
    """

    distress_of_core: ClassVar[bool] = True

    def __init__(self, readings: tuple[Reading, ...], labels: int) -> None:
        super().__init__(readings, labels)
        shape = (len(self.readings), labels)
        self.raw_slope = nn.Parameter(torch.full(shape, 1.0))
        self.bias = nn.Parameter(torch.zeros(shape))

    def opinions(self, batch: FusionBatch) -> Opinions:
        """What each modality holds and what they hold together; see the class."""
        batch = batch.masked()
        slope = functional.softplus(self.raw_slope)
        rest = functional.softplus(self.bias)
        evidence = functional.relu(functional.softplus(slope * batch.support + self.bias) - rest)
        strength = evidence.sum(dim=-1, keepdim=True) + self.labels
        trust = batch.weight.clamp(max=1.0)[..., None]
        belief = trust * evidence / strength  # (batch, modality, label)
        uncertainty = 1.0 - trust * (1.0 - self.labels / strength)  # (batch, modality, 1)
        nobody = uncertainty.prod(dim=1)  # (batch, 1)
        agreed = (belief + uncertainty).prod(dim=1) - nobody  # (batch, label)
        total = agreed.sum(dim=-1, keepdim=True) + nobody
        return Opinions(evidence + 1.0, agreed / total, nobody / total)

    def say(self, batch: FusionBatch) -> Said:
        """See `FusionNetwork`."""
        opinions = self.opinions(batch)
        prior = batch.log_prior.exp()
        probs = opinions.belief + prior * opinions.uncertainty
        added = (probs / prior).log()
        _, core_distress = batch.core()
        nothing = torch.zeros_like(core_distress)
        return Said(
            added=added,
            added_distress=nothing,
            core=torch.zeros_like(added),
            core_distress=core_distress,
            shares=None,
            z=batch.support.new_zeros(*batch.present.shape, 0),
            hidden=batch.support.new_zeros(len(batch), 0),
        )
