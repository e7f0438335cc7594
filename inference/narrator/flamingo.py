"""A causal decoder that reads evidence through gated cross-attention, after Flamingo.

Rows of evidence -> an encoder for each kind -> 16 latents (Perceiver resampler) -> gated
cross-attention before some blocks of a causal decoder. L = - sum_t log p(w_t | w_<t, evidence).
Source: Alayrac et al. 2022. Departures: records instead of pictures, one record a text, no
interleaving; the decoder is any stack of blocks, our own or somebody else's, whose own
parameters are not touched. The small decoder also hears each item it cites at the very place
where it cites it: 16 latents need not carry every item whole.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.narrator import evidence_tokens as rows
from inference.narrator.evidence_tokens import EvidenceRows
from inference.narrator.incident import MOST_CUES, MOST_FIGURES, MOST_SPANS, MOST_WINDOWS
from inference.networks.attention import (
    FeedForward,
    GatedCrossAttention,
    LatentReader,
    SelfAttention,
)

LATENTS: Final = 16
WIDTH: Final = 256
"""Of evidence and latents."""
HEADS: Final = 4
SPREAD: Final = 0.02
UNLEARNT: Final = -100


class Heard(NamedTuple):
    """The evidence of a batch of records."""

    latents: Tensor
    """(batch, latent, width)"""
    tokens: Tensor
    """(batch, 1 + 64, width)"""


class Decoder(Protocol):
    """A causal language model, as a stack of blocks that take hidden states first."""

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """In the order in which they are called."""
        ...

    @property
    def width(self) -> int:
        """Of the hidden states."""
        ...

    def logits(self, pieces: Tensor) -> Tensor:
        """(batch, place, vocabulary) of (batch, place) int64; a place reads none after it."""
        ...


class TextDecoder(nn.Module):
    """The small decoder: learned places, pre-normalised blocks, tied input and output.

    Source: Radford et al. 2019, sections 2.1-2.3.
    """

    def __init__(self, vocabulary: int, *, width: int, layers: int, hidden: int, most: int) -> None:
        super().__init__()
        self.width = width
        self.pieces = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(most, width)
        self.blocks: Any = nn.ModuleList(_Block(width, hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for table in (self.pieces, self.places):
            nn.init.normal_(table.weight, std=SPREAD)

    def logits(self, pieces: Tensor) -> Tensor:
        """As `Decoder` says; at most as many places as there are."""
        hidden = self.pieces(pieces) + self.places.weight[: pieces.shape[1]]
        for block in self.blocks:
            hidden = block(hidden)
        return functional.linear(self.norm(hidden), self.pieces.weight)


class _Block(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.attend = SelfAttention(width, HEADS, causal=True)
        self.think = FeedForward(width, hidden)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.attend(hidden)
        answer: Tensor = hidden + self.think(hidden)
        return answer


class EvidenceEncoder(nn.Module):
    """Rows of every kind as tokens of one width, each with its place.

    Windows also read each other: what one is depends on those around it.

    Args:
        vocabulary: of the pieces in which transcripts come.
        width: of the tokens.
    """

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.record = _kind(rows.RECORD_WIDTH, width)
        self.windows = _kind(rows.WINDOW_WIDTH, width)
        self.cues = _kind(rows.CUE_WIDTH, width)
        self.spans = _kind(rows.SPAN_WIDTH + width // 4, width)
        self.figures = _kind(rows.FIGURE_WIDTH, width)
        self.words = nn.EmbeddingBag(vocabulary + 1, width // 4, mode="mean", padding_idx=0)
        self.around = SelfAttention(width, HEADS)
        self.places = nn.ParameterDict(
            {
                kind: nn.Parameter(torch.empty(most, width).normal_(std=1.0))
                for kind, most in (
                    ("windows", MOST_WINDOWS),
                    ("cues", MOST_CUES),
                    ("spans", MOST_SPANS),
                    ("figures", MOST_FIGURES),
                )
            }
        )

    def forward(self, batch: EvidenceRows) -> tuple[Tensor, Tensor]:
        """Tokens (batch, 1 + 64, width): the record, then a place for each item it may hold.

        And their mask, (batch, 1 + 64); tokens behind it are zero.
        """
        windows = self._placed("windows", self.windows(batch.windows))
        windows = self.around(windows, batch.window_mask) if windows.shape[1] else windows
        spans = torch.cat([batch.spans, self._words(batch.span_pieces)], dim=-1)
        here = torch.ones(len(batch.record), 1, dtype=torch.bool, device=batch.record.device)
        kinds = (
            (self.record(batch.record)[:, None], here, 1),
            (windows, batch.window_mask, MOST_WINDOWS),
            (self._placed("cues", self.cues(batch.cues)), batch.cue_mask, MOST_CUES),
            (self._placed("spans", self.spans(spans)), batch.span_mask, MOST_SPANS),
            (self._placed("figures", self.figures(batch.figures)), batch.figure_mask, MOST_FIGURES),
        )
        tokens = [functional.pad(some, (0, 0, 0, most - some.shape[1])) for some, _, most in kinds]
        masks = [functional.pad(mask, (0, most - mask.shape[1])) for _, mask, most in kinds]
        mask = torch.cat(masks, dim=1)
        return torch.cat(tokens, dim=1).masked_fill(~mask[..., None], 0.0), mask

    def _placed(self, kind: str, tokens: Tensor) -> Tensor:
        placed: Tensor = tokens + self.places[kind][: tokens.shape[1]]
        return placed

    def _words(self, pieces: Tensor) -> Tensor:
        """(batch, span, width / 4), the mean over each span's pieces."""
        batch, spans, most = pieces.shape
        bags: Tensor = self.words((pieces + 1).reshape(-1, most))
        return bags.view(batch, spans, self.words.embedding_dim)


class Flamingo(nn.Module):
    """Evidence into text: encoder, resampler, and a decoder that asks them at every few blocks.

    Args:
        decoder: kept outside of this module's own parameters where it is frozen.
        vocabulary: of the pieces in which transcripts come.
        every: cross-attention goes before the last of so many blocks each.
        hidden: of the layers that are added.
        width: of evidence and latents.
        cites: for each piece of the vocabulary which token of evidence it stands for, or -1; the
            decoder then hears what it cites where it cites it. None for a vocabulary without
            pieces of its own for places.
        gates: what they begin at. 0 leaves the decoder as it is, and opens slowly; a decoder
            that begins at random has nothing to lose by more.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        vocabulary: int,
        every: int,
        hidden: int,
        width: int = WIDTH,
        cites: Sequence[int] | None = None,
        gates: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = EvidenceEncoder(vocabulary, width)
        self.reader = LatentReader(width, latents=LATENTS, layers=1, heads=HEADS, hidden=hidden)
        asked = [place for place in range(len(decoder.blocks)) if place % every == every - 1]
        self.asking = nn.ModuleList(
            GatedCrossAttention(decoder.width, HEADS, width, hidden) for _ in asked
        )
        for name, parameter in self.asking.named_parameters():
            if name.endswith("_gate"):
                nn.init.constant_(parameter, gates)
        self.citing = None if cites is None else nn.Linear(width, decoder.width, bias=False)
        self._cites: Tensor
        self.register_buffer(
            "_cites", None if cites is None else torch.tensor(cites), persistent=False
        )
        self._decoder = (decoder,)  # in a tuple: a frozen one is no part of what is trained
        self._heard: Heard | None = None
        self._cited: Tensor | None = None
        decoder.blocks[0].register_forward_pre_hook(
            lambda _, args, kwargs: self._before(self._with_cited, args, kwargs), with_kwargs=True
        )
        for place, asking in zip(asked, self.asking, strict=True):
            decoder.blocks[place].register_forward_pre_hook(
                lambda _, args, kwargs, asking=asking: self._before(asking, args, kwargs),
                with_kwargs=True,
            )

    @property
    def decoder(self) -> Decoder:
        """Which reads through this."""
        return self._decoder[0]

    def hear(self, batch: EvidenceRows) -> Heard:
        """The evidence of each record, encoded once for a whole text."""
        tokens, mask = self.encoder(batch)
        return Heard(self.reader(tokens, mask).values, tokens)

    def logits(self, pieces: Tensor, heard: Heard) -> Tensor:
        """Of the decoder, reading; outside of this call it is what it was before.

        Args:
            pieces: (batch, place) int64.
            heard: of the same records.

        Returns:
            (batch, place, vocabulary).
        """
        self._heard, self._cited = heard, self._what_is_cited(pieces, heard)
        try:
            return self.decoder.logits(pieces)
        finally:
            self._heard = self._cited = None

    def loss(self, batch: EvidenceRows, pieces: Tensor, mask: Tensor) -> Tensor:
        """Mean of - log p of every piece after the first, given those before it and the evidence.

        Args:
            batch: of records.
            pieces: (batch, place) int64.
            mask: (batch, place) bool, False behind the end of a text.
        """
        logits = self.logits(pieces[:, :-1], self.hear(batch))
        targets = pieces[:, 1:].masked_fill(~mask[:, 1:], UNLEARNT)
        return functional.cross_entropy(
            logits.flatten(0, 1).float(), targets.flatten(), ignore_index=UNLEARNT
        )

    def _what_is_cited(self, pieces: Tensor, heard: Heard) -> Tensor | None:
        """(batch, place, decoder width): the evidence a piece stands for, zero for most."""
        if self.citing is None:
            return None
        places = self._cites[pieces]  # (batch, place)
        told: Tensor = self.citing(heard.tokens)
        rows = places.clamp(min=0)[..., None].expand(-1, -1, told.shape[-1])
        return told.gather(1, rows).masked_fill((places < 0)[..., None], 0.0)

    def _with_cited(self, hidden: Tensor, latents: Tensor) -> Tensor:
        del latents
        return hidden if self._cited is None else hidden + self._cited

    def _before(
        self,
        change: Callable[[Tensor, Tensor], Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """A block's arguments with other hidden states, in the place where they came."""
        if self._heard is None:
            return None
        if args:
            return (change(args[0], self._heard.latents), *args[1:]), kwargs
        return args, {
            **kwargs,
            "hidden_states": change(kwargs["hidden_states"], self._heard.latents),
        }


@torch.no_grad()
def greedy(
    model: Flamingo, batch: EvidenceRows, *, begin: int, finish: int, most: int
) -> list[list[int]]:
    """The likeliest next piece, again and again; for each record, up to `finish` or `most`.

    Texts are short, so what was written is read again for each piece: no cache.
    """
    heard = model.hear(batch)
    written = torch.full((len(heard.latents), 1), begin, device=heard.latents.device)
    done = torch.zeros(len(written), dtype=torch.bool, device=written.device)
    while written.shape[1] < most and not done.all():
        following = model.logits(written, heard)[:, -1].argmax(dim=-1)
        written = torch.cat([written, following[:, None]], dim=1)
        done |= following == finish
    texts = [row.tolist() for row in written[:, 1:]]
    return [text[: text.index(finish)] if finish in text else text for text in texts]


def _kind(features: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, width), nn.GELU(), nn.Linear(width, width))
