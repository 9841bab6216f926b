"""A SentencePiece vocabulary trained on the data, laid out as T5's: pad 0, </s> 1, <unk> 2."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import UserError, reason
from .recipe import Vocabulary

LINE = 1000  # characters of a text that SentencePiece sees at once


def train(texts: Iterable[str], options: Vocabulary, folder: Path) -> None:
    """Write ``spiece.model`` and ``tokenizer_config.json``. Raises UserError when the texts are
    too few for that many pieces, or have more characters than that."""
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(texts, options.characters), model_writer=model,
            model_type="unigram", vocab_size=options.size, byte_fallback=True,
            character_coverage=0.9995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
            max_sentence_length=LINE * 4, num_threads=2, minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:
        few = "smaller than required_chars" in str(error)
        cure = "a larger vocabulary.size" if few else "more text or a smaller vocabulary.size"
        raise UserError(
            f"No vocabulary of {options.size:,} pieces can be made of these texts "
            f"({reason(error)}): give {cure}."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    settings = {
        "tokenizer_class": "T5Tokenizer", "model_max_length": options.max_length,
        "extra_ids": options.extra_ids, "pad_token": "<pad>", "eos_token": "</s>",
        "unk_token": "<unk>",
    }  # fmt: skip
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _lines(texts: Iterable[str], characters: int) -> Iterator[str]:
    for text in texts:
        for begin in range(0, len(text), LINE):
            if characters <= 0:
                return
            line = text[begin : min(begin + LINE, begin + characters)]
            yield line
            characters -= len(line)
