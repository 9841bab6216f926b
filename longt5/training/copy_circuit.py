"""Initial weights that can copy: an induction circuit from four tokens to the next one.

Each source position stores codes of its four previous tokens; the decoder makes the same codes
of its own last four; one cross-attention layer matches the two and writes the token found. A
small model learns this by itself only after very many steps. All weights are trained further.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..attention import Projections
from ..blocks import relative_position_bucket
from ..config import LongT5Config
from ..errors import UserError
from ..model import LongT5ForConditionalGeneration

# Dimensions, of 64, for the code of the last token, the one before it, and so on.
SUBSPACE_SHARES = (20, 16, 14, 14)
# Relative bias towards the one position that a head attends to, large enough to dominate softmax;
# and factors of what heads write and match. Chosen by hand.
ENCODER_BIAS, DECODER_BIAS = 10.0, 9.0
WRITE_STRENGTH, RELAY_STRENGTH, QUERY_SCALE, UNUSED_VALUE_SCALE = 2.0, 1.5, 0.13, 0.1


@torch.no_grad()
def wire(model: LongT5ForConditionalGeneration, seed: int = 0) -> None:
    """Write the circuit into a newly initialized model. Raises UserError for a shape too small."""
    _check_shape(model.config)
    generator = torch.Generator().manual_seed(seed)
    sizes = _subspace_sizes(model.config.d_kv)
    codes = _orthonormal_subspaces(sizes, model.config.d_model, generator)
    *stores, relay, last_relay = _orthonormal_subspaces(
        [*sizes, *sizes[2:]], model.config.d_model, generator
    )
    own = [codes[0], *_orthonormal_subspaces(sizes[1:], model.config.d_model, generator)]
    _wire_encoder(model, codes, stores, [relay, last_relay])
    _wire_decoder(model, codes, own)
    _wire_matching(model, codes, stores, own, generator)


def _check_shape(c: LongT5Config) -> None:
    fits = (
        c.num_layers >= 2
        and (c.num_decoder_layers or 0) >= 2
        and c.num_heads >= 3
        and c.d_kv >= 8
        and c.d_model >= 2 * c.d_kv
        and c.inner_dim <= c.d_model
    )
    if not fits:
        raise UserError(
            "copy_circuit needs two layers on both sides, three heads, d_kv of 8 or more, "
            "d_model of twice d_kv, and no more than d_model in all heads: change [model]."
        )


def _subspace_sizes(width: int) -> list[int]:
    """Return the dimensions for each of the four tokens, together a head's width."""
    later = [width * share // sum(SUBSPACE_SHARES) for share in SUBSPACE_SHARES[1:]]
    return [width - sum(later), *later]


def _orthonormal_subspaces(
    sizes: list[int], width: int, generator: torch.Generator
) -> list[Tensor]:
    """Return subspaces of the residual stream, orthonormal to each other: [size, D] each."""
    square = torch.randn(width, sum(sizes), generator=generator)
    return list(torch.linalg.qr(square)[0].T.split(sizes))


def _attend_to_offset(
    table: Tensor, head: int, offset: int, bias: float, c: LongT5Config, bidirectional: bool
) -> None:
    """Make a head attend to the position at ``offset`` from its own."""
    bucket = relative_position_bucket(
        torch.tensor(offset),
        bidirectional=bidirectional,
        num_buckets=c.relative_attention_num_buckets,
        max_distance=c.relative_attention_max_distance,
    )
    table[bucket, head] += bias


def _copy_subspace(
    attention: Projections, head: int, read: Tensor, write: Tensor, strength: float
) -> None:
    """Make a head copy the subspace ``read`` [n, D] to the subspace ``write`` [n, D]."""
    width = attention.width
    rows = slice(head * width, head * width + len(read))
    attention.v.weight[head * width : (head + 1) * width] *= UNUSED_VALUE_SCALE
    attention.v.weight[rows] = read
    attention.o.weight[:, rows] = strength * write.T


def _wire_encoder(
    model: LongT5ForConditionalGeneration,
    codes: list[Tensor],
    stores: list[Tensor],
    relays: list[Tensor],
) -> None:
    """Store codes of previous tokens at each source position.

    Layer 0 stores the code of the previous token, and three codes of the one before; layer 1
    moves two of these on by one and two positions.
    """
    first, second = (model.encoder.block[i].layer[0].inner for i in (0, 1))
    table = first.relative_attention_bias.weight
    _attend_to_offset(table, 0, -1, ENCODER_BIAS, model.config, bidirectional=True)
    _attend_to_offset(table, 1, -2, ENCODER_BIAS, model.config, bidirectional=True)
    _copy_subspace(first, 0, codes[0], stores[0], WRITE_STRENGTH)
    _copy_subspace(first, 1, torch.cat(codes[1:]), torch.cat([stores[1], *relays]), WRITE_STRENGTH)
    _copy_subspace(second, 0, relays[0], stores[2], RELAY_STRENGTH)
    _copy_subspace(second, 1, relays[1], stores[3], RELAY_STRENGTH)


def _wire_decoder(
    model: LongT5ForConditionalGeneration, codes: list[Tensor], own: list[Tensor]
) -> None:
    """Make layer 0 gather the codes of the three tokens before the current one."""
    layer = model.decoder.block[0].layer[0].inner
    for head in range(3):
        table = layer.relative_attention_bias.weight
        _attend_to_offset(table, head, -1 - head, DECODER_BIAS, model.config, bidirectional=False)
        _copy_subspace(layer, head, codes[head + 1], own[head + 1], WRITE_STRENGTH)


def _wire_matching(
    model: LongT5ForConditionalGeneration,
    codes: list[Tensor],
    stores: list[Tensor],
    own: list[Tensor],
    generator: torch.Generator,
) -> None:
    """Make every head of one cross-attention layer match both codes and write the token found."""
    cross, c = model.decoder.block[1].layer[1].inner, model.config
    cross.k.weight.copy_(torch.cat(stores).repeat(c.num_heads, 1))
    cross.q.weight.copy_(QUERY_SCALE * torch.cat(own).repeat(c.num_heads, 1))
    (found,) = _orthonormal_subspaces([c.inner_dim], c.d_model, generator)
    cross.v.weight.copy_(found)
    cross.o.weight.copy_(WRITE_STRENGTH * found.T)
