"""Train a SentencePiece vocabulary with T5's special ids: pad 0, </s> 1, <unk> 2."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..checkpoint import replacing, write_json
from ..errors import UserError, reason
from .recipe import Vocabulary

TOKENIZER_FILE_NAMES = "spiece.model", "tokenizer_config.json"
LINE_CHARACTERS = 1000  # texts are cut into lines, since SentencePiece skips long ones


def train_vocabulary(texts: Iterable[str], options: Vocabulary, folder: Path) -> tuple[str, ...]:
    """Train and write a tokenizer; return the names of its files.

    Raises UserError when the texts are too short for that many pieces, or have more distinct
    characters than pieces.
    """
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
            max_sentence_length=LINE_CHARACTERS * 4,
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
    with replacing(folder / TOKENIZER_FILE_NAMES[0]) as part:
        part.write_bytes(model.getvalue())
    settings = {
        "tokenizer_class": "T5Tokenizer",
        "model_max_length": options.max_length,
        "extra_ids": options.extra_ids,
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    write_json(folder / TOKENIZER_FILE_NAMES[1], settings)
    return TOKENIZER_FILE_NAMES


def _training_lines(texts: Iterable[str], characters: int) -> Iterator[str]:
    for text in texts:
        for begin in range(0, len(text), LINE_CHARACTERS):
            if characters <= 0:
                return
            line = text[begin : min(begin + LINE_CHARACTERS, begin + characters)]
            yield line
            characters -= len(line)
