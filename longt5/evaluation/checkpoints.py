"""A checkpoint as a system: documents in batches through the engine, summaries out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import UserError, reason
from ..quantization import is_quantized
from ..text.prose import NEVER
from ..text.salience import Ranking, Salience
from ..text.source import SourceText
from ..tokenizer import token_range

DEFAULT_WINDOW, SANE_WINDOW = 16_384, (64, 1_000_000)  # tokens
TOKENS_PER_WORD = 1.25


@dataclass(frozen=True)
class InputSettings:
    """How documents are read: the first ``window`` tokens (None: the tokenizer's limit), padded
    to the "longest" of a batch or to "max_length" (the window); ``copy_penalty`` as in
    :mod:`longt5.copy_processor` (None: what the checkpoint's folder says)."""

    window: int | None = None
    padding: str = "longest"
    copy_penalty: float | None = None


class Checkpoint:
    """A loaded checkpoint that summarizes batches of documents, always in the same way."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        reading: InputSettings,
        options: Mapping[str, Any],
        salience: Salience | None = None,
    ) -> None:
        self.salience = salience
        self.model, self.tokenizer, self.padding = model, tokenizer, reading.padding
        self.window = reading.window or window_of(tokenizer)
        self.copy_penalty = reading.copy_penalty or 0.0
        self.options = decoding_options(model.generation_config, options, self.copy_penalty)
        self.config = model.generation_config.merged(**self.options)
        # A model that copies ends with the first sentence after its least length.
        least = self.config.min_new_tokens or self.config.longest // 2
        self.words = round(least / TOKENS_PER_WORD)

    @classmethod
    def load(
        cls,
        name: str,
        reading: InputSettings,
        options: Mapping[str, Any],
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
    ) -> Checkpoint:
        """Load a folder or a hub id. Raises UserError."""
        from .. import LongT5ForConditionalGeneration, Tokenizer
        from ..checkpoint import locate

        try:
            folder = locate(name, revision, local_files_only=False)
            tokenizer = Tokenizer.from_pretrained(folder)
            salience = Salience.load(folder)
            model = LongT5ForConditionalGeneration.from_pretrained(
                folder, device=device, dtype=dtype
            )
            if reading.copy_penalty is None:
                penalty = NEVER if salience else copy_penalty_of_card(folder)
                reading = InputSettings(reading.window, reading.padding, penalty)
            return cls(model, tokenizer, reading, options, salience)
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"The model {name} cannot be used ({reason(error)}): check the name or the "
                "folder, --device, --dtype and the decoding options."
            ) from error

    @property
    def dtype(self) -> str:
        """The number format; int8 is said of the processor's decode steps, where it is used."""
        kind = str(self.model.dtype).removeprefix("torch.")
        int8 = self.model.device.type == "cpu" and is_quantized(self.model)
        return f"int8, {kind}" if int8 else kind

    @property
    def settings(self) -> dict[str, Any]:
        """What a report says of it."""
        return {
            "dtype": self.dtype,
            "device": self.model.device.type,
            "window": self.window,
            "padding": self.padding,
            "copy_penalty": self.copy_penalty,
            "salience": self.salience.strength if self.salience else 0.0,
            "decoding": self.config.to_dict(),
        }

    def write(self, documents: Sequence[str]) -> list[str]:
        """A summary for each document of a batch; what is beyond the window is not read.
        Raises UserError when memory runs out."""
        import torch

        from .. import is_out_of_memory

        rows, sentences, rankings = zip(*map(self._read, documents), strict=True)
        width = self.window if self.padding == "max_length" else max(map(len, rows))
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        try:
            output = self.model.generate(
                ids, mask, logits_processor=self._rules(sentences, rankings), **self.options
            )
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"Memory ran out with {len(rows)} sources of {width:,} tokens: try a smaller "
                "--batch-size, --num-beams or --max-input-tokens."
            ) from error
        return self.tokenizer.batch_decode(output.sequences.tolist())

    def _read(self, text: str) -> tuple[list[int], list[Sequence[int]], Ranking | None]:
        """(ids of what is read, with ``</s>``; its whole sentences as ids; their ranking)."""
        ids, offsets = self.tokenizer.encode_with_offsets(text, add_eos=False)
        ids = ids[: self.window - 1]
        source = SourceText.of(text)
        places = [(span, token_range(text, offsets, *span)) for span in source.candidates]
        read = [(span, ids[a:b]) for span, (a, b) in places if b <= len(ids)]
        row = [*ids, self.tokenizer.eos_token_id]
        if not read or not self.copy_penalty:
            return row, [ids], None
        from ..copy_processor import tidied

        spans = [span for span, _ in read]
        ranking = self.salience.rank(source, self.words, spans=spans) if self.salience else None
        sentences = [(text[slice(*span)], tokens) for span, tokens in read]
        encode = partial(self.tokenizer.encode, add_eos=False)
        return row, tidied(sentences, encode, ranking.plan if ranking else ()), ranking

    def _rules(
        self, sentences: Sequence[list[Sequence[int]]], rankings: Sequence[Ranking | None]
    ) -> list[Any]:
        from ..copy_processor import CopyPenalty

        if not self.copy_penalty:
            return []
        rows, eos = self.config.rows_per_source, self.tokenizer.eos_token_id
        return [CopyPenalty(self.copy_penalty, sentences, rows, eos, rankings=rankings)]


def window_of(tokenizer: Any) -> int:
    """Tokens of a pass: the tokenizer's own limit if sane, else 16,384."""
    said = tokenizer.model_max_length
    sane = said is not None and SANE_WINDOW[0] <= said <= SANE_WINDOW[1]
    return int(said) if sane else DEFAULT_WINDOW


def decoding_options(
    config: Any, options: Mapping[str, Any], copy_penalty: float
) -> dict[str, Any]:
    """The decoding options over a checkpoint's own: a limit that is given replaces its limits,
    and the rule for copying replaces that against repeated n-grams, since whole sentences
    repeat names and the rule lets none come twice."""
    chosen = {name: value for name, value in options.items() if value is not None}
    if "max_length" in chosen:
        chosen.setdefault("max_new_tokens", None)
    longest = config.merged(**chosen).longest - 1
    least = chosen.get("min_new_tokens", config.min_new_tokens)
    if least is not None:
        chosen["min_new_tokens"] = min(least, longest)
    if copy_penalty:
        chosen.setdefault("no_repeat_ngram_size", 0)
    return {**chosen, "num_return_sequences": 1}  # one summary is scored for each document


def copy_penalty_of_card(folder: Path) -> float:
    """NEVER where the checkpoint's card is tagged ``extractive``, else 0. Raises ValueError."""
    from huggingface_hub import metadata_load

    card = folder / "README.md"
    try:
        found = metadata_load(card) if card.is_file() else None
    except Exception as error:  # those of its YAML reader have no class in common with others
        raise ValueError(
            f"give --copy-penalty, or mend the front matter of {card}, which cannot be read: "
            f"{reason(error)}"
        ) from error
    tags = (found or {}).get("tags")
    return NEVER if "extractive" in (tags if isinstance(tags, list) else [tags]) else 0.0
