"""Provenance of a summary: its source file, model, options, and the command to repeat it."""

from __future__ import annotations

import hashlib
import re
import shlex
import string
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..documents.model import Document
from ..settings import APP_VERSION, DEFAULT_BEAMS, DEFAULT_LENGTH, PROGRAM, STDIN_NAME
from ..wording import ranges
from .coverage import Coverage

PASTED = "Pasted text"  # the name of a document that is not a file
# Options that are None unless the person has set them.
NUMBER_OPTIONS = (
    "max_new_tokens", "max_input_tokens", "no_repeat_ngram_size", "repetition_penalty",
    "encoder_no_repeat_ngram_size", "length_penalty",
)  # fmt: skip
WEIGHT_FILES = ("*.safetensors", "*.bin")
# Bytes of text in a Word file that are searched for a mark; a larger file is no export, and a
# small one may unpack to gigabytes.
MAX_DOCX_BYTES = 50_000_000
# The end of a file's name, and its hash, as in every export; no format escapes these characters but
# Markdown, which escapes some of the dots.
EXPORT_MARK = re.compile(rb'([A-Za-z0-9.]*)"?,\s+(?:SHA-256 |"sha256": ")([0-9a-f]{64})')


@dataclass(frozen=True)
class ModelIdentity:
    """The model that wrote a summary.

    `name` and `dtype` as requested; `decoding`: the checkpoint's own decoding options; `left_out`:
    its settings that are not applied.
    """

    name: str
    revision: str | None = None
    weights_sha256: str = ""
    decoding: dict[str, Any] = field(default_factory=dict)
    dtype: str = "auto"
    left_out: tuple[str, ...] = ()


def weights_digest(folder: Path) -> str:
    """Return the SHA-256 of the weight files of a checkpoint, in the order of their names."""
    for pattern in WEIGHT_FILES:
        files = sorted(folder.glob(pattern))
        if files:
            return sha256_of_files(*files)
    return ""


def sha256_of_files(*paths: Path) -> str:
    """Return the SHA-256 of files, one after another, read in pieces."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(1 << 22):
                digest.update(piece)
    return digest.hexdigest()


def provenance_of(
    document: Document,
    options: Any,
    model: ModelIdentity,
    dtype: str,
    coverage: Coverage,
    settings: Mapping[str, Any] | None = None,
    note: str = "",
) -> dict[str, Any]:
    """Return the file, pages used, model, options, version, time and command as plain data.

    `settings` are the decoding settings of the run that replace the checkpoint's own, `note` what
    must be said about them.
    """
    chosen = {name: value for name, value in asdict(options).items() if value is not None}
    return {
        "file": document.name,
        "sha256": document.sha256,
        "pages_used": ranges(page for page, status in coverage if status == "read"),
        "model": model.name,
        "revision": model.revision,
        "weights_sha256": model.weights_sha256,
        "dtype": dtype,
        "decoding": {**model.decoding, **chosen, **(settings or {})},
        "decoding_note": note,
        "app_version": APP_VERSION,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": rerun_command(document.name, options, model, document.ocr),
    }


def rerun_command(name: str, options: Any, model: ModelIdentity, ocr: bool = False) -> str:
    """Return the command line that repeats a summary, "" for pasted text."""
    if name == PASTED:
        return ""
    file = "-" if name == STDIN_NAME else f"./{name}" if name.startswith("-") else name
    words = [*PROGRAM.split(), "summarize", file]
    if model.name != "bundled":
        words += ["--model", model.name]
    if model.revision:
        words += ["--revision", model.revision]
    if model.dtype != "auto":
        words += ["--dtype", model.dtype]
    if options.words is not None:
        words += ["--words", str(options.words)]
    elif options.length != DEFAULT_LENGTH:
        words += ["--length", options.length]
    if options.num_beams != DEFAULT_BEAMS:
        words += ["--num-beams", str(options.num_beams)]
    for flag in NUMBER_OPTIONS:
        if getattr(options, flag) is not None:
            words += ["--" + flag.replace("_", "-"), str(getattr(options, flag))]
    if options.pages:
        words += ["--pages", options.pages]
    if options.sections:
        words += ["--sections", options.sections]
    if options.by_section:
        words += ["--by-section"]
    if options.include_references:
        words += ["--include-references"]
    if ocr:
        words += ["--ocr"]
    return shlex.join(words)


def provenance_rows(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the (label, value) rows that exports show of a provenance."""
    if not provenance:
        return []
    p = provenance
    weights = f", weights {p['weights_sha256'][:16]}" if p["weights_sha256"] else ""
    revision = f", revision {p['revision']}" if p["revision"] else ""
    pages = [("Pages by number", p["pages_used"])] if p["pages_used"] else []  # as for --pages
    rows = [
        ("File", f"{p['file']}, SHA-256 {p['sha256']}"),
        *pages,
        ("Model", f"{p['model']}{revision}{weights}, {p['dtype']}"),
        ("Made", f"{p['time']} with version {p['app_version']}"),
    ]
    if p.get("decoding_note"):
        rows.append(("Decoding", p["decoding_note"]))
    return [*rows, ("Again", p["command"])] if p["command"] else rows


def export_mark(name: str, sha256: str) -> tuple[str, str]:
    """Return the mark that `read_export_mark` finds in the exports of a document."""
    return name[len(name.rstrip(string.ascii_letters + string.digits + ".")) :], sha256


def read_export_mark(path: Path) -> tuple[str, str] | None:
    """Return the mark of the document that an export was made from, None for other files."""
    try:
        data = _docx_text(path) if path.suffix.lower() == ".docx" else path.read_bytes()
    except Exception:  # zipfile and zlib raise many types
        return None
    # The text may quote another export; the provenance comes last.
    found = EXPORT_MARK.findall(data.replace(b"\\.", b"."))
    return (found[-1][0].decode(), found[-1][1].decode()) if found else None


def _docx_text(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("word/document.xml")
        return archive.read(member) if member.file_size <= MAX_DOCX_BYTES else b""
