"""Vocabularies of tokenizers: ``spiece.model``, ``tokenizer.json``, and the bytes of ByT5.

Each encodes text, in which the words of special tokens are text (``split``) or those tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from .checkpoint import damaged, read_object

EXTRA_ID = re.compile(r"<extra_id_(\d+)>")
RARE_PIECE = -15.0  # log-probability, below that of the rarest piece of T5's vocabularies
BYTE_PIECE = re.compile("<0x([0-9A-Fa-f]{2})>")
BYTES, BYTE_OFFSET, BYTE_EXTRA_IDS = 256, 3, 125  # ByT5: pad, </s>, <unk>, then the bytes
SPACE = "\u2581"  # begins a piece that begins a word
# Begins the names of hidden pieces; a noncharacter, which no text holds.
HIDDEN = "\ufdd0"

Offset = tuple[int, int]
Part = tuple[int, int, "int | None"]  # characters [start, end), and the id of a special token


class Pieces(Protocol):
    """What a tokenizer needs of its vocabulary. ``special``: names of special tokens by id;
    ``repeats_eos``: ``</s>`` is appended to a text that ends with it too."""

    special: dict[int, str]
    repeats_eos: bool

    def size(self) -> int: ...
    def id_of(self, name: str) -> int | None: ...
    def own_ids(self) -> dict[str, int | None]: ...
    def encode(self, text: str, split: bool) -> tuple[list[int], list[Offset]]: ...
    def ids(self, text: str, split: bool) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def byte(self, token: int) -> int | None: ...
    def piece(self, token: int) -> str: ...


def spans(text: str, special: Mapping[int, str]) -> Iterator[Part]:
    """Cut a text at the words of special tokens, of which the longest counts.

    >>> list(spans("a<s>b", {7: "<s>"}))
    [(0, 1, None), (1, 4, 7), (4, 5, None)]
    """
    by_word = {word: token for token, word in special.items()}
    words = sorted(by_word, key=len, reverse=True)
    at = 0
    for found in re.finditer("|".join(map(re.escape, words)) or "(?!)", text):
        yield at, found.start(), None
        yield found.start(), found.end(), by_word[found[0]]
        at = found.end()
    yield at, len(text), None


class SentencePieces:
    """The sentencepiece library over ``spiece.model``; extra ids follow, the first one last."""

    repeats_eos = True

    def __init__(self, path: Path, extra_ids: int) -> None:
        import sentencepiece

        try:
            self._model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise damaged(path, error, "SentencePiece model") from error
        model, size = self._model, self.size()
        control = [i for i in range(size) if model.is_control(i) or model.is_unknown(i)]
        self.special = {i: model.id_to_piece(i) for i in control}
        self.special |= {size + i: f"<extra_id_{extra_ids - 1 - i}>" for i in range(extra_ids)}

    def size(self) -> int:
        return self._model.get_piece_size()

    def id_of(self, name: str) -> int | None:
        token = self._model.piece_to_id(name)
        if self._model.id_to_piece(token) == name:
            return token
        return next((i for i, word in self.special.items() if word == name), None)

    def own_ids(self) -> dict[str, int | None]:
        """Return the ids that the file itself names, None for those that it lacks."""
        model = self._model
        found = {"pad": model.pad_id(), "eos": model.eos_id(), "unk": model.unk_id()}
        return {kind: token if token >= 0 else None for kind, token in found.items()}

    def log_probability(self, text: str) -> float:
        """Return the log-probability of a text: the sum over its likeliest pieces, where a letter
        without a piece of its own counts as RARE_PIECE."""
        model, total = self._model, 0.0
        for piece in model.encode(text):
            is_rare = model.is_unknown(piece) or model.is_byte(piece)
            total += RARE_PIECE if is_rare else model.get_score(piece)
        return total

    def lacks(self, vocabulary: Mapping[str, int]) -> list[str]:
        """Return the tokens that this file lacks; extra ids do not count."""
        return [t for t in vocabulary if not EXTRA_ID.match(t) and self.id_of(t) is None]

    def moves(self, vocabulary: Mapping[str, int]) -> list[str]:
        """Return the tokens that this file has with another id; extra ids do not count."""
        names = [t for t in vocabulary if not EXTRA_ID.match(t)]
        return [t for t in names if self.id_of(t) not in (None, vocabulary[t])]

    def byte(self, token: int) -> int | None:
        found = BYTE_PIECE.fullmatch(self.piece(token))
        return int(found[1], 16) if found else None

    def piece(self, token: int) -> str:
        return self._model.id_to_piece(token) if 0 <= token < self.size() else ""

    def ids(self, text: str, split: bool) -> list[int]:
        if split:
            return self._model.encode(text)
        found: list[int] = []
        for start, end, token in spans(text, self.special):
            found += self._model.encode(text[start:end]) if token is None else [token]
        return found

    def encode(self, text: str, split: bool) -> tuple[list[int], list[Offset]]:
        ids: list[int] = []
        offsets: list[Offset] = []
        for start, end, token in [(0, len(text), None)] if split else spans(text, self.special):
            if token is not None:
                ids.append(token)
                offsets.append((start, end))
                continue
            found = self._model.encode(text[start:end], return_type="offset_mapping")
            ids += found["ids"]
            offsets += [(start + int(a), start + int(b)) for a, b in found["offsets"]]
        return ids, offsets

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, with the names of special tokens, spaced as transformers."""
        text = ""
        for special, run in groupby(ids, self.special.__contains__):
            tokens = [i for i in run if special or 0 <= i < self.size()]
            if special:
                text += "".join(self.special[i] for i in tokens)
            elif tokens:
                begins_word = self._model.id_to_piece(tokens[0]).startswith(SPACE)
                text += " " * bool(text and begins_word) + self._model.decode(tokens)
        return text


class FastPieces:
    """The tokenizers library over ``tokenizer.json``, which lists the extra ids itself."""

    repeats_eos = True

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer as Fast

        self._path = path
        try:
            self._model = Fast.from_file(str(path))
        except Exception as error:  # the library raises plain exceptions
            raise damaged(path, error, "tokenizer") from error
        # Settings that were saved with the file; they would cut every document.
        self._model.no_truncation()
        self._model.no_padding()
        added = self._model.get_added_tokens_decoder()
        # What the file marks as special; a token that was added as text is text.
        self.special = {
            i: token.content
            for i, token in added.items()
            if token.special or EXTRA_ID.fullmatch(token.content)
        }

    def size(self) -> int:
        return self._model.get_vocab_size(with_added_tokens=True)

    def vocabulary(self) -> dict[str, int]:
        return self._model.get_vocab(with_added_tokens=True)

    def id_of(self, name: str) -> int | None:
        return self._model.token_to_id(name)

    def own_ids(self) -> dict[str, int | None]:
        """Return the ids that the file itself names: ``<unk>`` of the model, and the ``</s>`` that
        it appends."""
        unk = json.loads(self._model.to_str())["model"].get("unk_id")
        appended = self._model.encode("").ids
        return {"eos": appended[-1] if appended else None, "unk": unk}

    @cached_property
    def _text_model(self) -> Any:
        """Return the same tokenizer with its special tokens hidden.

        They are pieces of the vocabulary too, with the best score of all, so that text which
        merely spells one would become it.
        """
        from tokenizers import Tokenizer as Fast

        file = read_object(self._path)
        hidden = {word: HIDDEN + word for word in self.special.values()}
        file["added_tokens"] = [t for t in file["added_tokens"] if t["content"] not in hidden]
        file |= {"post_processor": None, "truncation": None, "padding": None}
        model, pieces = file["model"], file["model"]["vocab"]
        if isinstance(pieces, dict):
            model["vocab"] = {hidden.get(piece, piece): i for piece, i in pieces.items()}
        else:
            model["vocab"] = [[hidden.get(piece, piece), score] for piece, score in pieces]
        if model.get("unk_token") in hidden:
            model["unk_token"] = hidden[model["unk_token"]]
        return Fast.from_str(json.dumps(file))

    def byte(self, token: int) -> int | None:
        found = BYTE_PIECE.fullmatch(self.piece(token))
        return int(found[1], 16) if found else None

    def piece(self, token: int) -> str:
        return self._model.id_to_token(token) or ""

    def _encoded(self, text: str, split: bool) -> Any:
        self._model.encode_special_tokens = split
        encoded = self._model.encode(text, add_special_tokens=False)
        if split and any(i in self.special for i in encoded.ids):
            return self._text_model.encode(text, add_special_tokens=False)
        return encoded

    def ids(self, text: str, split: bool) -> list[int]:
        return self._encoded(text, split).ids

    def encode(self, text: str, split: bool) -> tuple[list[int], list[Offset]]:
        encoded = self._encoded(text, split)
        return encoded.ids, [(int(a), int(b)) for a, b in encoded.offsets]

    def decode(self, ids: Sequence[int]) -> str:
        return self._model.decode(list(ids), skip_special_tokens=False)


class ByteVocabulary:
    """ByT5's vocabulary: pad, ``</s>``, ``<unk>``, the 256 bytes of UTF-8, and extra ids."""

    repeats_eos = False

    def __init__(self, added: Mapping[str, int], extra_ids: int, strips: Container[int]) -> None:
        """``strips``: the special tokens whose words take the white space around them along."""
        self.special, self._strips = {0: "<pad>", 1: "</s>", 2: "<unk>"}, strips
        extra = {f"<extra_id_{i}>": BYTE_OFFSET + BYTES + i for i in range(extra_ids)}
        self.special |= {i: word for word, i in (added or extra).items()}

    def size(self) -> int:
        return BYTE_OFFSET + BYTES

    def id_of(self, name: str) -> int | None:
        return next((i for i, word in self.special.items() if word == name), None)

    def own_ids(self) -> dict[str, int | None]:
        return {"pad": 0, "eos": 1, "unk": 2}

    def byte(self, token: int) -> int | None:
        value = token - BYTE_OFFSET
        return value if 0 <= value < BYTES else None

    def piece(self, token: int) -> str:
        return ""

    def ids(self, text: str, split: bool) -> list[int]:
        return self.encode(text, split)[0]

    def encode(self, text: str, split: bool) -> tuple[list[int], list[Offset]]:
        ids: list[int] = []
        offsets: list[Offset] = []
        parts: list[Part] = [(0, len(text), None)] if split else list(spans(text, self.special))
        for part, (start, end, token) in enumerate(parts):
            if token is not None:
                ids.append(token)
                offsets.append((start, end))
                continue
            if part and parts[part - 1][2] in self._strips:
                start = end - len(text[start:end].lstrip())
            if part + 1 < len(parts) and parts[part + 1][2] in self._strips:
                end = start + len(text[start:end].rstrip())
            for at in range(start, end):
                # Half a surrogate pair is no character, and has no bytes.
                found = text[at].encode("utf-8", "ignore")
                ids += [byte + BYTE_OFFSET for byte in found]
                # Of a character in several bytes only the last one has an extent.
                offsets += [(at, at)] * (len(found) - 1) + [(at, at + 1)] * bool(found)
        return ids, offsets

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, with the names of special tokens, without broken characters."""
        parts = (
            self.special[i].encode() if i in self.special else bytes([i - BYTE_OFFSET])
            for i in ids
            if i in self.special or self.byte(i) is not None
        )
        return b"".join(parts).decode("utf-8", "ignore")
