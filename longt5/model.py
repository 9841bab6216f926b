"""LongT5 as in its paper: encoder, decoder, head, and the model classes of transformers.

Parameter names are those of the published checkpoints.
B batch, S source, T target, K beams, R = B*K rows, H heads, D model dim, V vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import adapters, embeddings, generation, hooks, sharing, weights
from .attention import (
    CrossAttention,
    DecoderSelfAttention,
    Embedding,
    LongAttention,
    RMSNorm,
    product,
)
from .blocks import MASKED
from .cache import DecoderCache
from .config import LongT5Config, check_batch
from .encoder_pass import EncoderPass
from .generation import Draft, GenerationOutput, Progress, Stopped
from .generation_config import GenerationConfig
from .kernels import Geometry, graph, joined, select, widen_float16
from .kernels.decode import CrossStates
from .kernels.joined import StepProgram
from .kernels.linear import Fused, Linear, gated_gelu, needs_plain_torch
from .kernels.threads import one_thread
from .masks import causal_bias, check_source_mask, padding_bias
from .memory import reuse_freed_memory, synchronize
from .model_card import ModelCard
from .outputs import DecoderStates, EncoderStates, Seq2SeqOutput
from .sharing import HubOptions

IGNORE_INDEX = -100  # labels of this value have no loss
MATRIX_NAMES = ("q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo", "lm_head")
Self = TypeVar("Self", bound="LongT5PreTrainedModel")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
}


# Rows of a feed-forward layer computed at once: enough for large products, while the wide hidden
# layer of a whole source would need gigabytes.
FEED_FORWARD_ROWS, GPU_FEED_FORWARD_ROWS = 4096, 32_768


class FeedForward(nn.Module):
    """``wo(act(wi x))`` or, gated, ``wo(act(wi_0 x) * wi_1 x)`` (Shazeer 2020)."""

    wi: Linear
    wi_0: Linear
    wi_1: Linear

    def __init__(self, config: LongT5Config) -> None:
        super().__init__()
        names = ("wi_0", "wi_1") if config.is_gated_act else ("wi",)
        for name in names:
            self.add_module(name, Linear(config.d_model, config.d_ff))
        self.wo = Linear(config.d_ff, config.d_model)
        self.gated, self.kind = config.is_gated_act, config.dense_act_fn
        self.activation = ACTIVATIONS[self.kind]
        self.dropout = config.dropout_rate
        self.fused_in, self.fused_out = Fused(), Fused()

    def step(self, x: Tensor) -> Tensor:
        """Compute :meth:`forward` for the few rows of a decode step, without dropout: x [R, D]."""
        hooked = hooks.is_hooked(*self.children())
        if self.wo.weight.dtype is torch.float16 or hooked:
            return product(self._hidden(x), self.wo)
        if self.gated:
            gate, up = self.fused_in(x, self.wi_0.weight, self.wi_1.weight)
            hidden = self.activation(gate) * up
        else:
            hidden = self.activation(self.fused_in(x, self.wi.weight)[0])
        return self.fused_out(hidden, self.wo.weight)[0]

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.dropout(self._hidden(x), self.dropout, self.training)
        return product(hidden, self.wo)

    def _hidden(self, x: Tensor) -> Tensor:
        fused = self.gated and self.kind == "gelu_new" and x.dtype is not torch.float16
        if fused and not hooks.is_hooked(self.wi_0, self.wi_1):
            return gated_gelu(x, self.wi_0.weight, self.wi_1.weight)
        if self.gated:
            return self.activation(self.wi_0(x)) * widen_float16(self.wi_1(x))
        return self.activation(widen_float16(self.wi(x)))


class Sublayer(nn.Module):
    """A pre-normed residual branch; its one inner layer carries the checkpoint's name."""

    def __init__(self, config: LongT5Config, name: str, inner: nn.Module) -> None:
        super().__init__()
        self.add_module(name, inner)
        self.layer_norm = RMSNorm(config)
        self.name, self.dropout = name, config.dropout_rate

    @property
    def inner(self) -> Any:
        return getattr(self, self.name)

    def add(self, residual: Tensor, branch: Tensor) -> Tensor:
        # The residual stays float32 in every dtype: half-width sums overflow or lose small terms.
        return residual + F.dropout(branch, self.dropout, self.training).float()

    def add_to(self, residual: Tensor, branch: Tensor) -> Tensor:
        """Add a branch, in place where nothing needs the old residual."""
        if needs_plain_torch() or self.training:
            return self.add(residual, branch)
        return residual.add_(branch)

    def add_by_rows(self, x: Tensor) -> Tensor:
        """Return ``x + inner(norm(x))`` of a row-wise layer, computed some rows at a time."""
        if needs_plain_torch() or self.training:
            return self.add(x, self.inner(self.layer_norm(x)))
        for _ in self.parts_by_rows(x):
            pass
        return x

    def parts_by_rows(self, x: Tensor) -> Iterator[None]:
        """Compute :meth:`add_by_rows` in place, some rows a turn; only where nothing needs x."""
        size = FEED_FORWARD_ROWS if x.device.type == "cpu" else GPU_FEED_FORWARD_ROWS
        for rows in x.view(-1, x.shape[-1]).split(size):
            rows.add_(self.inner(self.layer_norm(rows)))
            yield


class LongT5Block(nn.Module):
    """One layer of a stack: attention sublayers, then feed-forward."""

    layer: Any  # a ModuleList, whose items torch types as Tensor | Module

    def __init__(self, *sublayers: Sublayer) -> None:
        super().__init__()
        self.layer = nn.ModuleList(sublayers)
        # Options of torch.utils.checkpoint, None for no gradient checkpointing.
        self.checkpointing: dict[str, Any] | None = None

    def __call__(self, *inputs: Any) -> Any:
        if self.checkpointing is None or not (self.training and torch.is_grad_enabled()):
            return super().__call__(*inputs)
        from torch.utils.checkpoint import checkpoint

        return checkpoint(super().__call__, *inputs, **self.checkpointing)


class EncoderBlock(LongT5Block):
    """One encoder layer: long attention, feed-forward."""

    def forward(
        self, x: Tensor, geometry: Geometry, want_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return the next x [B, S, D] float32 (in place, if no gradient is needed) and weights."""
        attention, feed_forward = self.layer
        branch, weights_ = attention.inner(attention.layer_norm(x), geometry, want_weights)
        return feed_forward.add_by_rows(attention.add_to(x, branch)), weights_

    def parts(self, x: Tensor, geometry: Geometry) -> Iterator[None]:
        """Compute :meth:`forward` in place, a part a turn; for inference without hooks."""
        attention, feed_forward = self.layer
        branch, _ = attention.inner(attention.layer_norm(x), geometry)
        attention.add_to(x, branch)
        del branch
        yield
        yield from feed_forward.parts_by_rows(x)


class DecoderBlock(LongT5Block):
    """One decoder layer: causal self-attention, cross-attention, feed-forward."""

    def forward(
        self, x: Tensor, states: Tensor, bias: Tensor, cross_bias: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute all positions: x [B, T, D], encoder states [B, S, D] -> next x, both weights."""
        own, cross, feed_forward = self.layer
        branch, weights_ = own.inner(own.layer_norm(x), bias)
        x = own.add(x, branch)
        keys, values = cross.inner.keys_values(states)
        branch, seen = cross.inner(cross.layer_norm(x), keys, values, cross_bias)
        x = cross.add(x, branch)
        return feed_forward.add(x, feed_forward.inner(feed_forward.layer_norm(x))), weights_, seen


class Encoder(nn.Module):
    """Stack of long-attention layers; memory and time linear in S (for a fixed G)."""

    block: Any  # a ModuleList, whose items torch types as Tensor | Module

    def __init__(self, config: LongT5Config) -> None:
        super().__init__()
        name = ("TransientGlobal" if config.uses_globals else "Local") + "SelfAttention"
        self.block = nn.ModuleList(
            EncoderBlock(
                Sublayer(config, name, LongAttention(config, has_bias=i == 0)),
                Sublayer(config, "DenseReluDense", FeedForward(config)),
            )
            for i in range(config.num_layers)
        )
        self.final_layer_norm = RMSNorm(config)
        self.dropout = config.dropout_rate

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        *,
        want_states: bool = False,
        want_weights: bool = False,
        on_layer: Progress | None = None,
    ) -> EncoderStates:
        """Encode embeddings x [B, S, D] with mask [B, S]; ``on_layer(done, layers)``."""
        run = EncoderPass(self, x, mask, want_states, want_weights)
        while run.done < run.layers:
            run.advance()
            if on_layer is not None:
                on_layer(run.done, run.layers)
        return run.result()


class Decoder(nn.Module):
    """T5's decoder: causal self-attention, cross-attention, feed-forward."""

    block: Any

    def __init__(self, config: LongT5Config) -> None:
        super().__init__()
        self.block = nn.ModuleList(
            DecoderBlock(
                Sublayer(config, "SelfAttention", DecoderSelfAttention(config, has_bias=i == 0)),
                Sublayer(config, "EncDecAttention", CrossAttention(config)),
                Sublayer(config, "DenseReluDense", FeedForward(config)),
            )
            for i in range(config.num_decoder_layers or 0)
        )
        self.final_layer_norm = RMSNorm(config)
        self.dropout = config.dropout_rate

    def forward(self, x: Tensor, mask: Tensor | None, encoded: EncoderStates) -> DecoderStates:
        """Compute all target positions at once: x [B, T, D]; mask as in :func:`.causal_bias`."""
        batch, target = x.shape[:2]
        bias = causal_bias(self.block[0].layer[0].inner.bias(target), mask, batch)
        cross_bias = padding_bias(encoded.attention_mask)
        x = F.dropout(x.float(), self.dropout, self.training)
        states, self_weights, cross_weights = [x], [], []
        for block in self.block:
            x, weights_, seen = block(x, encoded.last_hidden_state, bias, cross_bias)
            states.append(x)
            self_weights.append(weights_)
            cross_weights.append(seen)
        x = F.dropout(self.final_layer_norm(x), self.dropout, self.training)
        return DecoderStates(x, (*states[:-1], x), tuple(self_weights), tuple(cross_weights))

    def step(self, x: Tensor, cache: DecoderCache) -> Tensor:
        """Compute the next position of every row: x [R, D] -> [R, D]; the cache grows by one.

        Never drops out, in training mode neither.
        """
        at = cache.length
        bias = cache.self_bias[:, : at + 1].flip(-1)

        def own_step(own: Sublayer, x: Tensor, i: int) -> Tensor:
            stores = cache.self_keys[i], cache.self_values[i]
            return own.inner.step(own.layer_norm(x), *stores, at, bias)

        x = self._step(x, cache, own_step, cache.watch)
        cache.length = at + 1
        return x

    def step_weights(self) -> list[joined.Weights] | None:
        """Return the weights for :class:`longt5.kernels.joined.DecoderStep`, None for an activation
        that it does not compute."""
        wide = self.block[0].layer[2].inner
        if (wide.gated, wide.kind) not in ((True, "gelu_new"), (False, "relu")):
            return None
        return [_step_weights(block) for block in self.block]

    def fixed_step(
        self, x: Tensor, cache: DecoderCache, at: Tensor, parents: Tensor, watch: joined.Watch
    ) -> Tensor:
        """Reorder the rows by ``parents`` [R], then compute :meth:`step` at position ``at`` [1].

        The work is the same at every position, so that it can be recorded.
        """
        cache.reorder_all(parents)
        distance = at - torch.arange(cache.capacity, device=x.device)
        bias = cache.self_bias.index_select(1, distance.clamp(min=0))
        bias = bias.masked_fill(distance < 0, MASKED)

        def own_step(own: Sublayer, x: Tensor, i: int) -> Tensor:
            stores = cache.self_keys[i], cache.self_values[i]
            return own.inner.fixed_step(own.layer_norm(x), *stores, at, bias)

        return self._step(x, cache, own_step, watch)

    def _step(
        self,
        x: Tensor,
        cache: DecoderCache,
        own_step: Callable[[Sublayer, Tensor, int], Tensor],
        watch: joined.Watch,
    ) -> Tensor:
        """Compute all layers of a step; ``own_step`` computes their self-attention."""
        x = x.float()
        for i, block in enumerate(self.block):
            own, cross, feed_forward = block.layer
            x = x + own_step(own, x, i).float()
            # The beams of one source are query rows over one copy of its keys.
            rows = cross.layer_norm(x).unflatten(0, (-1, cache.num_beams))
            branch = cross.inner.step(rows, cache.cross[i], cache.cross_bias, watch.get(i))
            x = x + branch.flatten(0, 1).float()
            x = x + feed_forward.inner.step(feed_forward.layer_norm(x)).float()
        return self.final_layer_norm(x)


def _step_weights(block: LongT5Block) -> joined.Weights:
    own, cross, wide = (sublayer.inner for sublayer in block.layer)
    into = (own.q, own.k, own.v), (cross.q,), (wide.wi_0, wide.wi_1) if wide.gated else (wide.wi,)
    matrices, scales = [], []
    for layer, first, last in zip((own, cross, wide), into, (own.o, cross.o, wide.wo), strict=True):
        inputs, input_scales = layer.fused_in.matrices(*(m.weight for m in first))
        output, output_scales = layer.fused_out.matrices(last.weight)
        matrices.append([*inputs, *output])
        scales.append([*(input_scales or [None] * len(inputs)), *(output_scales or [None])])
    return joined.Weights([sub.layer_norm.weight for sub in block.layer], matrices, scales)


def _refuse_adapters(model: nn.Module) -> None:
    """Raise TypeError for a wrapped matrix: decode steps read matrices, not modules, and would
    ignore an adapter."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in MATRIX_NAMES and not isinstance(module, Linear):
            raise TypeError(
                f"{name} is of the type {type(module).__name__}, but a search reads the matrix "
                "itself: merge adapters into the weights first (merge_and_unload() of peft)."
            )


def without_autocast() -> torch.autocast:
    """Disable the caller's autocast on the CPU: the compiled kernels of a decode step expect the
    dtype of the weights."""
    return torch.autocast("cpu", enabled=False)


class LongT5PreTrainedModel(nn.Module):
    """Base of the model classes: embeddings, encoder, loading and saving."""

    has_decoder = True
    has_head = False
    generation_config: GenerationConfig

    def __init__(self, config: LongT5Config) -> None:
        super().__init__()
        self.config = config
        self.shared = Embedding(config.vocab_size, config.d_model)
        self.encoder = Encoder(config)
        if self.has_decoder:
            self.decoder = Decoder(config)
        weights.initialize(self)

    @property
    def device(self) -> torch.device:
        return self.shared.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.shared.weight.dtype

    @classmethod
    def from_pretrained(
        cls: type[Self],
        folder_or_hub_id: str | Path,
        revision: str | None = None,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        local_files_only: bool = False,
        *,
        subfolder: str = "",
        config: LongT5Config | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        force_download: bool = False,
    ) -> Self:
        """Load a checkpoint in evaluation mode; see :func:`longt5.weights.load_pretrained`."""
        return weights.load_pretrained(
            cls,
            folder_or_hub_id,
            revision,
            device,
            dtype,
            local_files_only,
            LongT5ForConditionalGeneration,
            subfolder,
            config,
            HubOptions(cache_dir, token, force_download).given(),
        )

    def save_pretrained(
        self,
        folder: str | Path,
        max_shard_size: int | str = "50GB",
        card: ModelCard | None = None,
    ) -> None:
        """Write ``config.json``, ``model.safetensors`` (or shards of at most a size, and their
        index), ``generation_config.json``, and a ``card`` as ``README.md``."""
        weights.save_pretrained(self, folder, max_shard_size)
        if card is not None:
            card.save(Path(folder))

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str = "Upload a LongT5 model",
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        max_shard_size: int | str = "50GB",
        card: ModelCard | None = None,
    ) -> str:
        """Upload to a repository of the Hugging Face hub; return the commit."""
        return sharing.push_to_hub(
            self,
            repo_id,
            commit_message=commit_message,
            private=private,
            token=token,
            revision=revision,
            create_pr=create_pr,
            max_shard_size=max_shard_size,
            card=card,
        )

    def merge_adapter(self, folder_or_hub_id: str | Path) -> None:
        """Add a LoRA adapter of PEFT to the weights; see :func:`.adapters.merge_adapter`."""
        adapters.merge_adapter(self, folder_or_hub_id)

    def num_parameters(self, only_trainable: bool = False) -> int:
        """Return the number of weights, shared ones once; ``only_trainable``: with gradients."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not only_trainable)

    def get_encoder(self) -> Encoder:
        """Return the encoder's stack."""
        return self.encoder

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the embedding of encoder and decoder."""
        return self.shared

    def resize_token_embeddings(
        self,
        new_num_tokens: int | None = None,
        pad_to_multiple_of: int | None = None,
        mean_resizing: bool = True,
    ) -> nn.Embedding:
        """Change the number of ids, and return the embedding; None keeps the number.

        New rows are the mean of the old ones (transformers draws them close around it), or, with
        ``mean_resizing=False``, initialized as in a new model.
        """
        size = self.config.vocab_size if new_num_tokens is None else new_num_tokens
        if pad_to_multiple_of:
            size = -(-size // pad_to_multiple_of) * pad_to_multiple_of
        if size != self.config.vocab_size:
            embeddings.resize_token_embeddings(self, size, mean_resizing)
        return self.shared

    def gradient_checkpointing_enable(
        self, gradient_checkpointing_kwargs: dict[str, Any] | None = None
    ) -> None:
        """Compute layers again in the backward pass, instead of storing what is inside them."""
        options = {"use_reentrant": False, **(gradient_checkpointing_kwargs or {})}
        for module in self.modules():
            if isinstance(module, LongT5Block):
                module.checkpointing = options

    def gradient_checkpointing_disable(self) -> None:
        for module in self.modules():
            if isinstance(module, LongT5Block):
                module.checkpointing = None

    @property
    def is_gradient_checkpointing(self) -> bool:
        blocks = (m for m in self.modules() if isinstance(m, LongT5Block))
        return any(block.checkpointing is not None for block in blocks)

    def _encode(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None,
        inputs_embeds: Tensor | None = None,
        **options: Any,
    ) -> EncoderStates:
        x, mask = self._encoder_input(input_ids, attention_mask, inputs_embeds)
        churns = x.device.type == "cpu" and not torch.is_grad_enabled()
        with reuse_freed_memory() if churns else nullcontext():
            encoded = self.encoder(x, mask, **options)
        encoded.input_ids = input_ids
        return encoded

    def _encoder_input(
        self, input_ids: Tensor | None, attention_mask: Tensor | None, inputs_embeds: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return checked embeddings [B, S, D] and mask [B, S] of a source."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Give either input_ids or inputs_embeds.")
        self._check_ids(input_ids, "input_ids")
        x = self.shared(input_ids) if inputs_embeds is None else inputs_embeds
        if x.ndim != 3:
            raise ValueError(f"inputs_embeds is {tuple(x.shape)}; it must be [B, S, D].")
        if 0 in x.shape:
            raise ValueError("The input has no tokens.")
        if attention_mask is None:
            attention_mask = torch.ones(x.shape[:2], dtype=torch.long, device=x.device)
        check_source_mask(attention_mask, x.shape[:2])
        hooks.refuse_unreachable(self, (Sublayer,), ("encoder",))
        return x, attention_mask

    def _check_ids(self, ids: Tensor | None, what: str) -> None:
        """Raise ValueError for anything but a batch of ids, and for ids outside the vocabulary.

        Ids on a GPU are not checked, which would wait for it.
        """
        if ids is None:
            return
        check_batch(what, ids.shape)
        if ids.device.type == "cpu" and ids.numel():
            self.config.check_ids(what, *(int(end) for end in ids.aminmax()))


class LongT5EncoderModel(LongT5PreTrainedModel):
    """The encoder alone."""

    has_decoder = False

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        *,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> EncoderStates:
        """Encode ids or embeddings [B, S(, D)] -> states [B, S, D]."""
        return self._encode(
            input_ids,
            attention_mask,
            inputs_embeds,
            want_states=output_hidden_states,
            want_weights=output_attentions,
        )


class LongT5Model(LongT5PreTrainedModel):
    """Encoder and decoder without a head."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: EncoderStates | None = None,
        *,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> Seq2SeqOutput:
        """Compute decoder states [B, T, D] of a source [B, S] and a target [B, T]."""
        if (decoder_input_ids is None) == (decoder_inputs_embeds is None):
            raise ValueError(
                "Give either decoder_input_ids (the target shifted right) or decoder_inputs_embeds."
            )
        if encoder_outputs is not None:
            encoded = encoder_outputs.masked(attention_mask)
        else:
            encoded = self._encode(
                input_ids,
                attention_mask,
                inputs_embeds,
                want_states=output_hidden_states,
                want_weights=output_attentions,
            )
        self._check_ids(decoder_input_ids, "decoder_input_ids")
        target = decoder_inputs_embeds
        if target is None:
            target = self.shared(decoder_input_ids)
        elif target.ndim != 3:
            raise ValueError(
                f"decoder_inputs_embeds is {tuple(target.shape)}; it must be [B, T, D]."
            )
        hooks.refuse_unreachable(self, (Sublayer,), ("decoder",))
        decoded = self.decoder(target, decoder_attention_mask, encoded)
        return Seq2SeqOutput(
            last_hidden_state=decoded.last_hidden_state,
            encoder_last_hidden_state=encoded.last_hidden_state,
            decoder_hidden_states=decoded.hidden_states if output_hidden_states else None,
            decoder_attentions=decoded.attentions if output_attentions else None,
            cross_attentions=decoded.cross_attentions if output_attentions else None,
            encoder_hidden_states=encoded.hidden_states,
            encoder_attentions=encoded.attentions,
        )


class LongT5ForConditionalGeneration(LongT5Model):
    """Encoder, decoder and language-model head; generates and streams.

    ``lm_head`` holds its own matrix when the checkpoint has one, else it is ``shared``.
    """

    has_head = True

    def __init__(self, config: LongT5Config) -> None:
        super().__init__(config)
        self.lm_head = Linear(config.d_model, config.vocab_size)
        self.lm_head.weight = self.shared.weight
        self.fused_head = Fused()
        self.generation_config = GenerationConfig()

    def forward(  # type: ignore[override]
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: EncoderStates | None = None,
        *,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> Seq2SeqOutput:
        """Compute ``logits`` [B, T, V] and, with ``labels`` [B, T] (-100 ignored), ``loss``."""
        if labels is not None:
            self._check_ids(labels.masked_fill(labels == IGNORE_INDEX, 0), "labels")
            if decoder_input_ids is None and decoder_inputs_embeds is None:
                decoder_input_ids = self.shift_right(labels)
        output = super().forward(
            input_ids,
            attention_mask,
            decoder_input_ids,
            decoder_attention_mask,
            encoder_outputs,
            inputs_embeds=inputs_embeds,
            decoder_inputs_embeds=decoder_inputs_embeds,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        output.logits = self._logits(output.last_hidden_state)
        if labels is not None:
            output.loss = F.cross_entropy(
                output.logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORE_INDEX
            )
        return output

    def shift_right(self, labels: Tensor) -> Tensor:
        """Return decoder input for labels [B, T]: the start token, then all but the last label."""
        shifted = torch.roll(labels, 1, dims=-1)
        shifted[..., 0] = self.config.decoder_start_token_id
        return shifted.masked_fill(shifted == IGNORE_INDEX, self.config.pad_token_id)

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """Return :meth:`shift_right` of labels, under transformers' name for collators."""
        return self.shift_right(labels)

    def get_decoder(self) -> Decoder:
        """Return the decoder's stack."""
        return self.decoder

    def get_output_embeddings(self) -> Linear:
        """Return the head."""
        return self.lm_head

    def _scaled(self, states: Tensor) -> Tensor:
        scaled = self.config.scale_decoder_outputs
        return states * self.config.d_model**-0.5 if scaled else states

    def _logits(self, states: Tensor) -> Tensor:
        return self.lm_head(self._scaled(states))

    @torch.no_grad()
    def encode(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        inputs_embeds: Tensor | None = None,
        on_progress: Progress | None = None,
        stop_event: threading.Event | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> EncoderStates:
        """Encode ids [B, S] once -> states that can be decoded any number of times.

        ``on_progress(layers done, layers)``; a set ``stop_event`` raises
        :class:`longt5.Stopped` at the next layer. Training mode has dropout, as in forward.
        """

        def on_layer(done: int, total: int) -> None:
            synchronize(self.device)  # a GPU's work is only queued
            if on_progress is not None:
                on_progress(done, total)
            if stop_event is not None and stop_event.is_set():
                raise Stopped("Stopped while reading the source.")

        self._check_ids(input_ids, "input_ids")
        given = input_ids, attention_mask, inputs_embeds
        return self._encode(
            *(None if x is None else x.to(self.device) for x in given),
            on_layer=on_layer,
            want_states=output_hidden_states,
            want_weights=output_attentions,
        )

    @torch.no_grad()
    def encode_in_parts(
        self, input_ids: Tensor, attention_mask: Tensor | None = None
    ) -> Generator[tuple[int, int], None, EncoderStates]:
        """Encode ids [B, S] as :meth:`encode`, yielding (layers done, layers) after each part of a
        layer: its attention, then each 4,096 rows of its feed-forward.

        The states are the generator's value. A hook on the encoder itself is an error.
        """
        if hooks.is_hooked(self.encoder):
            raise TypeError("A hook on the encoder would not run: it is computed layer by layer.")
        ids = input_ids.to(self.device)
        self._check_ids(ids, "input_ids")
        mask = None if attention_mask is None else attention_mask.to(self.device)
        run = EncoderPass(self.encoder, *self._encoder_input(ids, mask, None))
        with reuse_freed_memory() if self.device.type == "cpu" else nullcontext():
            while run.done < run.layers:
                run.advance_part()
                synchronize(self.device)  # a GPU's work is only queued
                yield run.done, run.layers
            encoded = run.result()
        encoded.input_ids = ids
        return encoded

    @torch.no_grad()
    def cross_states_in_parts(self, encoded: EncoderStates) -> Iterator[CrossStates]:
        """Yield the keys and values of each decoder layer's cross-attention."""
        for block in self.decoder.block:
            with without_autocast():
                states = block.layer[1].inner.cross_states(encoded.last_hidden_state)
            yield states

    @torch.no_grad()
    def init_cache(
        self,
        encoded: EncoderStates,
        num_beams: int,
        max_length: int,
        recorded: bool | None = None,
        joined: bool | None = None,
        program: StepProgram | None = None,
        cross: list[CrossStates] | None = None,
    ) -> DecoderCache:
        """Return an empty cache for ``B * num_beams`` rows of at most ``max_length`` positions.

        ``recorded``: record a step once and replay it; ``joined``: compute all layers of a step
        in one call of the compiled kernel (None: where it is available and verified), and by the
        threads of ``program``, if it has the weights of now, as other searches. ``cross``: of
        :meth:`cross_states_in_parts`, if they were computed already. Raises TypeError where an
        adapter wraps a matrix.
        """
        _refuse_adapters(self)
        hooks.refuse_unreachable(self, PASSED_OVER_BY_STEPS, ("decoder", ""))
        hooked = hooks.any_hooked(self.decoder) or hooks.is_hooked(self.shared, self.lm_head)
        c = self.config
        rows = encoded.last_hidden_state.shape[0] * num_beams
        states = encoded.last_hidden_state

        if recorded is None:
            fits = max_length <= graph.MAX_RECORDED_LENGTH and graph.can_record(self.device)
            recorded = fits and not hooked and self._is_verified("graph")

        def store() -> list[Tensor]:
            # A recorded step reads every position, and NaN times a weight of 0 is NaN.
            make = states.new_zeros if recorded else states.new_empty
            shape, kind = (rows, c.num_heads, max_length, c.d_kv), stores[0].keys.dtype
            return [make(shape, dtype=kind) for _ in stores]

        stores = list(self.cross_states_in_parts(encoded)) if cross is None else cross
        cache = DecoderCache(
            self_keys=store(),
            self_values=store(),
            cross=stores,
            cross_bias=padding_bias(encoded.attention_mask),
            self_bias=self.decoder.block[0].layer[0].inner.bias(max_length),
            num_beams=num_beams,
        )
        if recorded:
            cache.recorded_step = graph.RecordedStep(rows, self.device)
        elif joined is not False and not hooked:
            cache.joined_step = self._joined_step(cache, joined is None, program)
        return cache

    def _joined_step(
        self, cache: DecoderCache, checked: bool, program: StepProgram | None
    ) -> joined.DecoderStep | None:
        """Return all layers as one call, None where the kernel lacks them or is not verified."""
        layers = self.decoder.step_weights() if self.device.type == "cpu" else None
        if layers is None:
            return None
        (matrix,), scales = self.fused_head.matrices(self.lm_head.weight)
        factor = self.config.d_model**-0.5 if self.config.scale_decoder_outputs else 1.0
        norm = self.decoder.final_layer_norm.weight
        head = joined.Head(norm, matrix, scales[0] if scales else None, factor)
        if not joined.fits(layers, head, cache):
            return None
        needed = ["native step"]
        all_scales = [*scales, *(x for layer in layers for part in layer.scales for x in part)]
        if any(scale is not None for scale in all_scales):
            needed.append("native int8")
        if checked and not all(map(self._is_verified, needed)):
            return None
        if program is None or not program.is_of(layers, head):
            rows, heads, _, width = cache.self_keys[0].shape
            kind, eps = cache.self_keys[0].dtype, self.config.layer_norm_epsilon
            program = StepProgram(layers, head, kind, (heads, width), rows, eps)
        return joined.DecoderStep(program, cache)

    def _is_verified(self, kernel: str) -> bool:
        where = self.dtype, str(self.device)
        return select.is_verified(kernel, *where, LongT5ForConditionalGeneration)

    @torch.no_grad()
    def decode_step(self, tokens: Tensor, cache: DecoderCache) -> Tensor:
        """Feed one token per row ([R]) -> float32 logits [R, V]; the cache grows by one.

        Never drops out, in training mode neither. Raises ValueError when the cache is full.
        """
        cache.check(tokens)
        if cache.recorded_step is not None and cache.recorded_step.replay is None:
            self._record(cache)
        if cache.recorded_step is not None:
            logits, reduced = cache.recorded_step(tokens, cache.length)
            cache.length += 1
            for layer, share in reduced.items():
                cache.watch[layer].add(share)
            return logits
        if cache.joined_step is not None:
            return self._joined_steps([tokens], [cache])[0]
        with cache.threads.step(), without_autocast():
            states = self.decoder.step(self.shared(tokens.to(self.device)), cache)
            return self._step_logits(states)

    @torch.no_grad()
    def decode_steps(
        self, tokens: Sequence[Tensor], caches: Sequence[DecoderCache]
    ) -> list[Tensor]:
        """Compute :meth:`decode_step` of several searches: logits [R, V] of each cache's rows.

        Caches with one ``program`` are computed in one call of the kernel, which gives each row
        what it gives alone, byte for byte in every dtype; the others one after the other.
        """
        found: dict[int, Tensor] = {}
        together: dict[StepProgram, list[int]] = {}
        for number, cache in enumerate(caches):
            if cache.joined_step is None:
                found[number] = self.decode_step(tokens[number], cache)
            else:
                cache.check(tokens[number])
                together.setdefault(cache.joined_step.program, []).append(number)
        for numbers in together.values():
            logits = self._joined_steps([tokens[n] for n in numbers], [caches[n] for n in numbers])
            found |= zip(numbers, logits, strict=True)
        return [found[number] for number in range(len(caches))]

    def _joined_steps(
        self, tokens: Sequence[Tensor], caches: Sequence[DecoderCache]
    ) -> Sequence[Tensor]:
        """Compute the steps of caches that share a program."""
        steps = [cache.joined_step for cache in caches if cache.joined_step is not None]
        with one_thread():
            # Not by calling the module, which takes as long as the search's choice of tokens: where
            # it has a hook, no cache has a joined step.
            rows = tokens[0] if len(tokens) == 1 else torch.cat(list(tokens))
            x = self.shared.weight.index_select(0, rows.to(self.device))
            where = [cache.length for cache in caches], [cache.watch for cache in caches]
            logits = steps[0].program(x, steps, *where)
        for cache in caches:
            cache.length += 1
        if len(steps) == 1:
            return [logits]
        return logits.split([step.rows for step in steps])

    def _step_logits(self, states: Tensor) -> Tensor:
        if hooks.is_hooked(self.lm_head):
            return self._logits(states).float()
        return self.fused_head(self._scaled(states), self.lm_head.weight)[0].float()

    def _record(self, cache: DecoderCache) -> None:
        """Record the step of a new cache; where that fails, steps run kernel by kernel."""
        fixed = cache.recorded_step
        assert fixed is not None
        try:
            fixed.record(partial(self._fixed_step, cache))
        except Exception as problem:
            select.disable("graph", self.device, problem)
            cache.recorded_step = None

    def _fixed_step(
        self, cache: DecoderCache, tokens: Tensor, at: Tensor, parents: Tensor
    ) -> graph.StepResult:
        """Compute the step that :class:`graph.RecordedStep` records.

        Weights of watched layers are reduced at once: those of all layers would be too large.
        """
        reduced: dict[int, Tensor] = {}

        def keep(layer: int, weights: Tensor) -> None:
            reduced[layer] = cache.watch[layer].reduce(weights)

        watch: joined.Watch = {layer: partial(keep, layer) for layer in cache.watch}
        states = self.decoder.fixed_step(self.shared(tokens), cache, at, parents, watch)
        return self._step_logits(states), reduced

    def generate(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, **options: Any
    ) -> GenerationOutput:
        """See :func:`longt5.generation.generate`."""
        return generation.generate(self, input_ids, attention_mask, **options)

    def stream(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, **options: Any
    ) -> Iterator[Draft]:
        """See :func:`longt5.generation.stream`."""
        return generation.stream(self, input_ids, attention_mask, **options)


# Modules whose forward is not called in a decode step, which has one position.
PASSED_OVER_BY_STEPS = (
    Sublayer,
    LongT5Block,
    Decoder,
    DecoderSelfAttention,
    CrossAttention,
    FeedForward,
    LongT5ForConditionalGeneration,
)
