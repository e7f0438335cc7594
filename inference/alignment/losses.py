"""What pulls together in the shared space, and what pushes apart.

Every loss is a mean over those rows that take part in it, and 0 where none does: a batch
without a pair teaches nothing, it does not fail.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

LOWEST_TEMPERATURE: Final = 0.01
HIGHEST_TEMPERATURE: Final = 0.5
FIRST_TEMPERATURE: Final = 0.07
"""Where Radford et al. 2021 begin, too."""
ORTHOGONALITY: Final = 0.01
"""Weight of the private half's being at right angles to the shared one."""


class Temperature(nn.Module):
    """A learnt temperature that stays in [`LOWEST_TEMPERATURE`, `HIGHEST_TEMPERATURE`].

    Source: Radford et al. 2021 (CLIP), section 2.5, learn the logarithm of its inverse and clip
    that at 100. Departure: a logistic curve between the bounds in place of the clip, so that the
    gradient never ends at one of them.
    """

    def __init__(self, first: float = FIRST_TEMPERATURE) -> None:
        super().__init__()
        share = (first - LOWEST_TEMPERATURE) / (HIGHEST_TEMPERATURE - LOWEST_TEMPERATURE)
        self.place = nn.Parameter(torch.logit(torch.tensor(share)))

    def forward(self) -> Tensor:
        """() the temperature."""
        span = HIGHEST_TEMPERATURE - LOWEST_TEMPERATURE
        return LOWEST_TEMPERATURE + span * torch.sigmoid(self.place)


def window_caption_loss(
    windows: Tensor, captions: Tensor, holds: Tensor, temperature: Tensor
) -> Tensor:
    """Symmetric InfoNCE between windows and captions.

    L = 1/2 [CE(v e^T / t) + CE(e v^T / t)], each row's target even over its positives.

    Source: Radford et al. 2021 (CLIP), figure 3. Departure: captions are made from few words, so
    that one holds of several windows of a batch, above all where two are equal; all of them are
    positives (the average outside the logarithm of Khosla et al. 2020, equation 2).

    Args:
        windows: (batch, dim) unit rows.
        captions: (batch, dim) unit rows; row i describes window i.
        holds: (window, caption) bool, true on the diagonal: of which windows a caption holds.
        temperature: ().
    """
    logits = windows @ captions.T / temperature  # (window, caption)
    targets = holds.to(logits.dtype)
    forth = functional.cross_entropy(logits, targets / targets.sum(1, keepdim=True))
    back = functional.cross_entropy(logits.T, targets.T / targets.T.sum(1, keepdim=True))
    return (forth + back) / 2


def between_modalities_loss(
    parts: Tensor, present: Tensor, temperature: Tensor, labels: Tensor | None = None
) -> Tensor:
    """NT-Xent between the modalities of a window, with missing pairs masked.

    L_i = - mean over positives p of log exp(z_i z_p / t) / sum over k != i of exp(z_i z_k / t).

    Source: Chen et al. 2020 (SimCLR), equation 1; with `labels` the supervised form of Khosla et
    al. 2020 (SupCon), equation 2. Departures: the views are modalities, of which any may be
    missing; an absent row is neither anchor, positive nor negative.

    Args:
        parts: (batch, modality, dim) unit rows, anything where absent.
        present: (batch, modality) bool.
        temperature: ().
        labels: (batch,) long; with them all present rows of the same label are positives.
    """
    batch, modalities, dim = parts.shape
    there = present.reshape(-1)  # (batch * modality,)
    rows = parts.reshape(-1, dim)[there]  # (rows, dim)
    owners = torch.arange(batch).repeat_interleave(modalities)[there]
    groups = owners if labels is None else labels[owners]
    others = ~torch.eye(len(rows), dtype=torch.bool)
    positives = (groups[:, None] == groups[None, :]) & others
    anchors = positives.any(1)
    if not anchors.any():
        return parts.new_zeros(())
    logits = (rows @ rows.T / temperature).masked_fill(~others, float("-inf"))
    log_shares = logits - logits.logsumexp(1, keepdim=True)
    kept = positives[anchors].to(rows.dtype)
    pulled = log_shares[anchors].masked_fill(~positives[anchors], 0.0).sum(1)
    return -(pulled / kept.sum(1)).mean()


def symmetric_loss(shared: Tensor, present: Tensor, conflict: Tensor) -> Tensor:
    """Agreement of the shared halves of each present pair of modalities.

    L = (1 - conflict) 1/2 [KL(p_a || sg p_b) + KL(p_b || sg p_a)], p the softmax of a half.

    Source: the symmetric regularisation of deep mutual learning (Zhang et al. 2018, equation 5).
    Departures: neither side pulls its teacher (sg: no gradient), only the shared half takes part,
    and voices and words that disagree are pulled less: else sarcasm would be taught away.

    Args:
        shared: (batch, modality, half) of the projections, before they are made unit rows.
        present: (batch, modality) bool.
        conflict: (batch,) in [0, 1]: how far the experts contradict each other.
    """
    log_p = shared.log_softmax(-1)
    total, weight = shared.new_zeros(()), shared.new_zeros(())
    modalities = shared.shape[1]
    for one in range(modalities):
        for other in range(one + 1, modalities):
            both = present[:, one] & present[:, other]
            if not both.any():
                continue
            a, b = log_p[both, one], log_p[both, other]
            mutual = (_divergence(a, b.detach()) + _divergence(b, a.detach())) / 2
            total = total + ((1 - conflict[both]) * mutual).sum()
            weight = weight + both.sum()
    return total / weight.clamp(min=1)


def private_loss(shared: Tensor, private: Tensor, present: Tensor) -> Tensor:
    """The private half at right angles to the shared one: ||S^T P||_F^2 / n^2, times .01.

    Source: the difference loss of Bousmalis et al. 2016 (domain separation networks), equation
    5. Departure: divided by the square of the rows, so that a batch's size does not matter.

    Args:
        shared: (batch, modality, half).
        private: (batch, modality, half).
        present: (batch, modality) bool.
    """
    total = shared.new_zeros(())
    for modality in range(shared.shape[1]):
        there = present[:, modality]
        count = int(there.sum())
        if count:
            cross = shared[there, modality].T @ private[there, modality]  # (half, half)
            total = total + cross.square().sum() / count**2
    return ORTHOGONALITY * total


def invariance_loss(clean: Tensor, degraded: Tensor) -> Tensor:
    """1 - cos(sg z(x), z(degraded x)): what a bad line gives moves to what was said into it.

    Source: the stop of the gradient is that of Chen and He 2021 (SimSiam). Departure: no
    predictor, since the contrastive losses keep the space from falling together.

    Args:
        clean: (rows, dim).
        degraded: (rows, dim).
    """
    if not len(clean):
        return clean.new_zeros(())
    return (1 - functional.cosine_similarity(clean.detach(), degraded, dim=-1)).mean()


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """(rows,) KL(p || q), natural log."""
    return (log_p.exp() * (log_p - log_q)).sum(-1)
