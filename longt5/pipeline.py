"""Summaries in three lines: a call as of transformers' SummarizationPipeline.

summarize = SummarizationPipeline.from_pretrained("assets/model")
print(summarize("The library lends drills. It lends ladders too.")[0]["summary_text"])
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .model import LongT5ForConditionalGeneration
from .tokenizer import Tokenizer


class SummarizationPipeline:
    """A model with its tokenizer; called with texts, it returns their summaries."""

    def __init__(self, model: LongT5ForConditionalGeneration, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer

    @classmethod
    def from_pretrained(
        cls,
        folder_or_hub_id: str | Path,
        revision: str | None = None,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        **options: Any,
    ) -> SummarizationPipeline:
        """Load both from a folder or the hub; ``options``: those of a download."""
        where: Any = {"revision": revision, **options}
        tokenizer = Tokenizer.from_pretrained(folder_or_hub_id, **where)
        model = LongT5ForConditionalGeneration.from_pretrained(
            folder_or_hub_id, device=device, dtype=dtype, **where
        )
        return cls(model, tokenizer)

    def __call__(
        self,
        documents: str | Sequence[str],
        *,
        batch_size: int = 1,
        return_text: bool = True,
        return_tensors: bool = False,
        **options: Any,
    ) -> list[dict[str, Any]]:
        """Return ``summary_text`` (and ``summary_token_ids``) of each document.

        ``options`` are those of ``generate``. The words of special tokens in a document are text.
        One longer than the tokenizer's limit is cut there, with a warning. Raises ValueError for
        a document without text.
        """
        texts = [documents] if isinstance(documents, str) else list(documents)
        if empty := [i for i, text in enumerate(texts) if not text.strip()]:
            raise ValueError(f"Document {empty[0] + 1} has no text to summarize.")
        found = []
        for begin in range(0, len(texts), batch_size):
            for ids in self._generate(texts[begin : begin + batch_size], options):
                summary: dict[str, Any] = {"summary_token_ids": ids} if return_tensors else {}
                if return_text:
                    summary["summary_text"] = self.tokenizer.decode(ids)
                found.append(summary)
        return found

    def _generate(self, texts: list[str], options: dict[str, Any]) -> list[torch.Tensor]:
        """Return the ids [L] of each summary."""
        limit = self.tokenizer.model_max_length
        batch = self.tokenizer(texts, padding=True, split_special_tokens=True)
        longest = max(map(sum, batch.attention_mask))
        if limit is not None and longest > limit:
            warnings.warn(
                f"A document of {longest:,} tokens is cut to {limit:,}, all that the model reads.",
                stacklevel=3,
            )
            batch = self.tokenizer(texts, None, True, True, split_special_tokens=True)
        ids, mask = (torch.tensor(x) for x in (batch.input_ids, batch.attention_mask))
        with_strings = {"tokenizer": self.tokenizer} if options.get("stop_strings") else {}
        output = self.model.generate(ids, mask, **with_strings, **options)
        return list(output.sequences.cpu()[:: options.get("num_return_sequences") or 1])
