"""Attention: the forms agree with the formula, and a mask hides for good."""

import math

import pytest
import torch
from torch import Tensor

from inference.networks.attention import (
    CrossAttention,
    GatedCrossAttention,
    LatentAttention,
    LatentReader,
    SelfAttention,
)

pytestmark = pytest.mark.unit
BATCH, QUERIES, KEYS, WIDTH, KEY_WIDTH, HEADS = 3, 4, 9, 16, 10, 2


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def mask() -> Tensor:
    """The last row may read nothing."""
    found = torch.rand(BATCH, KEYS, generator=torch.Generator().manual_seed(1)) < 0.6
    found[:, 0], found[-1] = True, False
    return found


def by_formula(
    query: Tensor, key: Tensor, value: Tensor, hidden: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """softmax(Q K^T / sqrt(d) + bias) V of (batch, head, row, head width), and the mass."""
    logits = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias[:, None, None]
    mass = logits.masked_fill(hidden[:, None, None], -math.inf).softmax(-1).nan_to_num()
    return mass @ value, mass


def split(rows: Tensor) -> Tensor:
    return rows.view(BATCH, -1, HEADS, WIDTH // HEADS).transpose(1, 2)


def test_latent_attention_is_the_formula_in_another_order() -> None:
    attend = LatentAttention(WIDTH, HEADS, KEY_WIDTH)
    queries, keys, bias = (
        normal(BATCH, QUERIES, WIDTH),
        normal(BATCH, KEYS, KEY_WIDTH),
        mask() * 0.5,
    )
    key = torch.einsum("bkw,hdw->bhkd", keys, attend.key_of)
    value = torch.einsum("bkw,hwd->bhkd", keys, attend.value_of)
    read, mass = by_formula(split(attend.to_query(queries)), key, value, ~mask(), bias)
    expected = attend.to_answer(read.transpose(1, 2).reshape(BATCH, QUERIES, WIDTH))
    found = attend(queries, keys, mask(), bias)
    torch.testing.assert_close(found.values, expected)
    torch.testing.assert_close(found.mass, mass)


def test_latent_attention_asks_every_row_the_same_with_one_row_of_queries() -> None:
    attend = LatentAttention(WIDTH, HEADS)
    queries, keys = normal(1, QUERIES, WIDTH), normal(BATCH, KEYS, WIDTH)
    torch.testing.assert_close(
        attend(queries, keys).values, attend(queries.expand(BATCH, -1, -1), keys).values
    )


def test_cross_attention_is_the_formula() -> None:
    attend = CrossAttention(WIDTH, HEADS, KEY_WIDTH)
    queries, keys, bias = (
        normal(BATCH, QUERIES, WIDTH),
        normal(BATCH, KEYS, KEY_WIDTH),
        mask() * 0.5,
    )
    key, value = attend.to_key_value(keys).chunk(2, dim=-1)
    read, _ = by_formula(split(attend.to_query(queries)), split(key), split(value), ~mask(), bias)
    expected = attend.to_answer(read.transpose(1, 2).reshape(BATCH, QUERIES, WIDTH))
    torch.testing.assert_close(attend(queries, keys, mask(), bias), expected)


@pytest.mark.parametrize("form", [LatentAttention, CrossAttention])
def test_what_a_mask_hides_is_never_read(
    form: type[LatentAttention] | type[CrossAttention],
) -> None:
    attend = form(WIDTH, HEADS)
    queries, keys = normal(BATCH, QUERIES, WIDTH), normal(BATCH, KEYS, WIDTH)
    poisoned = keys.masked_fill(~mask()[..., None], math.nan)
    found = attend(queries, poisoned, mask())
    answer = found if isinstance(found, Tensor) else found.values
    clean = attend(queries, keys, mask())
    assert torch.equal(answer, clean if isinstance(clean, Tensor) else clean.values)
    assert (answer[-1] == 0).all()  # nothing may be read there


def test_a_causal_row_knows_nothing_of_later_ones() -> None:
    attend = SelfAttention(WIDTH, HEADS, causal=True)
    rows = normal(BATCH, KEYS, WIDTH)
    later = rows.clone()
    later[:, 5:] += 1.0
    torch.testing.assert_close(attend(later)[:, :5], attend(rows)[:, :5])
    assert not torch.allclose(attend(later)[:, 5:], attend(rows)[:, 5:])
    everything = torch.ones(BATCH, KEYS, dtype=torch.bool)
    torch.testing.assert_close(attend(rows, everything), attend(rows))


def test_the_closed_gates_of_flamingo_let_nothing_through() -> None:
    block = GatedCrossAttention(WIDTH, HEADS, KEY_WIDTH)
    rows, read = normal(BATCH, QUERIES, WIDTH), normal(BATCH, KEYS, KEY_WIDTH)
    assert torch.equal(block(rows, read, mask()), rows)
    with torch.no_grad():
        block.attention_gate.fill_(1.0)
    assert not torch.allclose(block(rows, read, mask()), rows)


def test_a_token_whose_bias_rises_is_never_read_less_by_the_first_layer() -> None:
    reader = LatentReader(WIDTH, latents=QUERIES, layers=2, heads=HEADS, hidden=8)
    tokens, bias = normal(BATCH, KEYS, WIDTH), normal(BATCH, KEYS)
    raised = bias.clone()
    raised[:, 2] += 0.7
    low, high = (reader(tokens, None, one).mass[..., 2] for one in (bias, raised))
    assert (high > low).all()
    assert reader(tokens, mask()).values.shape == (BATCH, QUERIES, WIDTH)


@pytest.mark.parametrize("form", [LatentAttention, CrossAttention])
def test_heads_that_do_not_divide_the_width_are_refused(
    form: type[LatentAttention] | type[CrossAttention],
) -> None:
    with pytest.raises(ValueError, match="3 heads do not divide a width of 16"):
        form(16, 3)
