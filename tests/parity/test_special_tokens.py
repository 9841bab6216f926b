"""Special tokens: their ids, their words in a text, and the cases of transformers' own tests."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import sentencepiece
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from longt5 import StreamingDecoder, Tokenizer
from tests.parity.reference import pair

MODEL = Path(__file__).parents[2] / "assets" / "model"
WORDS = ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_99>", "<extra_id_100>", "<s>"]
KINDS = ["spiece.model", "tokenizer.json", "bytes"]


@cache
def folder_of(kind: str) -> Path:
    """Return a folder with a tokenizer of a kind."""
    folder = Path(mkdtemp(prefix="tokenizer"))
    if kind == "bytes":
        transformers.ByT5Tokenizer().save_pretrained(folder)
        return folder
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copy(MODEL / name, folder)
    if kind == "tokenizer.json":
        transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
        (folder / "spiece.model").unlink()
    return folder


@cache
def both(kind: str):
    """Return transformers' tokenizer, ours, and ours for documents, of the same folder."""
    folder = folder_of(kind)
    ours = (Tokenizer.from_pretrained(folder, split_special_tokens=s) for s in (None, True))
    return transformers.AutoTokenizer.from_pretrained(folder), *ours


# Words of special tokens, also in wide characters, which normalization makes the usual ones.
PARTS = [*WORDS, "＜/s＞", "＜pad＞", "word", "Über", "é", "😀", " ", "  ", "\n", "<", ">"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=8).map("".join)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_document_text_is_always_text(kind: str, text: str) -> None:
    _, usual, tokenizer = both(kind)
    ids, offsets = tokenizer.encode_with_offsets(text, add_eos=False)
    special = set(tokenizer.special) - {tokenizer.unk_token_id}
    assert not special.intersection(ids)
    assert tokenizer.encode(text, add_eos=False) == ids and len(ids) == len(offsets)
    assert tokenizer([text], split_special_tokens=True).input_ids == [[*ids, 1]]
    assert usual.encode(text, add_eos=False, split_special_tokens=True) == ids
    if kind == "bytes":
        assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS.filter(lambda text: "＜" not in text))
@pytest.mark.filterwarnings("ignore:This sequence already has")
def test_special_words_become_tokens_as_in_transformers(kind: str, text: str) -> None:
    theirs, ours, _ = both(kind)
    if kind == "spiece.model":  # of which transformers reads no byte pieces
        text = text.encode("ascii", "ignore").decode()
    ids = ours.encode(text)
    assert ids == theirs(text).input_ids
    offsets = ours.encode_with_offsets(text)[1]
    for token, (start, end) in zip(ids, offsets, strict=True):
        if token in ours.special and start < end and token != ours.unk_token_id:
            assert text[start:end] == ours.special[token]
    if 2 not in ids or kind == "bytes":
        assert ours.decode(ids, skip_special_tokens=False) == theirs.decode(ids)
        assert ours.decode(ids).strip() == theirs.decode(ids, skip_special_tokens=True).strip()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:This sequence already has")
def test_cases_of_transformers(kind: str) -> None:
    """As its tests of T5 and ByT5: EOS in the input, padding, truncation, spacing."""
    theirs, ours, _ = both(kind)
    for texts in (
        ["hi</s>", "I went to the gym</s>", "</s>"],
        ["A long paragraph for summarization.", "Another paragraph for summarization."],
        ["A long paragraph for summarization. </s>", "Summary of the text. </s>"],
        ["I am a small frog" * 100, "I am a small frog"],
        ["<extra_id_0> was born in <extra_id_1>.<extra_id_2>"],
    ):
        expected = theirs(texts, padding=True)
        got = ours(texts, padding=True)
        assert got.input_ids == expected.input_ids
        assert got.attention_mask == expected.attention_mask
        assert max(map(len, ours(texts, max_length=32, truncation=True).input_ids)) <= 32
    text = "<pad> Today is <unk> nice day </s>"
    ids = theirs(text, add_special_tokens=False).input_ids
    assert ours.encode(text, add_eos=False) == ids
    assert ours.decode(ids, skip_special_tokens=False) == theirs.decode(ids)
    numbers = range(125 if kind == "bytes" else 100)
    assert ours.sentinels == [theirs.convert_tokens_to_ids(f"<extra_id_{n}>") for n in numbers]


def test_bytes_have_the_ids_of_byt5() -> None:
    ours = both("bytes")[1]
    ids = [88, 113, 108, 102, 114, 103, 104, 35, 229, 133, 175, 49, 1]
    assert ours.encode("Unicode €.") == ids
    assert ours.decode(ids, skip_special_tokens=False) == "Unicode €.</s>"
    assert ours.decode(ids[:-4]) == "Unicode "  # the beginning of a character is dropped
    assert (ours.vocab_size, ours.pad_token_id, ours.eos_token_id) == (384, 0, 1)
    listed = json.loads((folder_of("bytes") / "tokenizer_config.json").read_text())
    assert listed["tokenizer_class"] == "ByT5Tokenizer"


@given(st.text(max_size=30))
def test_streamed_bytes_are_whole_characters(text: str) -> None:
    ours = both("bytes")[1]
    ids = ours.encode(text, add_eos=False, split_special_tokens=True)
    decoder, before = StreamingDecoder(ours), ""
    for length in range(len(ids) + 1):
        committed, provisional = decoder.update(ids[:length], [])
        assert committed.startswith(before) and text.startswith(committed + provisional)
        before = committed
    assert decoder.update(ids, [], done=True) == (ours.decode(ids), "")


@torch.no_grad()
def test_a_byte_model_loads_and_decodes_like_transformers(tmp_path: Path) -> None:
    theirs, ours = pair(vocab_size=384)
    ours.save_pretrained(tmp_path)
    for file in folder_of("bytes").iterdir():
        shutil.copy(file, tmp_path)
    again = type(ours).from_pretrained(tmp_path, device="cpu", dtype=torch.float32)
    ids = torch.tensor([Tokenizer.from_pretrained(tmp_path).encode("Bücher & Maße.")])
    options = {"num_beams": 3, "max_new_tokens": 12}
    assert torch.equal(again.generate(ids, **options).sequences, theirs.generate(ids, **options))


@cache
def trained(**ids: int) -> Path:
    """Return a folder with a ``spiece.model`` whose special tokens have these ids."""
    folder = Path(mkdtemp(prefix="trained"))
    text = [f"the office found {n} errors in {n * 7} pages of café flour" for n in range(60)]
    (folder / "text.txt").write_text("\n".join(text), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "spiece"),
        vocab_size=60,
        minloglevel=2,
        hard_vocab_limit=False,
        **ids,
    )
    return folder


def copy_of(folder: Path, target: Path, **files: dict) -> Path:
    shutil.copy(folder / "spiece.model", target)
    for name, content in files.items():
        (target / f"{name}.json").write_text(json.dumps(content))
    return target


def test_ids_are_read_from_spiece_model(tmp_path: Path) -> None:
    folder = trained(unk_id=0, bos_id=1, eos_id=2, pad_id=3)
    tokenizer = Tokenizer.from_pretrained(copy_of(folder, tmp_path))
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (3, 2, 0)
    batch = tokenizer(["the office", "the"], padding=True)
    assert batch.input_ids[0][-1] == 2 and set(batch.input_ids[1][-1:]) == {3}
    assert tokenizer.decode([3, 1, *batch.input_ids[0], 0]) == "the office"


def test_words_of_the_settings_name_the_ids(tmp_path: Path) -> None:
    folder = trained(unk_id=0, bos_id=1, eos_id=2, pad_id=3)
    named = {"eos_token": {"content": "<s>"}, "pad_token": "<pad>"}
    with pytest.raises(ValueError, match="token <s> has the id 1, but the vocabulary has 2"):
        Tokenizer.from_pretrained(copy_of(folder, tmp_path, tokenizer_config=named))


@pytest.mark.parametrize(
    "config, message",
    [
        ({"eos_token_id": 1}, "</s> has the id 2, but config.json has 1 as its eos_token_id"),
        ({"pad_token_id": 0}, "<pad> has the id 3, but config.json has 0 as its pad_token_id"),
        ({"eos_token_id": [1, 5]}, r"but config.json has \[1, 5\]"),
        ({"eos_token_id": [1, 2], "pad_token_id": 3}, None),
        ({"eos_token_id": None}, None),
    ],
)
def test_ids_of_the_model_must_be_those_of_the_tokenizer(
    config: dict, message: str | None, tmp_path: Path
) -> None:
    folder = trained(unk_id=0, bos_id=1, eos_id=2, pad_id=3)
    copy_of(folder, tmp_path, config=config)
    if message is None:
        assert Tokenizer.from_pretrained(tmp_path).eos_token_id == 2
        return
    with pytest.raises(ValueError, match=message):
        Tokenizer.from_pretrained(tmp_path)


def test_a_vocabulary_without_pad_is_refused(tmp_path: Path) -> None:
    folder = trained(unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    with pytest.raises(ValueError, match="no token <pad>, its pad_token"):
        Tokenizer.from_pretrained(copy_of(folder, tmp_path))


def test_listed_tokens_with_other_ids_are_refused(tmp_path: Path) -> None:
    folder = trained(unk_id=2, bos_id=-1, eos_id=1, pad_id=0)
    listed = {"added_tokens_decoder": {"5": {"content": "</s>"}}}
    with pytest.raises(ValueError, match="tokens </s> have other ids in spiece.model"):
        Tokenizer.from_pretrained(copy_of(folder, tmp_path, tokenizer_config=listed))


@pytest.mark.parametrize("appended", ["</s>", "<pad>", None])
def test_ids_are_read_from_tokenizer_json(appended: str | None, tmp_path: Path) -> None:
    import tokenizers

    pieces = ["<unk>", "<pad>", "</s>", "▁", *(f"▁word{n}" for n in range(9))]
    made = tokenizers.Tokenizer(tokenizers.models.Unigram([(p, -1.0) for p in pieces], 0, False))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.decoder = tokenizers.decoders.Metaspace()
    made.add_special_tokens(pieces[:3])
    if appended:
        made.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"$A {appended}", special_tokens=[(appended, pieces.index(appended))]
        )
    made.save(str(tmp_path / "tokenizer.json"))
    if appended == "<pad>":
        with pytest.raises(ValueError, match="</s> has the id 2, but the vocabulary has 1"):
            Tokenizer.from_pretrained(tmp_path)
        return
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (1, 2, 0)
    assert tokenizer(["word3 word1", "word2"], padding=True).input_ids == [[7, 5, 2], [6, 2, 1]]


def test_two_files_with_other_special_ids_are_refused(tmp_path: Path) -> None:
    """A tokenizer.json is right where it has other tokens, but not with another </s>."""
    folder = trained(unk_id=0, bos_id=1, eos_id=2, pad_id=3)
    copy_of(folder, tmp_path)
    shutil.copy(folder_of("tokenizer.json") / "tokenizer.json", tmp_path)
    with pytest.raises(ValueError, match="<pad> has the id 0, but the file beside it has 3"):
        Tokenizer.from_pretrained(tmp_path)


def test_the_app_reads_documents_as_text(tmp_path: Path) -> None:
    settings = json.loads((MODEL / "tokenizer_config.json").read_text())
    copy_of(MODEL, tmp_path, tokenizer_config=settings | {"split_special_tokens": True})
    assert Tokenizer.from_pretrained(tmp_path).split_special_tokens
    assert not Tokenizer.from_pretrained(tmp_path, split_special_tokens=False).split_special_tokens
    assert not Tokenizer.from_pretrained(MODEL).split_special_tokens
