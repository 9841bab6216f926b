"""Measure how many key facts the answers of documents say, and where those that they miss stand.

    python -m tests.tools.measure_key_facts FOLDER --documents DIR [DIR...] [--words 200] [-v]

FOLDER holds `facts.jsonl` (a document a line, with facts, their weights, and trivia) and its scorer
`score_facts.py`; DIR the documents. Prints the weighted share of the facts that each planned answer
says, its sentences that do not belong in a summary, and the same by the role and place of the
first sentence of the document that says a fact: what is missed, and what no candidate says.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from app.documents.headings import join_pages
from app.documents.load import load_document
from app.documents.model import Document, passages_of
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from longt5.text.roles import Role
from longt5.text.source import SourceText
from longt5.text.tidying import tidy

THIRDS = ("first third", "second third", "last third")
UNSAID = "in no sentence that may be quoted"


def scorer(folder: Path) -> Any:
    """Return the module that lies beside the facts."""
    spec = importlib.util.spec_from_file_location("score_facts", folder / "score_facts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def planned_answer(summarizer: Summarizer, document: Document, words: int) -> str:
    """Return the sentences of the answer, which the model then quotes."""
    said = []
    for part in summarizer.plan(document, Options(words=words)).parts:
        source, plan = part.chunk.source, part.plan or ()
        following = source.following(plan)
        said += [tidy(source.sentence(s), n in following) for n, s in enumerate(plan)]
    return " ".join(said)


def places(document: Document, facts: Sequence[Any], score: Any) -> Iterator[str]:
    """Yield where the first quotable sentence stands that says each fact."""
    text, _ = join_pages(document)
    source = SourceText.of(text, passages_of(text))
    sentences = [" ".join(score.sentences(tidy(source.sentence(s)))) for s in source.candidates]
    for fact in facts:
        first = next((i for i, said in enumerate(sentences) if score.says(fact, said)), None)
        if first is None:
            yield UNSAID
        elif source.roles[first] is Role.BODY:
            yield THIRDS[3 * first // len(sentences)]
        else:
            yield source.roles[first].value


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.tools.measure_key_facts"
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=Path, nargs="+", required=True)
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("-v", action="store_true", help="print the answers and missed facts")
    chosen = parser.parse_args()
    score, summarizer = scorer(chosen.folder), Summarizer.load("bundled", device="cpu")
    lines = (chosen.folder / "facts.jsonl").read_text("utf-8").splitlines()
    recalls, trivial = [], 0
    by_place: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for entry in map(json.loads, filter(None, lines)):
        found = [p for d in chosen.documents if (p := d / entry["file"]).exists()]
        if not found:
            print(f"not found: {entry['file']}")
            continue
        document = load_document(found[0])
        answer = planned_answer(summarizer, document, chosen.words)
        recall, missed, trivia = score.score(entry, answer)
        recalls.append(recall)
        trivial += trivia > 0
        print(f"{recall:6.1%}  trivia {trivia}  words {len(answer.split()):4}  {entry['file']}")
        for fact, place in zip(
            entry["facts"], places(document, entry["facts"], score), strict=True
        ):
            by_place[place].append((fact["weight"], fact not in missed))
        if chosen.v:
            print(answer, *(f"missed ({f['weight']}): {f['fact']}" for f in missed), sep="\n")
    print(f"{mean(recalls):.1%} of {len(recalls)} documents, trivia in {trivial}")
    for place, facts in sorted(by_place.items(), key=lambda item: -len(item[1])):
        said = sum(weight for weight, is_said in facts if is_said)
        share = said / sum(weight for weight, _ in facts)
        print(f"{place:36}{len(facts):4} facts, {share:.0%} of their weight said")


if __name__ == "__main__":
    main()
