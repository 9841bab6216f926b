"""A SentencePiece vocabulary trained on the data, laid out as T5's: pad 0, </s> 1, <unk> 2."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..checkpoint import replacing, write_json
from ..errors import UserError, reason
from .recipe import Vocabulary

MADE = "spiece.model", "tokenizer_config.json"
LINE = 1000  # characters of a text that SentencePiece sees at once


def train_vocabulary(texts: Iterable[str], options: Vocabulary, folder: Path) -> tuple[str, ...]:
    """Write the files of a tokenizer; their names. Raises UserError when the texts are too few
    for that many pieces, or have more characters than that."""
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_training_lines(texts, options.characters),
            model_writer=model,
            model_type="unigram",
            vocab_size=options.size,
            byte_fallback=True,
            character_coverage=0.9995,
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            max_sentence_length=LINE * 4,
            num_threads=2,
            minloglevel=2,
        )
    except RuntimeError as error:
        few = "smaller than required_chars" in str(error)
        cure = "a larger vocabulary.size" if few else "more text or a smaller vocabulary.size"
        raise UserError(
            f"No vocabulary of {options.size:,} pieces can be made of these texts "
            f"({reason(error)}): give {cure}."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / MADE[0]) as part:
        part.write_bytes(model.getvalue())
    settings = {
        "tokenizer_class": "T5Tokenizer",
        "model_max_length": options.max_length,
        "extra_ids": options.extra_ids,
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    write_json(folder / MADE[1], settings)
    return MADE


def _training_lines(texts: Iterable[str], characters: int) -> Iterator[str]:
    for text in texts:
        for begin in range(0, len(text), LINE):
            if characters <= 0:
                return
            line = text[begin : min(begin + LINE, begin + characters)]
            yield line
            characters -= len(line)
