"""Text to ids and back with SentencePiece or tokenizers; whole words only while streaming."""

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

from .checkpoint import damaged, locate, read_object, some

NAMES = "<pad>", "</s>", "<unk>"
EXTRA = re.compile(r"<extra_id_(\d+)>")
BYTE_PIECE = re.compile("<0x([0-9A-Fa-f]{2})>")

Span = tuple[int, int]


def token_range(text: str, offsets: Sequence[Span], start: int, end: int) -> Span:
    """[begin, stop) of the tokens that stand for characters [start, end) of ``text``, with a
    space before them that is a token of its own; ``offsets`` are each token's characters."""
    begin = max(0, bisect_right(offsets, start, key=_start) - 1)
    # Of a character in several byte pieces only the last one has an extent.
    while begin and not text[slice(*offsets[begin - 1])].strip():
        begin -= 1
    return begin, bisect_right(offsets, end - 1, key=_start)


def _start(offset: Span) -> int:
    return offset[0]


@dataclass
class Encoding:
    """Ids and masks (1 token, 0 padding), a list per text."""

    input_ids: list[list[int]]
    attention_mask: list[list[int]]


class Tokenizer:
    """T5's tokenizer: pieces, then 100 extra ids, ``</s>`` at the end. No task prefix."""

    def __init__(self, pieces: Any, settings: dict[str, Any]) -> None:
        self._pieces = pieces
        limit = settings.get("model_max_length")
        number = limit if isinstance(limit, (int, float)) else math.nan
        self.model_max_length = int(number) if math.isfinite(number) else None
        self.pad_token_id, self.eos_token_id, self.unk_token_id = 0, 1, 2
        extra_ids = settings.get("extra_ids", 100)
        if not isinstance(extra_ids, int) or extra_ids < 0:
            raise ValueError(f"extra_ids in tokenizer_config.json must be a count, not {extra_ids}")
        names = dict(enumerate(NAMES)) | pieces.special(extra_ids)
        self.special: dict[int, str] = names  # what is no text, by id
        numbers = {int(n[1]): i for i, name in names.items() if (n := EXTRA.fullmatch(name))}
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
        """Read ``spiece.model``, or ``tokenizer.json`` where that is alone or has more tokens.
        Raises FileNotFoundError or ValueError."""
        folder = locate(folder_or_hub_id, revision, local_files_only)
        path = folder / "tokenizer_config.json"
        settings = read_object(path) if path.is_file() else {}
        return cls(_pieces(folder, settings), settings)

    def encode(self, text: str, add_eos: bool = True) -> list[int]:
        """Ids of one text, with ``</s>`` unless told otherwise."""
        return self._pieces.encode(text) + [self.eos_token_id] * add_eos

    def encode_with_offsets(self, text: str, add_eos: bool = True) -> tuple[list[int], list[Span]]:
        """Ids and, for each, the characters [start, end) of ``text`` it stands for."""
        ids, offsets = self._pieces.encode_with_offsets(text)
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
        """Encode a batch; truncation to ``max_length`` (None: the tokenizer's own limit, where it
        has one) keeps ``</s>``; padding is on the right."""
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
        """Text of ids, or of a tensor [T]; pad, ``</s>``, ``<unk>`` and extra ids are left out by
        default."""
        numbers = [int(i) for i in ids]
        if skip_special_tokens:
            return self._pieces.decode([i for i in numbers if i not in self.special])
        parts: list[str] = []
        run: list[int] = []
        for i in numbers:
            if i in self.special:
                parts += [self._pieces.decode(run), self.special[i]]
                run = []
            else:
                run.append(i)
        return " ".join(p for p in [*parts, self._pieces.decode(run)] if p)

    def batch_decode(
        self, rows: Iterable[Iterable[SupportsInt]], skip_special_tokens: bool = True
    ) -> list[str]:
        """Text of each row of ids, or of a tensor [B, T]."""
        return [self.decode(row, skip_special_tokens) for row in rows]

    def count(self, text: str) -> int:
        """Tokens of a text without ``</s>``."""
        return len(self.encode(text, add_eos=False))

    def byte(self, token: int) -> int | None:
        """The byte that a byte-fallback piece such as ``<0xE2>`` stands for."""
        found = BYTE_PIECE.fullmatch(self._pieces.piece(token))
        return int(found[1], 16) if found else None


def _pieces(folder: Path, settings: dict[str, Any]) -> Any:
    """The vocabulary of a folder.

    A fine-tune may have added tokens, or learnt a vocabulary of its own, and still have the
    ``spiece.model`` that it began with. Where nothing differs that file is better: of one with
    byte pieces, transformers' ``tokenizer.json`` no longer knows what they are.
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
    if lost := pieces.lacks(_added(folder, settings)):
        raise ValueError(
            f"Tokens were added to the tokenizer in {folder} ({some(lost)}) that spiece.model "
            "lacks; save it with transformers' AutoTokenizer, so that there is a tokenizer.json"
        )
    return pieces


def _added(folder: Path, settings: dict[str, Any]) -> dict[str, int]:
    """The ids of tokens that slow tokenizers of transformers 4 list beside ``spiece.model``."""
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
        """The tokens that are no pieces of this file with the same id; extra ids are nobody's."""
        tokens = [token for token in vocabulary if not EXTRA.match(token)]
        own = self._model.piece_to_id(tokens)
        return [t for t, i in zip(tokens, own, strict=True) if i != vocabulary[t]]

    def size(self) -> int:
        return self._model.get_piece_size()

    def special(self, extra_ids: int) -> dict[int, str]:
        """The extra ids, which come after the pieces, the first one last."""
        return {self.size() + i: f"<extra_id_{extra_ids - 1 - i}>" for i in range(extra_ids)}

    def piece(self, token: int) -> str:
        return self._model.id_to_piece(token) if token < self.size() else ""

    def encode(self, text: str) -> list[int]:
        return self._model.encode(text)

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[Span]]:
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
        except Exception as error:  # the library raises no other
            raise damaged(path, error, "tokenizer") from error
        # Left by whoever saved the file; here they would cut every document.
        self._model.no_truncation()
        self._model.no_padding()

    def size(self) -> int:
        return self._model.get_vocab_size(with_added_tokens=True)

    def vocabulary(self) -> dict[str, int]:
        return self._model.get_vocab(with_added_tokens=True)

    def special(self, extra_ids: int) -> dict[int, str]:
        """What the file calls special; a token that was added as text is text."""
        added = self._model.get_added_tokens_decoder()
        return {
            i: token.content
            for i, token in added.items()
            if token.special or EXTRA.fullmatch(token.content)
        }

    def piece(self, token: int) -> str:
        return self._model.id_to_token(token) or ""

    def encode(self, text: str) -> list[int]:
        return self._model.encode(text, add_special_tokens=False).ids

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[Span]]:
        encoded = self._model.encode(text, add_special_tokens=False)
        return encoded.ids, [(int(a), int(b)) for a, b in encoded.offsets]

    def decode(self, ids: Sequence[int]) -> str:
        return self._model.decode(list(ids))


class StreamingDecoder:
    """Drafts of ids into text: committed text is whole words and never changes."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._committed = 0
        self._whole = ""

    def update(
        self, committed: Sequence[int], provisional: Sequence[int], done: bool = False
    ) -> tuple[str, str]:
        """(committed text, provisional text) of a draft.

        A word is whole when committed text follows it; ``done`` commits all. The two strings
        joined are the text of all ids, less a character of which only some bytes are there.
        """
        if done or len(committed) != self._committed:
            sure = committed if done else self._without_half_character(committed)
            text = self._tokenizer.decode(sure)
            self._whole = text if done else text[: last_word_end(text)]
            self._committed = len(committed)
        everything = [*committed, *provisional]
        if provisional or not done:
            everything = self._without_half_character(everything)
        return self._whole, self._tokenizer.decode(everything)[len(self._whole) :]

    def _without_half_character(self, ids: Sequence[int]) -> list[int]:
        """Without the bytes at the end that do not yet make a character."""
        run: list[int] = []
        for token in reversed(ids[-4:]):
            byte = self._tokenizer.byte(token)
            if byte is None:
                break
            run.insert(0, byte)
        # At most three bytes wait for the rest of theirs.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.decode(bytes(run))
        waiting = len(decoder.getstate()[0])
        return list(ids[: len(ids) - waiting])


# Scripts written without spaces: there, a word ends where the next character begins.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
    "\U00020000-\U0003ffff]"
)
JOINER = "\u200d"
# No marks by category, but never first in a word: kana sound marks, Thai and Lao vowels.
CLINGING = JOINER + "\uff9e\uff9f\u0e30\u0e32\u0e33\u0e45\u0e46\u0eb0\u0eb2\u0eb3\u0ec6"


def last_word_end(text: str) -> int:
    """Length of the longest prefix of whole words that something follows, 0 without one.

    An end inside the text stays one whatever follows.
    """
    for at in range(len(text) - 1, 0, -1):
        if text[at].isspace() or _parts(text[at - 1], text[at]):
            return at
    return 0


def _parts(before: str, after: str) -> bool:
    """Whether two characters that touch belong to two words."""
    if not UNSPACED.match(before) and not UNSPACED.match(after):
        return False
    clings = unicodedata.category(after)[0] == "M" or after in CLINGING
    return not clings and before != JOINER
