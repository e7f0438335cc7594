"""Which words moved a network: integrated gradients from a text whose words are nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference.experts.huggingface.labels import LabelMap
from inference.experts.huggingface.network import Network
from inference.labels import DISTRESS, NOT_DISTRESS, Emotion

STEPS: Final = 16
"""Points on the way; the shares of a sentence then sum to its score within some hundredths."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WordAttribution:
    """Explains one network by its gradients.

    Source: Sundararajan, Taly and Yan 2017 (integrated gradients, eq. 3, midpoint rule).
    Departure: from embeddings that are zero for the words and what they are for special tokens,
    so that the shares of the words sum to what the words changed.

    Attributes:
        tokenizer: a fast one: it knows which characters a token covers.
        most_tokens: of a longer text the newest are read.
    """

    network: Network
    label_map: LabelMap
    tokenizer: Any
    most_tokens: int

    def shares(self, words: Sequence[str], label: Emotion | None) -> Floats:
        """(words,) how far each word moved `label`, None: distress; 0 for words not read.

        In the network's own log-odds of the label's columns against all others.
        """
        text = " ".join(words)
        inputs = dict(
            self.tokenizer(
                text,
                return_tensors="pt",
                truncation=True,
                max_length=self.most_tokens,
                return_offsets_mapping=True,
            )
        )
        spans = inputs.pop("offset_mapping")[0].tolist()
        ends = np.cumsum([len(word) + 1 for word in words])
        moved = self._moved(inputs, np.array([end > start for start, end in spans]), label)
        found = np.zeros(len(words))
        for (start, end), share in zip(spans, moved, strict=True):
            if end > start:  # the space before a word may belong to its token
                found[min(int(np.searchsorted(ends, end - 1, side="right")), len(words) - 1)] += (
                    share
                )
        return found

    def _moved(
        self, inputs: dict[str, Any], is_word: NDArray[np.bool_], label: Emotion | None
    ) -> Floats:
        """(tokens,) integrated gradients, summed over the embedding."""
        device, model = self.network.device, self.network.model
        there = torch.from_numpy(is_word).to(device)[None, :, None]
        whole = model.get_input_embeddings()(inputs.pop("input_ids").to(device)).detach()
        nothing = torch.where(there, torch.zeros_like(whole), whole)
        along = (torch.arange(STEPS, device=device) + 0.5)[:, None, None] / STEPS
        with torch.enable_grad():
            points = (nothing + along * (whole - nothing)).requires_grad_()
            rest = {name: value.to(device).expand(STEPS, -1) for name, value in inputs.items()}
            logits = model(inputs_embeds=points, **rest).logits  # (steps, logits)
            (slope,) = torch.autograd.grad(self._target(logits, label).sum(), points)
        moved: Floats = (slope.mean(dim=0) * (whole - nothing)[0]).sum(dim=-1).cpu().numpy()
        return moved.astype(np.float64)

    def _target(self, logits: torch.Tensor, label: Emotion | None) -> torch.Tensor:
        """(steps,) log-odds of the columns of `label`, or of distress, against the others."""
        pro = DISTRESS if label is None else {label}
        contra = NOT_DISTRESS if label is None else set(self.label_map.emotions) - {label}
        sides = [
            [
                column
                for emotion, columns in zip(
                    self.label_map.emotions, self.label_map.columns, strict=True
                )
                if emotion in side
                for column in columns
            ]
            for side in (pro, contra)
        ]
        for_it, against = (logits[:, side].logsumexp(dim=-1) for side in sides)
        return for_it - against
