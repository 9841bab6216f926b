"""Score every system on every document, and report means with intervals as Markdown and JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..text.words import count_words
from ..training.corpus import Record
from .baselines import MAX_RANKED
from .bootstrap import BOOTSTRAP_SAMPLES, CONFIDENCE_LEVEL, interval
from .checkpoints import Checkpoint
from .metrics import METRICS, ScoredDocument, rouge_scorer, summary_scores

Scores = dict[str, float]
Systems = Mapping[str, "Checkpoint | Callable[[Record, int], str]"]
TABLES = (
    ("rouge1", "rouge2", "rougeL", "rougeLsum", "words", "seconds"),
    ("rouge1_stem", "rouge2_stem", "rougeL_stem", "rougeLsum_stem"),
    ("copied_words", "copied_4grams", "novel_2grams", "repeated_4grams"),
    ("supported", "wrong_numbers", "wrong_names", "finished"),
)
LSUM_SENTENCES = {
    "sentences": "its own sentence splitter",
    "lines": "the lines of the texts as they are",
}


def score_systems(
    records: Sequence[Record], systems: Systems, batch_size: int, lsum: str
) -> tuple[list[dict[str, Scores]], list[dict[str, str]]]:
    """Return (scores, summaries) of each record by system.

    The baselines aim at the number of words of the first system's summary.
    """
    rouge = rouge_scorer(lsum)
    scores: list[dict[str, Scores]] = []
    summaries: list[dict[str, str]] = []
    bar = tqdm(total=len(records), unit="doc", disable=None)
    for begin in range(0, len(records), batch_size):
        batch = records[begin : begin + batch_size]
        written = _summarize_batch(batch, systems)
        for at, record in enumerate(batch):
            source = ScoredDocument(record.document)
            texts = {name: rows[at][0] for name, rows in written.items()}
            summaries.append(texts)
            scores.append(
                {
                    name: {
                        **rouge(record.summary or "", text),
                        **summary_scores(source, text),
                        "seconds": written[name][at][1],
                    }
                    for name, text in texts.items()
                }
            )
            bar.update()
    bar.close()
    return scores, summaries


def _summarize_batch(
    batch: Sequence[Record], systems: Systems
) -> dict[str, list[tuple[str, float]]]:
    """Return (summary, seconds) of each record by system; seconds are averaged over a batch."""
    written: dict[str, list[tuple[str, float]]] = {}
    lengths: list[int] = []
    for name, system in systems.items():
        began = time.perf_counter()
        if isinstance(system, Checkpoint):
            texts = system.write([record.document for record in batch])
        else:
            texts = [system(record, n) for record, n in zip(batch, lengths, strict=True)]
        lengths = lengths or [max(1, count_words(text)) for text in texts]
        seconds = (time.perf_counter() - began) / len(batch)
        written[name] = [(text, seconds) for text in texts]
    return written


def intervals(scores: Sequence[dict[str, Scores]]) -> dict[str, dict[str, list[float]]]:
    """Return {system: {metric: [mean, low, high]}}."""
    return {
        system: {m: list(interval([row[system][m] for row in scores])) for m in METRICS}
        for system in scores[0]
    }


def build_report(
    model: str,
    data: str,
    records: Sequence[Record],
    scores: Sequence[dict[str, Scores]],
    lsum: str,
    machine: str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of ``report.json``."""
    groups: dict[str, list[dict[str, Scores]]] = {}
    for record, row in zip(records, scores, strict=True):
        groups.setdefault(source_group(record.source), []).append(row)
    return {
        "model": model,
        "data": data,
        "n": len(records),
        "scores": intervals(scores),
        "sources": {
            name: {"n": len(rows), "scores": intervals(rows)} for name, rows in groups.items()
        }
        if len(groups) > 1
        else {},
        "lsum": lsum,
        "machine": machine,
        "settings": dict(settings),
    }


def source_group(source: str) -> str:
    """Return a source's origin: the text before its first slash, colon or space.

    >>> source_group("openstax/osbooks-physics (CC BY 4.0)")
    'openstax'
    """
    return re.split(r"[/:\s]", source, maxsplit=1)[0] or "other"


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    parts = [
        f"# {report['model']} on {report['data']}",
        f"{report['n']} documents. Mean and {CONFIDENCE_LEVEL:.0%} interval "
        f"({BOOTSTRAP_SAMPLES:,} bootstrap draws of documents). ROUGE by rouge-score; ROUGE-Lsum "
        f"by {LSUM_SENTENCES[report['lsum']]}. The baselines pick sentences up to the length of "
        "the first system's summary, the oracle as many as "
        f"raise ROUGE-1; TextRank and LexRank read the first {MAX_RANKED:,} sentences.",
        *(_markdown_table(report["scores"], metrics) for metrics in TABLES),
    ]
    for name, part in report["sources"].items():
        parts += [
            f"## {name}: {part['n']}",
            _markdown_table(part["scores"], ("rouge1", "rouge2", "rougeLsum", "words")),
        ]
    parts += [
        "\n".join(f"- {metric.label}: {metric.about}" for metric in METRICS.values()),
        f"{report['machine']}. Settings: `{json.dumps(report['settings'])}`",
    ]
    return "\n\n".join(parts) + "\n"


def _markdown_table(
    scores: Mapping[str, Mapping[str, Sequence[float]]], metrics: Sequence[str]
) -> str:
    lines = [
        "| | " + " | ".join(METRICS[m].label for m in metrics) + " |",
        "|---" * (len(metrics) + 1) + "|",
    ]
    for system, row in scores.items():
        cells = [_format_interval(row[m], METRICS[m].digits) for m in metrics]
        lines.append("| " + " | ".join([system, *cells]) + " |")
    return "\n".join(lines)


def _format_interval(value: Sequence[float], digits: int) -> str:
    mean, low, high = (f"{number:.{digits}f}" for number in value)
    return mean if low == high else f"{mean} ({low}–{high})"


def write_report(
    folder: Path,
    report: Mapping[str, Any],
    records: Sequence[Record],
    summaries: Sequence[Mapping[str, str]],
) -> None:
    """Write ``report.json``, ``report.md``, and ``summaries.jsonl`` with the references."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    (folder / "report.md").write_text(markdown(report), encoding="utf-8")
    with (folder / "summaries.jsonl").open("w", encoding="utf-8") as file:
        for record, texts in zip(records, summaries, strict=True):
            row = {"id": record.id, "source": record.source, "reference": record.summary}
            file.write(json.dumps({**row, **texts}, ensure_ascii=False) + "\n")
