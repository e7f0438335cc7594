"""Attention in the three forms that are used here: few over many, over each other, and gated.

Every form takes a mask of what may be read. What is masked is never read: not-a-number behind a
mask changes nothing, and a row in which nothing may be read gives zero.
"""

import math
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

LATENT_SPREAD: Final = 0.02
"""Standard deviation of latents before training, as in Perceiver (Jaegle et al. 2021)."""


class Attended(NamedTuple):
    """What was read, and where from.

    Attributes:
        values: (batch, query, width).
        mass: (batch, head, query, key), sums to 1 over the keys; all 0 where none may be read.
    """

    values: Tensor
    mass: Tensor


class LatentAttention(nn.Module):
    """Few queries over many keys: softmax(Q K^T / sqrt(d) + bias) V with several heads.

    Source: Vaswani et al. 2017, section 3.2. Departure: keys and values are never formed. The
    same products in another order, (Q W_k) X^T and (mass X) W_v, touch each key once, not once
    for every row of W_k and W_v: with 8 queries over 90 keys a fifth of the work. A bias of
    `log w` on a key multiplies its mass by w before normalisation.

    Args:
        width: of queries and answers.
        heads: divides `width`.
        key_width: of what is read, by default `width`.

    Raises:
        ValueError: `heads` does not divide `width`.
    """

    def __init__(self, width: int, heads: int, key_width: int | None = None) -> None:
        super().__init__()
        self.heads, self.head_width = heads, _head_width(width, heads)
        key_width = key_width or width
        self.to_query = nn.Linear(width, width, bias=False)
        self.key_of = nn.Parameter(_spread(heads, self.head_width, key_width, fan_in=key_width))
        self.value_of = nn.Parameter(_spread(heads, key_width, self.head_width, fan_in=key_width))
        self.to_answer = nn.Linear(width, width, bias=False)

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        key_mask: Tensor | None = None,
        key_bias: Tensor | None = None,
    ) -> Attended:
        """Read `keys`, each query by itself.

        Args:
            queries: (batch, query, width), or (1, query, width) where all rows ask the same.
            keys: (batch, key, key width).
            key_mask: (batch, key) bool, True where a key may be read; None reads all.
            key_bias: (batch, key) added to every logit of a key; minus infinity hides it.
        """
        if key_mask is not None:
            keys = keys.masked_fill(~key_mask[..., None], 0.0)
        count, batch = queries.shape[1], len(keys)
        asked = self._by_head(self.to_query(queries), self.key_of).expand(batch, -1, -1, -1)
        asked = asked.reshape(batch, self.heads * count, -1) / math.sqrt(self.head_width)
        logits = torch.bmm(asked, keys.transpose(1, 2))  # (batch, head x query, key)
        mass = masked_softmax(logits, _bias(key_mask, key_bias))
        read = torch.bmm(mass, keys).view(batch, self.heads, count, -1)
        values = torch.bmm(read.transpose(0, 1).flatten(1, 2), self.value_of)
        values = values.permute(1, 0, 2).reshape(batch, count, -1)
        return Attended(self.to_answer(values), mass.view(batch, self.heads, count, -1))

    def _by_head(self, rows: Tensor, weights: Tensor) -> Tensor:
        """(batch, head, row, out) of (batch, row, width) by (head, head width, out)."""
        batch, count, _ = rows.shape
        heads_first = rows.reshape(batch * count, self.heads, -1).transpose(0, 1)
        return torch.bmm(heads_first, weights).view(self.heads, batch, count, -1).transpose(0, 1)


class CrossAttention(nn.Module):
    """softmax(Q K^T / sqrt(d) + bias) V with several heads, for as many queries as there are keys.

    Source: Vaswani et al. 2017, section 3.2. Departure: no biases in the projections, so that a
    row in which no key may be read gives exactly zero.

    Args:
        width: of queries and answers.
        heads: divides `width`.
        key_width: of what is read, by default `width`.

    Raises:
        ValueError: `heads` does not divide `width`.
    """

    def __init__(self, width: int, heads: int, key_width: int | None = None) -> None:
        super().__init__()
        self.heads, self.head_width = heads, _head_width(width, heads)
        self.to_query = nn.Linear(width, width, bias=False)
        self.to_key_value = nn.Linear(key_width or width, 2 * width, bias=False)
        self.to_answer = nn.Linear(width, width, bias=False)

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        key_mask: Tensor | None = None,
        key_bias: Tensor | None = None,
        *,
        causal: bool = False,
    ) -> Tensor:
        """Read `keys`, each query by itself; (batch, query, width).

        Args:
            queries: (batch, query, width).
            keys: (batch, key, key width).
            key_mask: (batch, key) bool, True where a key may be read; None reads all.
            key_bias: (batch, key) added to every logit of a key.
            causal: a query reads the keys up to its own place and none after.
        """
        batch, count, width = queries.shape
        if key_mask is not None:
            keys = keys.masked_fill(~key_mask[..., None], 0.0)
        key, value = self.to_key_value(keys).chunk(2, dim=-1)
        bias = _bias(key_mask, key_bias)
        if causal:
            later = torch.ones(count, keys.shape[1], dtype=torch.bool, device=keys.device).triu(1)
            ahead = torch.zeros_like(later, dtype=queries.dtype).masked_fill(later, -math.inf)
            bias = ahead if bias is None else bias + ahead
        if bias is None:
            read = functional.scaled_dot_product_attention(
                self._heads(self.to_query(queries)), self._heads(key), self._heads(value)
            )
        else:
            bias = bias.expand(batch, count, -1)
            hidden = (bias == -math.inf).all(dim=-1)  # (batch, query): nothing may be read
            read = functional.scaled_dot_product_attention(
                self._heads(self.to_query(queries)),
                self._heads(key),
                self._heads(value),
                attn_mask=bias.masked_fill(hidden[..., None], 0.0)[:, None],
            ).masked_fill(hidden[:, None, :, None], 0.0)
        answer: Tensor = self.to_answer(read.transpose(1, 2).reshape(batch, count, width))
        return answer

    def _heads(self, rows: Tensor) -> Tensor:
        """(batch, head, row, head width) of (batch, row, width)."""
        return rows.view(*rows.shape[:2], self.heads, self.head_width).transpose(1, 2)


class SelfAttention(nn.Module):
    """x + attention(norm x) of rows over each other.

    Source: Vaswani et al. 2017, with the normalisation before (Xiong et al. 2020).

    Args:
        width: of the rows.
        heads: divides `width`.
        causal: a row reads those up to its own place and none after.
    """

    def __init__(self, width: int, heads: int, *, causal: bool = False) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attend = CrossAttention(width, heads)
        self.causal = causal

    def forward(self, rows: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch, row, width), of the same; `mask` (batch, row) is True where one may be read."""
        normed = self.norm(rows)
        answer: Tensor = rows + self.attend(normed, normed, mask, causal=self.causal)
        return answer


class FeedForward(nn.Module):
    """W_2 GELU(W_1 norm x), a row at a time; the caller adds it to x.

    Source: Vaswani et al. 2017, section 3.3. Departures: GELU, the normalisation before.

    Args:
        width: of the rows.
        hidden: of the layer between.
        dropout: share of the hidden layer that is left out in training.
    """

    def __init__(self, width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.narrow = nn.Linear(hidden, width)

    def forward(self, rows: Tensor) -> Tensor:
        """(…, width), of the same."""
        hidden = functional.gelu(self.widen(self.norm(rows)))
        answer: Tensor = self.narrow(self.dropout(hidden))
        return answer


class LatentBlock(nn.Module):
    """Latents read the tokens, think, and speak with each other: one layer of `LatentReader`.

    l = l + LatentAttention(norm l, x); l = l + FeedForward(l); l = SelfAttention(l).
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.read = LatentAttention(width, heads)
        self.think = FeedForward(width, hidden, dropout)
        self.speak = SelfAttention(width, heads)

    def forward(
        self,
        latents: Tensor,
        tokens: Tensor,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Attended:
        """New latents, (batch, latent, width), and the mass with which they read the tokens."""
        read, mass = self.read(self.norm(latents), tokens, mask, bias)
        latents = latents + read
        latents = latents + self.think(latents)
        return Attended(self.speak(latents), mass)


class LatentReader(nn.Module):
    """A fixed number of latents that read any number of tokens: a Perceiver resampler.

    Source: Jaegle et al. 2021 (Perceiver); Alayrac et al. 2022 (Flamingo), section 2.2.
    Departures: latents read the tokens alone, not themselves beside them, so the mass of the
    first layer sums to one over the tokens; latents attend to each other after each reading.

    Args:
        width: of latents and tokens.
        latents: how many.
        layers: blocks, each of which reads the tokens again.
        heads: of every attention; divides `width`.
        hidden: of the feed-forward layers.
        dropout: of the feed-forward layers, in training.
    """

    def __init__(
        self,
        width: int,
        *,
        latents: int = 8,
        layers: int = 2,
        heads: int = 4,
        hidden: int = 512,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.empty(latents, width).normal_(std=LATENT_SPREAD))
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(
            LatentBlock(width, heads, hidden, dropout) for _ in range(layers)
        )
        self.norm_out = nn.LayerNorm(width)

    def forward(
        self, tokens: Tensor, mask: Tensor | None = None, bias: Tensor | None = None
    ) -> Attended:
        """Read the tokens.

        The queries of the first layer are parameters, so a token's mass there depends on the
        other tokens only by the normalisation: it never falls when its own bias rises.

        Args:
            tokens: (batch, token, width).
            mask: (batch, token) bool, True where a token may be read; None reads all.
            bias: (batch, token) added to the logits of each token in every layer.

        Returns:
            Latents, (batch, latent, width), and the mass of the first layer,
            (batch, head, latent, token).
        """
        if mask is not None:
            tokens = tokens.masked_fill(~mask[..., None], 0.0)
        tokens = self.norm(tokens)
        latents = self.latents[None]  # the first layer asks the same of every row
        masses = []
        for block in self.blocks:
            latents, mass = block(latents, tokens, mask, bias)
            masses.append(mass)
        return Attended(self.norm_out(latents), masses[0])


class GatedCrossAttention(nn.Module):
    """y = x + tanh(a) attention(norm x, latents); y = y + tanh(b) feed-forward(y); a = b = 0.

    Source: Alayrac et al. 2022 (Flamingo), section 2.2 and figure 4. With both gates closed, as
    they start, the answer is x to the bit: a frozen decoder says what it said before.

    Args:
        width: of the rows that ask.
        heads: divides `width`.
        key_width: of what is read, by default `width`.
        hidden: of the feed-forward layer, by default four times `width`.
    """

    def __init__(
        self, width: int, heads: int, key_width: int | None = None, hidden: int | None = None
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attend = CrossAttention(width, heads, key_width)
        self.think = FeedForward(width, hidden or 4 * width)
        self.attention_gate = nn.Parameter(torch.zeros(()))
        self.thought_gate = nn.Parameter(torch.zeros(()))

    def forward(self, rows: Tensor, read: Tensor, read_mask: Tensor | None = None) -> Tensor:
        """(batch, row, width), of the same.

        Args:
            rows: (batch, row, width), those that ask.
            read: (batch, key, key width), what they read.
            read_mask: (batch, key) bool, True where one may be read; None reads all.
        """
        rows = rows + self.attention_gate.tanh() * self.attend(self.norm(rows), read, read_mask)
        answer: Tensor = rows + self.thought_gate.tanh() * self.think(rows)
        return answer


def masked_softmax(logits: Tensor, bias: Tensor | None) -> Tensor:
    """Softmax over the last axis of logits + bias; 0 where all of it is minus infinity."""
    if bias is None:
        return logits.softmax(dim=-1)
    biased = logits + bias
    hidden = biased == -math.inf
    mass = biased.masked_fill(hidden.all(dim=-1, keepdim=True), 0.0).softmax(dim=-1)
    return mass.masked_fill(hidden, 0.0)


def _bias(mask: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """(batch, 1, key): `bias`, minus infinity behind the mask; None where there is neither."""
    if mask is None:
        return None if bias is None else bias[:, None]
    start = torch.zeros(mask.shape, device=mask.device) if bias is None else bias
    return start.masked_fill(~mask, -math.inf)[:, None]


def _head_width(width: int, heads: int) -> int:
    if width % heads:
        raise ValueError(f"{heads} heads do not divide a width of {width}")
    return width // heads


def _spread(*shape: int, fan_in: int) -> Tensor:
    """Uniform with the bounds of `nn.Linear`: 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    return torch.empty(*shape).uniform_(-bound, bound)
