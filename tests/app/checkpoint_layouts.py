"""Random-weight folders in the layouts of published LongT5 checkpoints: files, keys and settings.

Only sizes are smaller. Sources: the model pages and configuration files on the Hugging Face hub.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from longt5 import LongT5Config, LongT5ForConditionalGeneration
from tests.conftest import ROOT

SMALL = {"d_model": 32, "d_kv": 8, "num_heads": 4, "d_ff": 64, "num_layers": 2,
         "num_decoder_layers": 2}  # fmt: skip
COMMON: dict[str, Any] = {
    "architectures": ["LongT5ForConditionalGeneration"], "model_type": "longt5",
    "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1, "dropout_rate": 0.1,
    "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0, "is_encoder_decoder": True,
    "layer_norm_epsilon": 1e-6, "local_radius": 127, "global_block_size": 16,
    "n_positions": 4096, "output_past": True, "relative_attention_max_distance": 128,
    "relative_attention_num_buckets": 32, "tie_word_embeddings": False, "torch_dtype": "float32",
    "use_cache": True, "vocab_size": 32_128, "encoder_attention_type": "transient-global",
}  # fmt: skip
BOOK_SUMMARY = {
    "early_stopping": True, "encoder_no_repeat_ngram_size": 4, "length_penalty": 0.8,
    "max_length": 512, "min_length": 8, "no_repeat_ngram_size": 3, "num_beams": 2,
    "repetition_penalty": 3.5,
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """The files of one published checkpoint: what differs from COMMON in `config.json`, the keys
    that it lacks, `tokenizer_config.json`, and whether its weights are a pickle."""

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    tokenizer: dict[str, Any] = field(default_factory=dict)
    generation: dict[str, Any] | None = None  # generation_config.json
    is_pickle: bool = False


LAYOUTS = (
    Layout("google/long-t5-tglobal-base", absent=("tie_word_embeddings",), is_pickle=True),
    Layout("google/long-t5-local-base", {"encoder_attention_type": "local"}, is_pickle=True),
    Layout(
        "pszemraj/long-t5-tglobal-base-16384-book-summary",
        BOOK_SUMMARY,
        tokenizer={"model_max_length": 16_384},
        is_pickle=True,
    ),
    Layout(
        "pszemraj/long-t5-tglobal-xl-16384-book-summary",
        {},
        tokenizer={"model_max_length": 16_384},
        generation={**BOOK_SUMMARY, "max_length": 1024, "transformers_version": "4.27.2"},
    ),
    Layout(
        "Stancld/longt5-tglobal-large-16384-pubmed-3k_steps",
        {"vocab_size": 32_100, "torch_dtype": None},
        absent=("dense_act_fn", "is_gated_act"),
        is_pickle=True,
    ),
    Layout(
        "agemagician/mlong-t5-tglobal-base",
        {"vocab_size": 256_384, "architectures": ["LongT5Model"]},
        tokenizer={"special_tokens_map_file": None},
    ),
)


def write_checkpoint(layout: Layout, folder: Path, **changes: Any) -> Path:
    """Write a folder of this layout with random weights; `changes` replace keys of its config."""
    values = {**COMMON, **layout.config, **SMALL, **changes}
    values = {k: v for k, v in values.items() if k not in layout.absent}
    torch.manual_seed(0)
    model = LongT5ForConditionalGeneration(LongT5Config.from_dict(values))
    model.save_pretrained(folder)
    if layout.is_pickle:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "generation_config.json").unlink()
    if layout.generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(layout.generation))
    (folder / "tokenizer_config.json").write_text(json.dumps(layout.tokenizer))
    shutil.copy(ROOT / "assets" / "model" / "spiece.model", folder)
    return folder
