"""Read documents, with summaries if there are any, from JSON Lines or a data set of the hub."""

from __future__ import annotations

import gzip
import json
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from ..errors import UserError, reason, require_modules

FIELD_PAIRS = (("document", "summary"), ("article", "abstract"), ("source", "target"))
HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
FILE_SUFFIXES = (".jsonl", ".json", ".xz", ".gz", ".txt")


@dataclass(frozen=True)
class Record:
    """A document, its summary (None for unpaired text), and the source of both ("" if unknown)."""

    id: str
    document: str
    summary: str | None = None
    source: str = ""


def read_records(
    data: str | Path,
    limit: int | None = None,
    subset: str | None = None,
    split: str = "train",
    paired: bool = False,
) -> list[Record]:
    """Read the records of a file (``.jsonl``, also ``.xz`` or ``.gz``) or a data set on the hub.

    ``limit``: that many records, spread evenly over a file, or the first of a data set. Rows
    without text are left out, with ``paired`` also those without a summary. Raises UserError.
    """
    path = Path(data).expanduser()
    if path.is_file():
        records = list(_records(_read_json_lines(path), path.name, paired))
        count = len(records) if limit is None else min(limit, len(records))
        return [records[i * len(records) // count] for i in range(count)]
    if not HUB_NAME.fullmatch(str(data)) or path.suffix in FILE_SUFFIXES:
        raise UserError(f"There is no file {data}: check the path.")
    rows = _hub_rows(str(data), subset, split)
    return list(islice(_records(rows, str(data), paired), limit))


def _records(
    rows: Iterable[tuple[int, Mapping[str, Any]]], name: str, paired: bool
) -> Iterator[Record]:
    for number, row in rows:
        document, summary, source = _parse_row(number, row, name)
        wanted = not paired if summary is None else bool(summary.strip())
        if wanted and document.strip():
            yield Record(str(row.get("id", number)), document, summary, source)


def _parse_row(number: int, row: Mapping[str, Any], name: str) -> tuple[str, str | None, str]:
    for fields in FIELD_PAIRS:
        if set(fields) <= set(row):
            source = "" if "source" in fields else str(row.get("source") or "")
            document, summary = (_clean_text(row[field]) for field in fields)
            return document, summary, source
    if "text" in row:
        return _clean_text(row["text"]), None, str(row.get("source") or "")
    raise UserError(
        f"Row {number} of {name} has the fields {', '.join(map(str, row)) or 'none'}: it needs "
        "document and summary, article and abstract, source and target, or text."
    )


def _clean_text(value: Any) -> str:
    """Return a text, or a list of its sentences as one text.

    Half a surrogate pair, which JSON allows and tokenizers refuse, becomes a question mark.
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = "\n".join(map(str, value))
    return str(value or "").encode(errors="replace").decode()


def _read_json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    number = 0
    try:
        with _open_text(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise UserError(f"Line {number} of {path.name} is no JSON object.")
                    yield number, row
    except json.JSONDecodeError as error:
        raise UserError(f"Line {number} of {path.name} is not JSON: {reason(error)}.") from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(
            f"{path.name} cannot be read after line {number} ({reason(error)}): is it complete?"
        ) from error


def _open_text(path: Path) -> IO[str]:
    opener: Any = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
    return opener(path, "rt", encoding="utf-8")


def _hub_rows(name: str, subset: str | None, split: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    require_modules("hub", "datasets")
    import datasets

    try:
        # Streaming: a limit of a hundred documents does not download the whole data set.
        yield from enumerate(datasets.load_dataset(name, subset, split=split, streaming=True), 1)
    except Exception as error:
        raise UserError(
            f"The data set {name} could not be read ({reason(error)}): check the name, the "
            f"subset, the split ({split}), and the network."
        ) from error
