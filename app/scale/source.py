"""The documents of a corpus: files of a folder or a glob, rows of JSON Lines and of Parquet."""

from __future__ import annotations

import glob
import hashlib
import itertools
import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..documents.characters import display_name
from ..errors import BadOption
from ..settings import READABLE_SUFFIXES
from .filesystem import cannot_open, is_remote, open_address, with_scheme

JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
ROW_SUFFIXES = (*JSON_LINES, ".parquet")
ROWS_AT_ONCE = 256  # of a Parquet file in memory
HASH_PIECE_BYTES = 1 << 22


@dataclass(frozen=True)
class CorpusDocument:
    """One document of a corpus: a file, or the text of a row. `error`: why it is neither.

    `id` is its place below the source, or the row's own id; no two of a corpus are the same.
    `path` is the address of the file, with the number of the row.
    """

    id: str
    path: str
    name: str
    text: str | None = None
    error: str = ""

    def sha256(self) -> str:
        """Return the SHA-256 of the content, "" where it cannot be read."""
        if self.text is not None:
            return hashlib.sha256(encode_text(self.text)).hexdigest()
        digest = hashlib.sha256()
        try:
            system, path = open_address(self.path)
            with system.open(path, "rb") as file:
                while piece := file.read(HASH_PIECE_BYTES):
                    digest.update(piece)
        except Exception:  # filesystems raise many types; reading will report it
            return ""
        return digest.hexdigest()


def encode_text(text: str) -> bytes:
    """Return a text as UTF-8; half a surrogate pair, which JSON allows, becomes "?"."""
    return text.encode("utf-8", "replace")


class Corpus:
    """The documents below an address, listed once and read as they are needed."""

    def __init__(self, address: str, out: str) -> None:
        """List the files. Raises BadOption where there are none."""
        self.address = address
        self.files = list(_list_files(address, out))
        if not self.files:
            raise BadOption(
                f"There is no document in {address}: name a folder, a pattern such as "
                "'reports/*.pdf', a .jsonl or a .parquet file."
            )

    def __len__(self) -> int:
        """Return the number of documents. JSON Lines are read to their end for it."""
        return sum(_count(path) if path.endswith(ROW_SUFFIXES) else 1 for _, path in self.files)

    def __iter__(self) -> Iterator[CorpusDocument]:
        """Yield the documents in order. Raises BadOption for a table without a text or a path."""
        seen: set[str] = set()
        for document in self._documents():
            if document.id in seen:  # rows of a table may share an id
                document = replace(document, id=f"{document.id} ({document.path})")
            seen.add(document.id)
            yield document

    def _documents(self) -> Iterator[CorpusDocument]:
        for place, path in self.files:
            if path.endswith(ROW_SUFFIXES):
                yield from _rows_as_documents(place, path)
            else:
                yield CorpusDocument(place, path, display_name(posixpath.basename(path)))


def _list_files(address: str, out: str) -> Iterator[tuple[str, str]]:
    """Yield (place below the source, address) of each file to read, in the order of their names."""
    system, path = open_address(address)
    path = path.rstrip("/") or path
    try:
        if glob.has_magic(path) and not system.exists(path):
            found, base = system.glob(path), path.split("*")[0].split("?")[0].split("[")[0]
            base = base.rpartition("/")[0]
        elif system.isdir(path):
            found, base = system.find(path), path
        elif system.exists(path):
            yield posixpath.basename(path), with_scheme(address, path)
            return
        else:
            raise BadOption(f"There is no {address}: check its name and folder.")
    except BadOption:
        raise
    except Exception as error:
        raise cannot_open(address, error) from error
    written = open_address(out)[1].rstrip("/") + "/" if is_remote(out) == is_remote(address) else ""
    for file in sorted(found):
        place = file.removeprefix(base).lstrip("/")
        is_hidden = any(part.startswith((".", "~$")) for part in place.split("/"))
        is_written = bool(written) and file.startswith(written)
        is_kind = file.lower().endswith((*READABLE_SUFFIXES, *ROW_SUFFIXES))
        if is_kind and not is_hidden and not is_written and not system.isdir(file):
            yield place, with_scheme(address, file)


def _rows_as_documents(place: str, path: str) -> Iterator[CorpusDocument]:
    """Yield a document for each row of a table."""
    for number, row in enumerate(_rows(path), 1):
        where = f"{path}#{number}"
        name = f"{place}#{number}"
        if isinstance(row, str):
            yield CorpusDocument(name, where, display_name(name), error=row)
            continue
        own = str(row["id"]) if row.get("id") is not None else name
        if isinstance(row.get("text"), str):
            yield CorpusDocument(own, where, display_name(own), text=row["text"])
        elif isinstance(row.get("path"), str) and row["path"]:
            file = _beside(path, row["path"])
            own = own if row.get("id") is not None else row["path"]
            yield CorpusDocument(own, file, display_name(posixpath.basename(file)))
        else:
            reason = f"Row {number} of {posixpath.basename(path)} has neither a text nor a path."
            yield CorpusDocument(own, where, display_name(own), error=reason)


def _beside(table: str, path: str) -> str:
    """Return the address of a file that a table names, from the folder of the table."""
    if is_remote(path) or posixpath.isabs(path) or "://" in path or path[1:2] == ":":
        return path
    return posixpath.join(posixpath.dirname(table), path)


def _rows(path: str) -> Iterator[dict[str, Any] | str]:
    """Yield the rows of a table; of one that cannot be read, the reason. Raises BadOption."""
    try:
        rows = _json_rows(path) if path.endswith(JSON_LINES) else _parquet_rows(path)
        first = next(rows, None)
    except BadOption:
        raise
    except Exception as error:
        raise cannot_open(path, error) from error
    if first is None:
        return
    if isinstance(first, dict) and not {"text", "path"} & set(first):
        fields = ", ".join(map(str, first)) or "none"
        raise BadOption(f"{path} has the columns {fields}: it needs one called text or path.")
    yield from itertools.chain([first], rows)


def _json_rows(path: str) -> Iterator[dict[str, Any] | str]:
    system, inside = open_address(path)
    with system.open(inside, "rb", compression="infer") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            is_object = isinstance(row, dict)
            yield row if is_object else f"Line {number} of the file is no JSON object."


def _parquet_rows(path: str) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet

    system, inside = open_address(path)
    with system.open(inside, "rb") as file:
        table = pyarrow.parquet.ParquetFile(file)
        names = [name for name in ("id", "text", "path") if name in table.schema_arrow.names]
        if not {"text", "path"} & set(names):
            yield dict.fromkeys(table.schema_arrow.names)
            return
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=names):
            yield from batch.to_pylist()


def _count(path: str) -> int:
    """Return the number of rows of a table. Raises BadOption."""
    try:
        system, inside = open_address(path)
        if path.endswith(JSON_LINES):
            with system.open(inside, "rb", compression="infer") as file:
                return sum(1 for line in file if line.strip())
        import pyarrow.parquet

        with system.open(inside, "rb") as file:
            return pyarrow.parquet.ParquetFile(file).metadata.num_rows
    except BadOption:
        raise
    except Exception as error:
        raise cannot_open(path, error) from error
