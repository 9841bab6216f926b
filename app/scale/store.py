"""The output of a corpus: Parquet files that are written whole, a row for each document."""

from __future__ import annotations

import hashlib
import json
import posixpath
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadOption, Busy
from ..export.filenames import safe_filename
from ..files import cannot_write, write_atomic
from ..runs.journal import FileLock
from ..settings import APP_VERSION
from .filesystem import cannot_open, is_remote, open_address
from .tasks import CorpusResult, CorpusSettings

if TYPE_CHECKING:
    import pyarrow

SETTINGS_FILE, LOCK_FILE, FILES_FOLDER = "corpus.json", ".lock", "documents"
ROWS_PER_FILE = 1000
# An unfinished file is written again with each new row; more often would wait for the disk.
WRITE_EVERY_S = 5.0


def output_schema() -> pyarrow.Schema:
    """Return the columns of the output."""
    import pyarrow as pa

    whole, texts = pa.int32(), pa.list_(pa.string())
    numbers = pa.list_(whole)
    flag = pa.struct({"span": numbers, "kind": pa.string(), "reason": pa.string()})
    sentence = {"text": pa.string(), "pages": numbers, "labels": texts, "flags": pa.list_(flag)}
    section = {"title": pa.string(), "pages": numbers, "text": pa.string()}
    loss = {"kind": pa.string(), "page": whole, "count": whole}
    timings = ("read_s", "encode_s", "decode_s", "total_s")
    return pa.schema(
        {
            "id": pa.string(),
            "path": pa.string(),
            "sha256": pa.string(),
            "pages": whole,
            "words": whole,
            "summary": pa.string(),
            "sentences": pa.list_(pa.struct(sentence)),
            "sections": pa.list_(pa.struct(section)),
            "coverage": pa.list_(pa.struct({"page": whole, "status": pa.string()})),
            "losses": pa.list_(pa.struct(loss)),
            "warnings": texts,
            "timings": pa.struct(dict.fromkeys(timings, pa.float64())),
            "tokens_read": whole,
            "tokens_written": whole,
            "weights_sha256": pa.string(),
            "error": pa.string(),
        }
    )


class CorpusStore:
    """The folder of a corpus's output, on any filesystem.

    Rows are kept until a file is full, and the file is written again with each of them, so that a
    file is always whole. A row replaces the earlier one of the same document.
    """

    def __init__(self, address: str, settings: CorpusSettings, resume: bool) -> None:
        """Open or make the folder. Raises BadOption, and Busy where another run writes into it."""
        self.address = address
        self._system, self._root = open_address(address)
        self._lock: FileLock | None = None
        try:
            self._system.makedirs(self._root, exist_ok=True)
            if not is_remote(address):
                self._lock = FileLock(Path(self._root) / LOCK_FILE)
            self._files: dict[str, list[str]] = self._ids_by_file()
        except Busy as error:
            raise Busy(
                f"Another run writes into {address}: wait until it has ended, or choose another -o."
            ) from error
        except OSError as error:
            raise cannot_write(Path(address), error) from error
        except BadOption:
            raise
        except Exception as error:
            raise cannot_open(address, error) from error
        try:
            self._check(settings, resume)
            self._drop_doubles()
        except BaseException:
            self._release()
            raise
        self._open: list[dict[str, Any]] = []  # the rows of the file that is not full yet
        self._name = self._new_name()
        self._written_at, self._unwritten = time.monotonic(), 0

    def close(self) -> None:
        """Write what is not written yet, and let others in."""
        try:
            self._write_open()
        finally:
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def finished(self) -> dict[str, str]:
        """Return the SHA-256 of each document that has a summary, by its id."""
        columns = ("id", "sha256", "error")
        return {
            row["id"]: row["sha256"]
            for name in self._files
            for row in self._rows(name, columns)
            if not row["error"]
        }

    def add(self, result: CorpusResult, fmt: str | None = None) -> None:
        """Add a result, with the file of its document if one was exported. Raises BadOption."""
        if result.exported is not None and fmt is not None:
            self._put(f"{FILES_FOLDER}/{file_of_document(result.id, fmt)}", result.exported)
        self._open = [row for row in self._open if row["id"] != result.id] + [result.row]
        self._unwritten += 1
        if len(self._open) >= ROWS_PER_FILE:
            self._write_open()

    def write_if_due(self) -> None:
        """Write the rows that were added, if the last write is a while ago. Raises BadOption."""
        if time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self._write_open()

    def _write_open(self) -> None:
        """Write the open file, then take its documents out of earlier ones."""
        if not self._unwritten:
            return
        self._write(self._name, self._open)
        ids = {row["id"] for row in self._open}
        for name in [n for n in self._files if n != self._name]:
            self._remove(name, ids)
        if len(self._open) >= ROWS_PER_FILE:
            self._open, self._name = [], self._new_name()
        self._written_at, self._unwritten = time.monotonic(), 0

    def _new_name(self) -> str:
        """Return a name that sorts after all others; its end keeps two machines apart."""
        latest = max((int(name.split("-")[1]) for name in self._files), default=0)
        return f"summaries-{latest + 1:06}-{secrets.token_hex(3)}.parquet"

    def _remove(self, name: str, ids: set[str]) -> None:
        """Remove documents from a file, and the file when it becomes empty."""
        if ids.isdisjoint(self._files[name]):
            return
        kept = [row for row in self._rows(name) if row["id"] not in ids]
        if kept:
            self._write(name, kept)
        else:
            self._system.rm(posixpath.join(self._root, name))
            del self._files[name]

    def _drop_doubles(self) -> None:
        """Keep the latest row of each document: a run may have ended between two writes."""
        seen: set[str] = set()
        for name in sorted(self._files, reverse=True):
            ids = set(self._files[name])
            self._remove(name, ids & seen)
            seen |= ids

    def _ids_by_file(self) -> dict[str, list[str]]:
        found = {}
        for path in sorted(self._system.glob(posixpath.join(self._root, "summaries-*-*.parquet"))):
            name = posixpath.basename(path)
            found[name] = [row["id"] for row in self._rows(name, ("id",))]
        return found

    def _rows(self, name: str, columns: Sequence[str] | None = None) -> Iterable[dict[str, Any]]:
        import pyarrow.parquet

        with self._system.open(posixpath.join(self._root, name), "rb") as file:
            table = pyarrow.parquet.ParquetFile(file).read(columns and list(columns))
        return table.to_pylist()

    def _write(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet

        schema, out = output_schema(), BytesIO()
        texts = [{key: _plain(value) for key, value in row.items()} for row in rows]
        pyarrow.parquet.write_table(pa.Table.from_pylist(texts, schema), out, compression="zstd")
        self._put(name, out.getvalue())
        self._files[name] = [str(row["id"]) for row in rows]

    def _put(self, name: str, data: bytes) -> None:
        """Write a file whole. Raises BadOption."""
        path = posixpath.join(self._root, name)
        try:
            self._system.makedirs(posixpath.dirname(path), exist_ok=True)
            if is_remote(self.address):
                self._system.pipe_file(path, data)  # appears when it is complete
            else:
                write_atomic(Path(path), data, mode=0o666)
        except OSError as error:
            raise cannot_write(Path(path), error) from error
        except Exception as error:
            raise cannot_open(self.address, error) from error

    def _check(self, settings: CorpusSettings, resume: bool) -> None:
        """Raise BadOption unless the rows that are there may stand beside new ones."""
        path = posixpath.join(self._root, SETTINGS_FILE)
        made = json.dumps({**asdict(settings), "app_version": APP_VERSION}, indent=2)
        if self._files and not resume:
            raise BadOption(
                f"{self.address} holds summaries already: add --resume to make only what is "
                "missing, or choose another -o."
            )
        if self._files and self._system.exists(path):
            before = json.loads(self._system.cat_file(path))
            changed = _changes(before, json.loads(made))
            if changed:
                raise BadOption(
                    f"The summaries in {self.address} were made with other settings ({changed}): "
                    "use the same ones, or choose another -o."
                )
        self._put(SETTINGS_FILE, made.encode() + b"\n")


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return which settings differ, as "length long instead of short"."""
    before, now = ({**s, **s["options"]} for s in (before, now))
    names = [n for n in now if n not in ("options", "format") and before.get(n) != now[n]]
    return ", ".join(f"{n} {now[n]} instead of {before.get(n)}" for n in names)


def _plain(value: Any) -> Any:
    """Return a text without half surrogate pairs, which UTF-8 cannot encode."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def file_of_document(place: str, fmt: str) -> str:
    """Return the path of a document's own file below the output: one for each id.

    >>> file_of_document("2024/report.pdf", "md")
    '2024/report.pdf-summary.md'
    """
    parts = [part for part in place.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    names = [safe_filename(f"{part}.x", "x").removesuffix("-summary.x") for part in parts]
    path = "/".join(names) or "document"
    if path != place:  # another id may become the same path
        path = f"{path}-{hashlib.sha256(place.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return f"{path}-summary.{fmt}"
