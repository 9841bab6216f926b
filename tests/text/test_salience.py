"""Which sentences are salient: what is counted, what is learnt, and what the ranking costs."""

from __future__ import annotations

import json
import math
import textwrap
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.settings import assets_dir
from app.summary.summarizer import Summarizer
from longt5.copy_processor import FORBIDDING_PENALTY
from longt5.errors import UserError
from longt5.evaluation.checkpoints import Checkpoint, InputSettings
from longt5.text.features import FEATURES, GROUPS, features
from longt5.text.headings import heading_places
from longt5.text.plan import Planner
from longt5.text.salience import SALIENCE_FILE, Salience
from longt5.text.source import SourceText
from longt5.text.vectors import Sentences
from longt5.training import __main__ as command
from longt5.training import salience as learning
from longt5.training.corpus import Record

STORY = (
    "The library lends tools to every household of the town. It opened in the spring of 1998. "
    "Members of the library borrow tools such as drills and ladders for a week. "
    "The weather that year was cold and the lake froze over in the winter. "
    "Most tools of the library come back clean and in time, as its members say. "
    "A brown dog slept on the steps of the post office on that day. "
    "Is there anything better than a town with tools? "
    "We propose that the library of every town lends tools. "
    "The library of the town lends its tools to every household."
)
SOURCE = SourceText.of(STORY)
SPANS = SOURCE.candidates
WORDS = st.lists(st.sampled_from("tools library dog lake winter town".split()), min_size=1)


@pytest.fixture(scope="module")
def bundled() -> Salience:
    found = Salience.load(assets_dir() / "model")
    assert found is not None
    return found


def rows_of(sentences: Sentences) -> list[dict[str, float]]:
    return [dict(zip(FEATURES, row, strict=True)) for row in features(sentences).tolist()]


def test_what_is_counted() -> None:
    rows = rows_of(Sentences(SOURCE))
    assert len(rows) == len(SPANS)
    assert rows[0]["begins"] == 1 and rows[0]["late"] == 0 and rows[0]["paragraph"]
    assert not rows[1]["paragraph"] and rows[1]["dangling"] and rows[1]["digits"] > 0
    assert rows[6]["question"] and not rows[0]["question"]
    assert rows[7]["cue"] and not rows[2]["cue"]
    assert rows[5]["central"] < rows[0]["central"] and rows[5]["recurring"] < rows[0]["recurring"]
    assert all(-0.01 < value < 3 for row in rows for value in row.values())


def test_what_headings_say() -> None:
    body = "The tools are lent to everybody in the town. Some of them are kept by their finders."
    text = f"On lending tools\n\n{body}\n\nSummary\n\n{body}\n\nReferences\n\n{body}"
    assert [line for _, line in heading_places(text)] == [
        "On lending tools",
        "Summary",
        "References",
    ]
    source = SourceText.of(text)
    spans = [s for s in source.candidates if source.sentence(s).startswith(("The", "Some"))]
    names = ("in_title", "good_heading", "poor_heading", "after_heading")
    rows = rows_of(Sentences(source, spans))
    assert [[row[name] for name in names[1:4]] for row in rows] == [
        [False, False, True],
        [False, False, False],
        [True, False, True],
        [True, False, False],
        [False, True, True],
        [False, True, False],
    ]
    assert all(row["in_title"] > 0 for row in rows[::2])
    assert not any(row["in_title"] for row in rows[1::2])


@pytest.mark.parametrize("width", [70, 400])
def test_headings_of_wrapped_lines_are_paragraphs(width: int) -> None:
    words = "one two three four five six seven eight nine ten " * 8
    text = f"A title\n\n{textwrap.fill(words, width)}\nends here.\n\nAnother one\n\nThe end."
    places = heading_places(text)
    assert [line for _, line in places] == ["A title", "Another one"]
    assert all(text[place:].startswith(line) for place, line in places)


def slow_similarity(sentences: Sentences, one: int, other: int) -> float:
    """The cosine of two sentences' tf-idf vectors, word by word."""
    texts, n = [Counter(words) for words in sentences.words], len(sentences)

    def weight(i: int, word: str) -> float:
        return texts[i][word] * math.log(1 + n / sum(word in own for own in texts))

    def length(i: int) -> float:
        return math.sqrt(sum(weight(i, word) ** 2 for word in texts[i]))

    both = sum(weight(one, word) * weight(other, word) for word in texts[one])
    return both / (length(one) * length(other)) if both else 0.0


def test_the_network_is_the_one_that_was_learnt() -> None:
    torch.manual_seed(0)
    x = torch.rand(9, len(FEATURES))
    networks = [learning.Network(x.mean(0), x.std(0)) for _ in range(3)]
    for network in networks:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter)
    wanted = torch.stack([network(x) for network in networks]).mean(0)
    found = learning.folded(networks).scores(x.double().numpy())
    # Scores are relative, and weights are rounded.
    assert found.tolist() == pytest.approx((wanted - wanted[0] + found[0]).tolist(), abs=0.02)


@given(st.lists(WORDS, min_size=2, max_size=5))
def test_likeness_is_symmetric_and_a_share(sentences) -> None:
    text = " ".join(" ".join(words).capitalize() + "." for words in sentences)
    found = Sentences(SourceText.of(text))
    for i in range(len(found.spans)):
        for j in range(len(found.spans)):
            assert -1e-9 <= found.similarities(i)[j] <= 1 + 1e-9
            assert found.similarities(i)[j] == pytest.approx(slow_similarity(found, i, j))


@given(st.lists(WORDS, min_size=2, max_size=6), st.data())
def test_likeness_to_a_group_leaves_the_sentence_itself_out(sentences, data) -> None:
    text = " ".join(" ".join(words).capitalize() + "." for words in sentences)
    found = Sentences(SourceText.of(text))
    group = data.draw(st.sets(st.integers(0, len(found) - 1), max_size=len(found)))
    likeness = found.likeness_to_group(sorted(group))
    for i in range(len(found)):
        others = np.array([float(j in group - {i}) for j in range(len(found))])
        assert likeness[i] == pytest.approx(found.likeness(found.total(others))[i], abs=1e-4)


def test_features_are_in_one_group_each() -> None:
    assert len(set(FEATURES)) == len(FEATURES) == sum(map(len, GROUPS.values()))


def test_what_was_said_already_costs(bundled) -> None:
    """The last sentence is the first one in other words: the plan has no two such."""
    best = replace(bundled, linear=(0.0,) * len(FEATURES), hidden=(), bias=(), out=())
    sentences = best.planner(SOURCE).sentences
    scores = [float(i in (0, 8)) for i in range(len(SPANS))]
    assert Planner(sentences, scores, 0.0).choose(20) == [0, 8]
    assert not {0, 8} <= set(Planner(sentences, scores, 50.0).choose(20))


def test_no_sentence_is_said_twice() -> None:
    """A book repeats its notice, which scores best; another number makes another sentence."""
    said = ["The mill was built of stone by the river.", "The mill is open in 5 months of a year."]
    text = " ".join(
        [*said, "The wheel drives two saws.", *said, "The mill is open in 6 months of a year."]
    )
    sentences = Sentences(SourceText.of(text))
    scores = [1.0 if n in (0, 1, 3, 4, 5) else 0.1 for n in range(len(sentences))]
    chosen = Planner(sentences, scores, 0.0).choose(100)
    assert chosen == [0, 1, 2, 5]


def test_it_lies_beside_the_weights(bundled, tmp_path) -> None:
    bundled.save(tmp_path)
    assert Salience.load(tmp_path) == bundled
    assert Salience.load(tmp_path / "nowhere") is None
    values = json.loads((tmp_path / SALIENCE_FILE).read_text())
    values["features"].remove("late")
    (tmp_path / SALIENCE_FILE).write_text(json.dumps(values))
    with pytest.raises(ValueError, match="features"):
        Salience.load(tmp_path)


def test_a_ranking_not_written_leaves_the_one_before(bundled, tmp_path, monkeypatch) -> None:
    bundled.save(tmp_path)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        replace(bundled, repetition=2.0).save(tmp_path)
    assert Salience.load(tmp_path) == bundled and len(list(tmp_path.iterdir())) == 1


def test_where_summaries_repeat_the_end_that_is_learnt(tmp_path) -> None:
    said = [
        "The lake froze early this year.",
        "A ladder costs twelve euros at the market.",
        "Our library opens again on Monday.",
        "Dogs need walks in any weather.",
        "Most bread contains salt and yeast.",
        "Winter brings storms from northern seas.",
        "Old tools rust without oil.",
        "Every town elects its own council.",
    ]
    records = []
    for n in range(96):
        body = [said[(3 * n + i) % 8] for i in range(8)]
        records.append({"document": " ".join(body), "summary": body[-1]})
    data = tmp_path / "pairs.jsonl"
    data.write_text("\n".join(map(json.dumps, records)))
    assert command.main(["salience", "--data", str(data), "--out", str(tmp_path / "out")]) == 0
    learnt = Salience.load(tmp_path / "out")
    assert learnt is not None
    assert learnt.planner(SourceText.of(records[0]["document"])).choose(10) == [7]


def test_a_ranking_that_is_none_is_said(tmp_path) -> None:
    values = json.loads((assets_dir() / "model" / SALIENCE_FILE).read_text("utf-8"))
    whole = {"features": values["features"]}
    for damaged in ([], {}, whole, values | {"hidden": 3}, values | {"unknown": 1}):
        (tmp_path / SALIENCE_FILE).write_text(json.dumps(damaged))
        with pytest.raises(ValueError, match=SALIENCE_FILE):
            Salience.load(tmp_path)


def test_without_pairs_it_says_what_is_needed() -> None:
    with pytest.raises(UserError, match="pairs"):
        learning.fit([Record("1", STORY)])


def test_a_folder_with_a_ranking_holds_a_model_that_copies(tmp_path) -> None:
    bundled = assets_dir() / "model"
    for path in bundled.iterdir():
        if path.name not in (SALIENCE_FILE, "README.md"):
            (tmp_path / path.name).symlink_to(path)
    plain = Summarizer.load(str(tmp_path), device="cpu")
    (tmp_path / SALIENCE_FILE).symlink_to(bundled / SALIENCE_FILE)
    ranked = Summarizer.load(str(tmp_path), device="cpu")
    assert ranked.is_extractive and not plain.is_extractive
    # A run of one is not gone on with by the other.
    assert plain.identity.decoding["salience"] != ranked.identity.decoding["salience"]
    checkpoints = Checkpoint.load(str(tmp_path), InputSettings(), {}, device="cpu")
    assert checkpoints.copy_penalty == FORBIDDING_PENALTY


def test_more_workers_find_the_same(tmp_path) -> None:
    records = [
        Record(str(n), f"Tools\n{STORY} It is {n}.", "The library lends tools.") for n in range(6)
    ]
    one, two = (learning.pairs_of(records, workers=n) for n in (1, 2))
    assert len(one) == len(two) > len(records)  # some have an abstract or a notice in front
    for (x, wanted), (y, found) in zip(one, two, strict=True):
        assert torch.equal(x, y) and torch.equal(wanted, found)


def test_a_notice_in_front_of_a_text_is_not_its_opening() -> None:
    notice = (
        "Copies may be ordered from the printer by letter or by telephone. The publisher bears no "
        "liability for errors in print. Prices are subject to change without further notice."
    )
    sentences = Sentences(SourceText.of(f"On tools\n\n{notice}\n\n{STORY}\n\n{STORY}"))
    opening = [row["opening"] for row in rows_of(sentences)]
    assert opening == [0.0] * 3 + [1.0] * len(SPANS) + [0.0] * len(SPANS)
