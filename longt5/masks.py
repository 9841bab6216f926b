"""Masks of the decoder as additive scores, and checks of masks.

B batch, S source, T target, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .blocks import MASKED, mask_bias
from .config import check_mask

LOWEST = torch.finfo(torch.float32).min  # absorbs every score that is added to it


def check_source_mask(mask: Tensor, source: tuple[int, ...]) -> None:
    """Raise ValueError unless a mask has a number for each token, and a token in each row.

    What a row without tokens attends to is not defined.
    """
    check_mask(mask.shape, source)
    has_tokens = mask.bool().any(-1)
    if not bool(has_tokens.all()):  # the device is asked once, unless there is an error
        row = has_tokens.tolist().index(False)
        raise ValueError(f"Row {row} of attention_mask is all 0: a source needs a token.")


def causal_bias(by_distance: Tensor, mask: Tensor | None, batch: int = 1) -> Tensor:
    """Return the relative bias of the decoder with what each position must not see masked.

    ``by_distance`` [H, T]. ``mask`` as in transformers: [B, T], tokens among those before; [B, T,
    T], what each position sees; or scores [B or 1, H or 1, T or 1, T] that are added. The last two
    replace the causal mask. Returns [B or 1, H, T, T]. Raises ValueError for other masks.
    """
    target = by_distance.shape[-1]
    position = torch.arange(target, device=by_distance.device)
    distance = position[:, None] - position[None, :]
    bias = by_distance[:, distance.clamp(min=0)][None]
    if mask is None:
        return bias.masked_fill(distance < 0, MASKED)
    _check_decoder_mask(mask, batch, *by_distance.shape)
    if mask.ndim == 4:
        return bias + mask.float()
    if mask.ndim == 3:
        return bias.masked_fill(~mask.bool()[:, None], LOWEST)
    visible = mask.bool()[:, None, None, :] & (distance >= 0)
    return bias.masked_fill(~visible, LOWEST)


def _check_decoder_mask(mask: Tensor, batch: int, heads: int, target: int) -> None:
    shape = tuple(mask.shape)
    if mask.ndim == 4:
        if not mask.is_floating_point():
            raise ValueError(
                f"decoder_attention_mask has four dimensions and is {mask.dtype}: such a mask is "
                "added to the scores, so it must hold them (0 where visible, a large negative "
                "number elsewhere)."
            )
        if (
            shape[0] in (1, batch)
            and shape[1] in (1, heads)
            and shape[2:]
            in (
                (1, target),
                (target, target),
            )
        ):
            return
    elif shape in ((batch, target), (batch, target, target)):
        return
    raise ValueError(
        f"decoder_attention_mask is {shape}, but the target is {(batch, target)}: it must be "
        f"{(batch, target)}, {(batch, target, target)}, or scores with four dimensions."
    )


def padding_bias(mask: Tensor) -> Tensor | None:
    """Return a mask [B, S] as additive [B, 1, 1, S] float32, None when nothing is padding."""
    visible = mask.bool()
    return None if bool(visible.all()) else mask_bias(visible)[:, None, None, :]
