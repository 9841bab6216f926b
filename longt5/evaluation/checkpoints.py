"""A checkpoint as an evaluated system: batches of documents in, summaries out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError, reason
from ..quantization import is_quantized
from ..text.salience import Salience
from ..text.source import SourceText

if TYPE_CHECKING:
    from ..copy_processor import CopySource

# Tokens of a pass where the tokenizer states no plausible limit; some state 1e30.
FALLBACK_WINDOW, PLAUSIBLE_WINDOW = 16_384, (64, 1_000_000)
TOKENS_PER_WORD = 1.25  # of English prose in T5 vocabularies, roughly


@dataclass(frozen=True)
class InputSettings:
    """Settings for reading documents.

    ``window``: tokens of a document that are read (None: the tokenizer's limit). ``padding``:
    to the "longest" of a batch, or to "max_length" (the window). ``copy_penalty``: see
    :mod:`longt5.copy_processor` (None: chosen by the checkpoint's folder).
    """

    window: int | None = None
    padding: str = "longest"
    copy_penalty: float | None = None


class Checkpoint:
    """A loaded checkpoint that summarizes batches of documents with fixed options."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        inputs: InputSettings,
        options: Mapping[str, Any],
        salience: Salience | None = None,
    ) -> None:
        self.salience = salience
        self.model, self.tokenizer, self.padding = model, tokenizer, inputs.padding
        self.window = inputs.window or window_of(tokenizer)
        self.copy_penalty = inputs.copy_penalty or 0.0
        self.options = decoding_options(model.generation_config, options, self.copy_penalty)
        self.config = model.generation_config.merged(**self.options)
        # A search under the copy rule ends with the first sentence after the minimum length.
        least = self.config.min_new_tokens or self.config.longest // 2
        self.words = round(least / TOKENS_PER_WORD)

    @classmethod
    def load(
        cls,
        name: str,
        inputs: InputSettings,
        options: Mapping[str, Any],
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
    ) -> Checkpoint:
        """Load a folder or a hub id. Raises UserError."""
        from .. import LongT5ForConditionalGeneration, Tokenizer
        from ..checkpoint import locate
        from ..copy_processor import FORBIDDING_PENALTY

        try:
            folder = locate(name, revision, local_files_only=False)
            tokenizer = Tokenizer.from_pretrained(folder, split_special_tokens=True)
            salience = Salience.load(folder)
            model = LongT5ForConditionalGeneration.from_pretrained(
                folder, device=device, dtype=dtype
            )
            if inputs.copy_penalty is None:
                penalty = FORBIDDING_PENALTY if salience else copy_penalty_of_card(folder)
                inputs = replace(inputs, copy_penalty=penalty)
            return cls(model, tokenizer, inputs, options, salience)
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"The model {name} cannot be used ({reason(error)}): check the name or the "
                "folder, --device, --dtype and the decoding options."
            ) from error

    @property
    def dtype(self) -> str:
        """The number format, with int8 where the decode steps on the CPU use it."""
        kind = str(self.model.dtype).removeprefix("torch.")
        int8 = self.model.device.type == "cpu" and is_quantized(self.model)
        return f"int8, {kind}" if int8 else kind

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the checkpoint, for the report."""
        return {
            "dtype": self.dtype,
            "device": self.model.device.type,
            "window": self.window,
            "padding": self.padding,
            "copy_penalty": self.copy_penalty,
            "salience": self.salience is not None,
            "decoding": self.config.to_dict(),
        }

    def write(self, documents: Sequence[str]) -> list[str]:
        """Return a summary for each document of a batch; text beyond the window is not read.

        Raises UserError when memory runs out.
        """
        import torch

        from .. import is_out_of_memory

        rows, sources = zip(*map(self._read, documents), strict=True)
        width = self.window if self.padding == "max_length" else max(map(len, rows))
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        try:
            output = self.model.generate(
                ids, mask, logits_processor=self._copy_rules(sources), **self.options
            )
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"Memory ran out with {len(rows)} sources of {width:,} tokens: try a smaller "
                "--batch-size, --num-beams or --max-input-tokens."
            ) from error
        return self.tokenizer.batch_decode(output.sequences.tolist())

    def _read(self, text: str) -> tuple[list[int], CopySource | None]:
        """Return the ids that are read, with ``</s>``, and what a summary may copy of them."""
        ids, offsets = self.tokenizer.encode_with_offsets(text, add_eos=False)
        ids = ids[: self.window - 1]
        row = [*ids, self.tokenizer.eos_token_id]
        if not self.copy_penalty:
            return row, None
        from ..copy_processor import CopySource

        text = text[: offsets[len(ids) - 1][1]] if ids else ""
        whole = SourceText.of(text)
        plan = self.salience.planner(whole).spans(self.words) if self.salience else None
        source = CopySource.of(whole, (ids, offsets), self.tokenizer, plan)
        return row, source if source.sentences else CopySource([ids])

    def _copy_rules(self, sources: Sequence[CopySource]) -> list[Any]:
        from ..copy_processor import copy_rule

        if not self.copy_penalty:
            return []
        rows, eos = self.config.rows_per_source, self.tokenizer.eos_token_id
        return [copy_rule(sources, rows, eos, self.copy_penalty)]


def window_of(tokenizer: Any) -> int:
    """Return the tokens of a pass: the tokenizer's limit if plausible, else FALLBACK_WINDOW."""
    limit = tokenizer.model_max_length
    plausible = limit is not None and PLAUSIBLE_WINDOW[0] <= limit <= PLAUSIBLE_WINDOW[1]
    return int(limit) if plausible else FALLBACK_WINDOW


def decoding_options(
    config: Any, options: Mapping[str, Any], copy_penalty: float
) -> dict[str, Any]:
    """Return the decoding options that override the checkpoint's own.

    A given limit replaces all limits of the checkpoint. The copy rule replaces the one against
    repeated n-grams: whole sentences repeat names, and no sentence is copied twice.
    """
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
    """Return FORBIDDING_PENALTY if the checkpoint's card is tagged ``extractive``, else 0.

    Raises ValueError when the card cannot be read.
    """
    from huggingface_hub import metadata_load

    from ..copy_processor import FORBIDDING_PENALTY

    card = folder / "README.md"
    try:
        found = metadata_load(card) if card.is_file() else None
    except Exception as error:  # those of its YAML reader have no class in common with others
        raise ValueError(
            f"give --copy-penalty, or mend the front matter of {card}, which cannot be read: "
            f"{reason(error)}"
        ) from error
    tags = (found or {}).get("tags")
    is_extractive = "extractive" in (tags if isinstance(tags, list) else [tags])
    return FORBIDDING_PENALTY if is_extractive else 0.0
