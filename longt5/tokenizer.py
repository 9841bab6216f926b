"""T5's tokenizer over SentencePiece or tokenizers, and a decoder of streamed ids."""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsInt

from .checkpoint import abbreviated, damaged, locate, read_object

SPECIAL_TOKENS = "<pad>", "</s>", "<unk>"
EXTRA_ID = re.compile(r"<extra_id_(\d+)>")
BYTE_PIECE = re.compile("<0x([0-9A-Fa-f]{2})>")

Offset = tuple[int, int]


def token_range(text: str, offsets: Sequence[Offset], start: int, end: int) -> Offset:
    """Return the token range [begin, stop) of the characters [start, end) of ``text``.

    A space before them that is a token of its own is included. ``offsets``: each token's
    characters [start, end).
    """
    begin = max(0, bisect_right(offsets, start, key=_start) - 1)
    # Of a character in several byte pieces only the last piece has an extent.
    while begin and not text[slice(*offsets[begin - 1])].strip():
        begin -= 1
    return begin, bisect_right(offsets, end - 1, key=_start)


def _start(offset: Offset) -> int:
    return offset[0]


@dataclass
class Encoding:
    """Ids and masks (1 token, 0 padding), one list per text."""

    input_ids: list[list[int]]
    attention_mask: list[list[int]]


class Tokenizer:
    """T5's tokenizer: pieces, then 100 extra ids, ``</s>`` at the end. No task prefix."""

    def __init__(self, pieces: Any, settings: dict[str, Any]) -> None:
        self._vocabulary = pieces
        limit = settings.get("model_max_length")
        number = limit if isinstance(limit, (int, float)) else math.nan
        self.model_max_length = int(number) if math.isfinite(number) else None
        self.pad_token_id, self.eos_token_id, self.unk_token_id = 0, 1, 2
        extra_ids = settings.get("extra_ids", 100)
        if not isinstance(extra_ids, int) or extra_ids < 0:
            raise ValueError(f"extra_ids in tokenizer_config.json must be a count, not {extra_ids}")
        names = dict(enumerate(SPECIAL_TOKENS)) | pieces.special(extra_ids)
        self.special: dict[int, str] = names  # special tokens by id
        numbers = {int(n[1]): i for i, name in names.items() if (n := EXTRA_ID.fullmatch(name))}
        self.sentinels = [numbers[n] for n in sorted(numbers)]  # <extra_id_0>, <extra_id_1>, ...
        self.extra_ids = len(numbers)
        self.vocab_size = max(pieces.size(), *(i + 1 for i in names))

    @classmethod
    def from_pretrained(
        cls,
        folder_or_hub_id: str | Path,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> Tokenizer:
        """Read ``spiece.model``, or ``tokenizer.json`` if it is the only file or has more tokens.

        Raises FileNotFoundError or ValueError.
        """
        folder = locate(folder_or_hub_id, revision, local_files_only)
        path = folder / "tokenizer_config.json"
        settings = read_object(path) if path.is_file() else {}
        return cls(_load_vocabulary(folder, settings), settings)

    def encode(self, text: str, add_eos: bool = True) -> list[int]:
        """Return the ids of one text, with ``</s>`` by default."""
        return self._vocabulary.encode(text) + [self.eos_token_id] * add_eos

    def encode_with_offsets(
        self, text: str, add_eos: bool = True
    ) -> tuple[list[int], list[Offset]]:
        """Return ids and, for each, its characters [start, end) of ``text``."""
        ids, offsets = self._vocabulary.encode_with_offsets(text)
        if add_eos:
            return [*ids, self.eos_token_id], [*offsets, (len(text), len(text))]
        return ids, offsets

    def __call__(
        self,
        texts: str | Sequence[str],
        max_length: int | None = None,
        padding: bool = False,
        truncation: bool = False,
    ) -> Encoding:
        """Encode a batch. Truncation to ``max_length`` (None: the tokenizer's own limit, if any)
        keeps ``</s>``; padding is on the right."""
        if max_length is None:
            max_length = self.model_max_length
        rows = [self.encode(t) for t in ([texts] if isinstance(texts, str) else texts)]
        if truncation and max_length is not None:
            rows = [
                r if len(r) <= max_length else [*r[: max_length - 1], self.eos_token_id]
                for r in rows
            ]
        width = max(map(len, rows), default=0) if padding else 0
        return Encoding(
            [r + [self.pad_token_id] * (width - len(r)) for r in rows],
            [[1] * len(r) + [0] * (width - len(r)) for r in rows],
        )

    def decode(self, ids: Iterable[SupportsInt], skip_special_tokens: bool = True) -> str:
        """Return the text of ids, or of a tensor [T]; by default without pad, ``</s>``, ``<unk>``
        and extra ids."""
        numbers = [int(i) for i in ids]
        if skip_special_tokens:
            return self._vocabulary.decode([i for i in numbers if i not in self.special])
        parts: list[str] = []
        run: list[int] = []
        for i in numbers:
            if i in self.special:
                parts += [self._vocabulary.decode(run), self.special[i]]
                run = []
            else:
                run.append(i)
        return " ".join(p for p in [*parts, self._vocabulary.decode(run)] if p)

    def batch_decode(
        self, rows: Iterable[Iterable[SupportsInt]], skip_special_tokens: bool = True
    ) -> list[str]:
        """Return the text of each row of ids, or of a tensor [B, T]."""
        return [self.decode(row, skip_special_tokens) for row in rows]

    def count(self, text: str) -> int:
        """Return the number of tokens of a text, without ``</s>``."""
        return len(self.encode(text, add_eos=False))

    def byte(self, token: int) -> int | None:
        """Return the byte of a byte-fallback piece such as ``<0xE2>``, None for other pieces."""
        found = BYTE_PIECE.fullmatch(self._vocabulary.piece(token))
        return int(found[1], 16) if found else None


def _load_vocabulary(folder: Path, settings: dict[str, Any]) -> Any:
    """Return the vocabulary of a folder.

    A fine-tune may have added tokens, or learnt a vocabulary of its own, and still contain the
    ``spiece.model`` that it began with; then ``tokenizer.json`` is right. If both have the same
    tokens, ``spiece.model`` is better: ``tokenizer.json`` does not mark byte pieces.
    """
    first, second = folder / "spiece.model", folder / "tokenizer.json"
    if not first.is_file() and not second.is_file():
        raise FileNotFoundError(f"There is no spiece.model and no tokenizer.json in {folder}.")
    fast = _FastPieces(second) if second.is_file() else None
    if not first.is_file():
        return fast
    pieces = _SentencePieces(first)
    if fast is not None:
        return fast if pieces.lacks(fast.vocabulary()) else pieces
    if lost := pieces.lacks(_added_tokens(folder, settings)):
        raise ValueError(
            f"Tokens were added to the tokenizer in {folder} ({abbreviated(lost)}) that "
            "spiece.model lacks; save it with transformers' AutoTokenizer, so that there is a "
            "tokenizer.json"
        )
    return pieces


def _added_tokens(folder: Path, settings: dict[str, Any]) -> dict[str, int]:
    """Return the ids of tokens that slow tokenizers of transformers 4 list in other files."""
    path = folder / "added_tokens.json"
    found = dict(read_object(path)) if path.is_file() else {}
    decoder = settings.get("added_tokens_decoder")
    for token, value in decoder.items() if isinstance(decoder, dict) else ():
        if isinstance(value, dict) and token.isdecimal():
            found[str(value.get("content"))] = int(token)
    return found


class _SentencePieces:
    """The sentencepiece library over ``spiece.model``."""

    def __init__(self, path: Path) -> None:
        import sentencepiece

        try:
            self._model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise damaged(path, error, "SentencePiece model") from error

    def lacks(self, vocabulary: dict[str, int]) -> list[str]:
        """Return the tokens that this file lacks or has with another id; extra ids do not count."""
        tokens = [token for token in vocabulary if not EXTRA_ID.match(token)]
        own = self._model.piece_to_id(tokens)
        return [t for t, i in zip(tokens, own, strict=True) if i != vocabulary[t]]

    def size(self) -> int:
        return self._model.get_piece_size()

    def special(self, extra_ids: int) -> dict[int, str]:
        """Return the extra ids, which follow the pieces, the first one last."""
        return {self.size() + i: f"<extra_id_{extra_ids - 1 - i}>" for i in range(extra_ids)}

    def piece(self, token: int) -> str:
        return self._model.id_to_piece(token) if token < self.size() else ""

    def encode(self, text: str) -> list[int]:
        return self._model.encode(text)

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[Offset]]:
        found = self._model.encode(text, return_type="offset_mapping")
        return list(found["ids"]), [(int(a), int(b)) for a, b in found["offsets"]]

    def decode(self, ids: Sequence[int]) -> str:
        return self._model.decode([i for i in ids if 0 <= i < self.size()])


class _FastPieces:
    """The tokenizers library over ``tokenizer.json``, which lists the extra ids itself."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer as Fast

        try:
            self._model = Fast.from_file(str(path))
        except Exception as error:  # the library raises plain exceptions
            raise damaged(path, error, "tokenizer") from error
        # Settings that were saved with the file; they would cut every document.
        self._model.no_truncation()
        self._model.no_padding()

    def size(self) -> int:
        return self._model.get_vocab_size(with_added_tokens=True)

    def vocabulary(self) -> dict[str, int]:
        return self._model.get_vocab(with_added_tokens=True)

    def special(self, extra_ids: int) -> dict[int, str]:
        """Return what the file marks as special; a token that was added as text is text."""
        added = self._model.get_added_tokens_decoder()
        return {
            i: token.content
            for i, token in added.items()
            if token.special or EXTRA_ID.fullmatch(token.content)
        }

    def piece(self, token: int) -> str:
        return self._model.id_to_token(token) or ""

    def encode(self, text: str) -> list[int]:
        return self._model.encode(text, add_special_tokens=False).ids

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[Offset]]:
        encoded = self._model.encode(text, add_special_tokens=False)
        return encoded.ids, [(int(a), int(b)) for a, b in encoded.offsets]

    def decode(self, ids: Sequence[int]) -> str:
        return self._model.decode(list(ids))


class StreamingDecoder:
    """Decodes streamed drafts; committed text consists of whole words and never changes."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._committed = 0
        self._whole = ""

    def update(
        self, committed: Sequence[int], provisional: Sequence[int], done: bool = False
    ) -> tuple[str, str]:
        """Return (committed text, provisional text) of a draft.

        A word is whole when committed text follows it; ``done`` commits all. The two strings
        joined are the text of all ids, without a last character that lacks bytes.
        """
        if done or len(committed) != self._committed:
            sure = committed if done else self._without_partial_character(committed)
            text = self._tokenizer.decode(sure)
            self._whole = text if done else text[: last_word_end(text)]
            self._committed = len(committed)
        everything = [*committed, *provisional]
        if provisional or not done:
            everything = self._without_partial_character(everything)
        return self._whole, self._tokenizer.decode(everything)[len(self._whole) :]

    def _without_partial_character(self, ids: Sequence[int]) -> list[int]:
        """Return ids without the bytes at the end that do not yet form a character."""
        run: list[int] = []
        for token in reversed(ids[-4:]):
            byte = self._tokenizer.byte(token)
            if byte is None:
                break
            run.insert(0, byte)
        # At most three bytes can be the beginning of a character.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.decode(bytes(run))
        waiting = len(decoder.getstate()[0])
        return list(ids[: len(ids) - waiting])


# Scripts written without spaces: there, a word ends where the next character begins.
UNSPACED_SCRIPTS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
    "\U00020000-\U0003ffff]"
)
JOINER = "\u200d"
# Not combining marks by category, but never first in a word: kana sound marks, Thai and Lao vowels.
NEVER_WORD_INITIAL = JOINER + "\uff9e\uff9f\u0e30\u0e32\u0e33\u0e45\u0e46\u0eb0\u0eb2\u0eb3\u0ec6"


def last_word_end(text: str) -> int:
    """Return the length of the longest prefix of whole words with text after it, 0 without one.

    An end inside the text stays a word end whatever text is added.
    """
    for at in range(len(text) - 1, 0, -1):
        if text[at].isspace() or _is_word_boundary(text[at - 1], text[at]):
            return at
    return 0


def _is_word_boundary(before: str, after: str) -> bool:
    """Return whether two adjacent characters belong to two words."""
    if not UNSPACED_SCRIPTS.match(before) and not UNSPACED_SCRIPTS.match(after):
        return False
    continues_word = unicodedata.category(after)[0] == "M" or after in NEVER_WORD_INITIAL
    return not continues_word and before != JOINER
