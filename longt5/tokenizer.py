"""T5's tokenizer: ids of texts, texts of ids, and a decoder of streamed ids."""

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

from .checkpoint import abbreviated, locate, read_object
from .sharing import HubOptions
from .vocabularies import (
    BYTE_EXTRA_IDS,
    EXTRA_ID,
    SPACE,
    ByteVocabulary,
    FastPieces,
    Offset,
    Pieces,
    SentencePieces,
)

DEFAULT_WORDS = {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"}


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
    """T5's tokenizer: pieces, then extra ids, ``</s>`` at the end. No task prefix.

    The word of a special token in a text (``</s>``, ``<pad>``, ``<extra_id_0>``) becomes that
    token, as in transformers; with ``split_special_tokens`` it is text like any other, as it
    should be in documents.
    """

    def __init__(
        self,
        vocabulary: Pieces,
        settings: dict[str, Any],
        special_ids: dict[str, int],
        split_special_tokens: bool = False,
    ) -> None:
        self._vocabulary = vocabulary
        self.split_special_tokens = split_special_tokens
        limit = settings.get("model_max_length")
        number = limit if isinstance(limit, (int, float)) else math.nan
        self.model_max_length = int(number) if math.isfinite(number) else None
        self.pad_token_id = special_ids["pad"]
        self.eos_token_id = special_ids["eos"]
        self.unk_token_id = special_ids["unk"]
        words = {token: DEFAULT_WORDS[kind] for kind, token in special_ids.items()}
        names = words | vocabulary.special
        self.special: dict[int, str] = names  # special tokens by id
        numbers = {int(n[1]): i for i, name in names.items() if (n := EXTRA_ID.fullmatch(name))}
        self.sentinels = [numbers[n] for n in sorted(numbers)]  # <extra_id_0>, <extra_id_1>, ...
        self.extra_ids = len(numbers)
        self.vocab_size = max(vocabulary.size(), *(i + 1 for i in names))

    @classmethod
    def from_pretrained(
        cls,
        folder_or_hub_id: str | Path,
        revision: str | None = None,
        local_files_only: bool = False,
        *,
        split_special_tokens: bool | None = None,
        subfolder: str = "",
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        force_download: bool = False,
    ) -> Tokenizer:
        """Read ``spiece.model``, or ``tokenizer.json`` if it is the only file or has more tokens;
        with neither, a ByT5Tokenizer has bytes.

        ``split_special_tokens`` None: as ``tokenizer_config.json`` says, else False. Raises
        FileNotFoundError, or ValueError for files that contradict each other.
        """
        hub = HubOptions(cache_dir, token, force_download).given()
        folder = locate(folder_or_hub_id, revision, local_files_only, hub=hub) / subfolder
        settings, model = (
            read_object(path) if (path := folder / name).is_file() else {}
            for name in ("tokenizer_config.json", "config.json")
        )
        extra_ids = settings.get("extra_ids", 100)
        if not isinstance(extra_ids, int) or extra_ids < 0:
            raise ValueError(f"extra_ids in tokenizer_config.json must be a count, not {extra_ids}")
        settings = {"tokenizer_class": model.get("tokenizer_class")} | settings
        vocabulary, beside = _load_vocabulary(folder, settings, extra_ids)
        if split_special_tokens is None:
            split_special_tokens = bool(settings.get("split_special_tokens", False))
        ids = _special_ids(vocabulary, settings, model, beside)
        return cls(vocabulary, settings, ids, split_special_tokens)

    def encode(
        self, text: str, add_eos: bool = True, split_special_tokens: bool | None = None
    ) -> list[int]:
        """Return the ids of one text, with ``</s>`` by default.

        ``split_special_tokens`` None: as the tokenizer was made.
        """
        ids = self._vocabulary.ids(text, self._splits(split_special_tokens))
        return ids + [self.eos_token_id] * (add_eos and self._needs_eos(ids))

    def encode_with_offsets(
        self, text: str, add_eos: bool = True, split_special_tokens: bool | None = None
    ) -> tuple[list[int], list[Offset]]:
        """Return ids and, for each, its characters [start, end) of ``text``."""
        ids, offsets = self._vocabulary.encode(text, self._splits(split_special_tokens))
        if add_eos and self._needs_eos(ids):
            return [*ids, self.eos_token_id], [*offsets, (len(text), len(text))]
        return ids, offsets

    def _needs_eos(self, ids: list[int]) -> bool:
        return self._vocabulary.repeats_eos or ids[-1:] != [self.eos_token_id]

    def _splits(self, given: bool | None) -> bool:
        return self.split_special_tokens if given is None else given

    def __call__(
        self,
        texts: str | Sequence[str],
        max_length: int | None = None,
        padding: bool = False,
        truncation: bool = False,
        split_special_tokens: bool | None = None,
    ) -> Encoding:
        """Encode a batch. Truncation to ``max_length`` (None: the tokenizer's own limit, if any)
        keeps ``</s>``; padding is on the right."""
        if max_length is None:
            max_length = self.model_max_length
        rows = [
            self.encode(t, split_special_tokens=split_special_tokens)
            for t in ([texts] if isinstance(texts, str) else texts)
        ]
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
            numbers = [i for i in numbers if i not in self.special]
        return self._vocabulary.decode(numbers)

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
        return self._vocabulary.byte(token)

    def token_text(self, token: int) -> bytes:
        """Return what a token adds to a text in UTF-8: a space before a word, a special name."""
        byte = self.byte(token)
        if byte is not None:
            return bytes([byte])
        name = self.special.get(token)
        return (
            self._vocabulary.piece(token).replace(SPACE, " ") if name is None else name
        ).encode()


def _load_vocabulary(
    folder: Path, settings: dict[str, Any], extra_ids: int
) -> tuple[Pieces, Pieces | None]:
    """Return the vocabulary of a folder, and the one beside it that is not used.

    A fine-tune may have added tokens, or learnt a vocabulary of its own, and still contain the
    ``spiece.model`` that it began with; then ``tokenizer.json`` is right. If both have the same
    tokens, ``spiece.model`` is better: ``tokenizer.json`` does not mark byte pieces.
    """
    first, second = folder / "spiece.model", folder / "tokenizer.json"
    added = _added_tokens(folder, settings)
    if not first.is_file() and not second.is_file():
        if settings.get("tokenizer_class") == "ByT5Tokenizer":
            return ByteVocabulary(added, extra_ids or BYTE_EXTRA_IDS, _stripping(settings)), None
        raise FileNotFoundError(
            f"There is no spiece.model and no tokenizer.json in {folder}, and no "
            "tokenizer_config.json that names the ByT5Tokenizer."
        )
    fast = FastPieces(second) if second.is_file() else None
    if not first.is_file():
        assert fast is not None
        return fast, None
    pieces = SentencePieces(first, extra_ids)
    if fast is not None:
        known = fast.vocabulary()
        return (fast, pieces) if pieces.lacks(known) or pieces.moves(known) else (pieces, fast)
    if lost := pieces.lacks(added):
        raise ValueError(
            f"Tokens were added to the tokenizer in {folder} ({abbreviated(lost)}) that "
            "spiece.model lacks; save it with transformers' AutoTokenizer, so that there is a "
            "tokenizer.json"
        )
    if moved := pieces.moves(added):
        raise ValueError(
            f"The tokens {abbreviated(moved)} have other ids in spiece.model than in the files "
            f"beside it in {folder}; fetch or copy the tokenizer again"
        )
    return pieces, None


def _added_tokens(folder: Path, settings: dict[str, Any]) -> dict[str, int]:
    """Return the ids of tokens that slow tokenizers of transformers 4 list in other files."""
    path = folder / "added_tokens.json"
    found = dict(read_object(path)) if path.is_file() else {}
    decoder = settings.get("added_tokens_decoder")
    for token, value in decoder.items() if isinstance(decoder, dict) else ():
        if isinstance(value, dict) and token.isdecimal():
            found[str(value.get("content"))] = int(token)
    return found


def _stripping(settings: dict[str, Any]) -> set[int]:
    """Return the tokens of a ByT5Tokenizer that take the white space around them along."""
    decoder = settings.get("added_tokens_decoder")
    if not isinstance(decoder, dict):
        return {0, 1, 2}
    stripping = (i for i, v in decoder.items() if isinstance(v, dict) and v.get("lstrip"))
    return {int(token) for token in stripping if token.isdecimal()}


def _special_ids(
    vocabulary: Pieces,
    settings: dict[str, Any],
    model: dict[str, Any],
    beside: Pieces | None,
) -> dict[str, int]:
    """Return the ids of pad, eos and unk.

    They are the words that ``settings`` (tokenizer_config.json) names, in the ``vocabulary``, and
    must be those of the vocabulary's own file, of the file ``beside`` it that is not used and of
    ``model`` (config.json). Raises ValueError naming a contradiction.
    """
    found: dict[str, int] = {}
    own = vocabulary.own_ids()
    other = beside.own_ids() if beside is not None else {}
    for kind, default in DEFAULT_WORDS.items():
        name = settings.get(f"{kind}_token") or default
        word = str(name.get("content") if isinstance(name, dict) else name)
        token = vocabulary.id_of(word)
        if token is None:
            token = own.get(kind)
        if token is None:
            raise ValueError(f"The tokenizer has no token {word}, its {kind}_token.")
        expected = {
            "the vocabulary": own.get(kind),
            "the file beside it": other.get(kind),
            "config.json": model.get(f"{kind}_token_id"),
        }
        for where, ids in expected.items():
            if ids is not None and token not in (ids if isinstance(ids, list) else [ids]):
                raise ValueError(
                    f"The token {word} has the id {token}, but {where} has {ids} as its "
                    f"{kind}_token_id; fetch or copy the tokenizer again"
                )
        found[kind] = token
    return found


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
