"""The tokenizer against transformers and sentencepiece."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
import tokenizers
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from longt5 import Tokenizer
from longt5.tokenizer import token_range

MODEL = Path(__file__).parents[2] / "assets" / "model"
SAMPLES = [
    "The efficient office found 3.14 errors in 2,048 pages.",
    "ﬁne ﬂour, ½ cup — naïve café, Ω≈ç√",
    "emoji 😀👍🏽 and 中文字, العربية, русский",
    "   blank \t\t runs\n\n\nof   space  ",
    "",
    "a",
    "</s> <pad> <extra_id_0>",
]


@pytest.fixture(scope="session")
def bundled() -> Tokenizer:
    return Tokenizer.from_pretrained(MODEL)


@pytest.fixture(scope="session")
def plain_folder(tmp_path_factory) -> Path:
    """Train a T5-like vocabulary without byte fallback."""
    folder = tmp_path_factory.mktemp("spiece")
    words = "the efficient office found errors in pages flour cup and blank runs of space".split()
    text = [" ".join(words[i:] + words[:i]) + f" {i * 37} café {chr(97 + i)}." for i in range(14)]
    (folder / "text.txt").write_text("\n".join(text * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "spiece"),
        vocab_size=120,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    return folder


def test_bundled_ids_equal_sentencepiece(bundled) -> None:
    truth = sentencepiece.SentencePieceProcessor(model_file=str(MODEL / "spiece.model"))
    for text in SAMPLES:
        assert bundled.encode(text, split_special_tokens=True) == [*truth.encode(text), 1]
    for text in SAMPLES[:-1]:
        assert bundled.encode(text) == [*truth.encode(text), 1]
        assert bundled.count(text) == len(truth.encode(text))
    assert bundled.model_max_length == 4096
    assert bundled.vocab_size == truth.get_piece_size() + 100


def test_ids_equal_transformers(plain_folder) -> None:
    from transformers import T5Tokenizer

    theirs = T5Tokenizer.from_pretrained(str(plain_folder))
    theirs.save_pretrained(plain_folder / "fast")
    (plain_folder / "fast" / "spiece.model").unlink(missing_ok=True)
    for folder in (plain_folder, plain_folder / "fast"):
        ours = Tokenizer.from_pretrained(folder)
        for text in SAMPLES:
            assert ours.encode(text) == theirs(text).input_ids, (folder, text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_offsets_cover_the_text_in_order(bundled: Tokenizer, text: str) -> None:
    ids, offsets = bundled.encode_with_offsets(text)
    assert ids == bundled.encode(text)
    assert len(ids) == len(offsets)
    position = 0
    for start, end in offsets:
        assert position <= start <= end <= len(text)
        position = start


def test_offsets_locate_the_words(bundled) -> None:
    text = "ﬁne café, 中文 works"
    ids, offsets = bundled.encode_with_offsets(text)
    assert text[offsets[-2][0] : offsets[-2][1]].strip() in "works"
    assert {text[a:b] for a, b in offsets if "中" in text[a:b]}


WORDS = st.sampled_from(["Miller", "Über", "Zyx", "1969", "“Go”", "the", "“", "Kubernetes", "(he)"])
GAPS = st.sampled_from([" ", "\n", "\n\n", " \n ", "\t"])


@given(st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=4), GAPS), min_size=2, max_size=5))
def test_token_ranges_of_sentences_decode_to_the_sentences(
    bundled: Tokenizer, parts: list[tuple[list[str], str]]
) -> None:
    """A space before a sentence may be a token of its own, and a letter several."""
    sentences = [" ".join(words) + "." for words, _ in parts]
    text = "".join(s + gap for s, (_, gap) in zip(sentences, parts, strict=True))
    ids, offsets = bundled.encode_with_offsets(text, add_eos=False)
    wanted, tokens, at = list(reversed(sentences)), [], 0
    for sentence in sentences:
        at = text.index(sentence, at)
        begin, stop = token_range(text, offsets, at, at + len(sentence))
        tokens.insert(0, ids[begin:stop])
        at += len(sentence)
    assert bundled.decode([i for part in tokens for i in part]) == " ".join(wanted)


def test_padding_and_truncation(bundled) -> None:
    batch = bundled(["one two three four", "one"], max_length=3, padding=True, truncation=True)
    assert [len(r) for r in batch.input_ids] == [3, 3]
    assert batch.input_ids[0][-1] == 1
    assert batch.attention_mask[1] == [1, 1, 0] and batch.input_ids[1][2] == 0


def test_truncation_defaults_to_the_tokenizers_limit(bundled) -> None:
    batch = bundled("one " * 5000, truncation=True)
    assert len(batch.input_ids[0]) == bundled.model_max_length
    assert batch.input_ids[0][-1] == bundled.eos_token_id
    assert len(bundled("one " * 5000).input_ids[0]) > bundled.model_max_length


def test_tensors_decode_like_lists(bundled) -> None:
    ids = bundled.encode("One two.")
    assert bundled.decode(torch.tensor(ids)) == bundled.decode(ids) == "One two."
    whole = [bundled.decode(ids, skip_special_tokens=False)]
    assert bundled.batch_decode(torch.tensor([ids]), skip_special_tokens=False) == whole


def test_special_tokens_are_skipped_on_request(bundled) -> None:
    ids = [0, *bundled.encode("a plain sentence"), bundled.vocab_size - 1]
    assert bundled.decode(ids) == "a plain sentence"
    assert bundled.decode(ids, skip_special_tokens=False) == (
        "<pad> a plain sentence</s><extra_id_0>"
    )
    assert bundled.batch_decode([ids, ids]) == ["a plain sentence"] * 2


@pytest.mark.parametrize("kind", ["spiece.model", "tokenizer.json"])
def test_unknown_characters_are_dropped_as_in_transformers(kind: str, tmp_path: Path) -> None:
    shutil.copy(MODEL / "spiece.model", tmp_path)
    shutil.copy(MODEL / "tokenizer_config.json", tmp_path)
    if kind == "tokenizer.json":
        saved_by_transformers(tmp_path)
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    ids = tokenizer.encode("plain", add_eos=False)
    ids = [*ids, tokenizer.unk_token_id, *ids]
    assert tokenizer.decode(ids).split() == ["plain", "plain"]
    assert tokenizer.decode(ids, skip_special_tokens=False) == "plain<unk> plain"


def test_saved_truncation_and_padding_are_ignored(tmp_path: Path) -> None:
    """transformers writes its last truncation and padding into the file."""
    shutil.copy(MODEL / "spiece.model", tmp_path)
    shutil.copy(MODEL / "tokenizer_config.json", tmp_path)
    saved_by_transformers(tmp_path, truncation=True, max_length=8, padding="max_length")
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    text = "A sentence that is longer than eight pieces, and by a good deal at that."
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode("a")[-1] == 1 and 0 not in tokenizer.encode("a")
    assert 0 not in tokenizer.encode_with_offsets("a")[0]


def test_tokens_added_as_text_are_text(tmp_path: Path) -> None:
    """They follow the extra ids, which are then not the last ones."""
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copy(MODEL / name, tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    theirs.add_tokens(["<sep>", "<part>"])
    theirs.save_pretrained(tmp_path)
    (tmp_path / "spiece.model").unlink()
    ours = Tokenizer.from_pretrained(tmp_path)
    ids = theirs("one <sep> two <part> three <extra_id_0> four").input_ids
    expected = theirs.decode(ids, skip_special_tokens=True)
    assert ours.decode(ids) == expected and "<sep>" in expected
    assert ours.sentinels == [theirs.convert_tokens_to_ids(f"<extra_id_{n}>") for n in range(100)]
    assert "<extra_id_0>" in ours.decode(ids, skip_special_tokens=False)


def test_tokens_added_in_tokenizer_json_are_known(tmp_path: Path) -> None:
    """transformers keeps the original spiece.model next to the fine-tune's tokenizer.json."""
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copy(MODEL / name, tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    theirs.save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").is_file()
    crab = "🦀"  # bytes, of which transformers' file knows nothing
    plain = Tokenizer.from_pretrained(tmp_path)
    assert plain.encode(crab) == Tokenizer.from_pretrained(MODEL).encode(crab)
    theirs.add_tokens(["<sep>", "\n"])
    theirs.save_pretrained(tmp_path)
    ours = Tokenizer.from_pretrained(tmp_path)
    text = "one <sep> two\nthree"
    ids = theirs(text).input_ids
    assert ours.encode(text) == ids != plain.encode(text)
    assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("name", ["added_tokens.json", "tokenizer_config.json"])
def test_tokens_missing_in_spiece_model_are_reported(tmp_path: Path, name: str) -> None:
    """As slow tokenizers of transformers 4 save them."""
    shutil.copy(MODEL / "spiece.model", tmp_path)
    known = {"<pad>": 0, "</s>": 1, "<extra_id_0>": 12_291}
    for added in ({}, {"<sep>": 12_292}):
        listed: dict = known | added
        if name == "tokenizer_config.json":
            listed = {"added_tokens_decoder": {str(i): {"content": t} for t, i in listed.items()}}
        (tmp_path / name).write_text(json.dumps(listed))
        if not added:
            Tokenizer.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"\(<sep>\) that spiece.model lacks; save it with"):
        Tokenizer.from_pretrained(tmp_path)


def test_no_piece_is_lost_without_extra_ids(tmp_path: Path) -> None:
    pieces = ["<pad>", "</s>", "<unk>", "▁", *(f"▁word{n}" for n in range(150))]
    made = tokenizers.Tokenizer(tokenizers.models.Unigram([(p, -1.0) for p in pieces], 2, False))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.decoder = tokenizers.decoders.Metaspace()
    made.add_special_tokens(["<pad>", "</s>", "<unk>"])
    made.save(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer.from_pretrained(tmp_path)
    assert ours.decode(ours.encode("word3 word149")) == "word3 word149"
    assert ours.sentinels == [] and ours.vocab_size == len(pieces)


def saved_by_transformers(folder: Path, **asked: object) -> None:
    """Convert ``spiece.model`` of a folder into ``tokenizer.json``."""
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    if asked:
        theirs("Some text.", **asked)
    theirs.save_pretrained(folder)
    (folder / "spiece.model").unlink()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="spiece.model"):
        Tokenizer.from_pretrained(tmp_path)
