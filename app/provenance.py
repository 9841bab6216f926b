"""Where a summary came from, so that it can be checked and made again."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from app.coverage import Coverage
from app.documents import ranges
from app.settings import APP_VERSION, DEFAULT_BEAMS, DEFAULT_LENGTH

WEIGHTS = ("*.safetensors", "*.bin")


@dataclass(frozen=True)
class ModelIdentity:
    """Which weights wrote: the name asked for, the revision, a hash of the files, and the
    decoding options of the checkpoint itself."""

    name: str
    revision: str | None = None
    weights_sha256: str = ""
    decoding: dict[str, Any] = field(default_factory=dict)


def weights_digest(folder: Path) -> str:
    """SHA-256 over the weight files of a checkpoint, in the order of their names."""
    digest = hashlib.sha256()
    for pattern in WEIGHTS:
        files = sorted(folder.glob(pattern))
        for path in files:
            with path.open("rb") as file:
                while piece := file.read(1 << 22):
                    digest.update(piece)
        if files:
            return digest.hexdigest()
    return ""


def provenance_of(
    document: Any, options: Any, model: ModelIdentity, dtype: str, coverage: Coverage
) -> dict[str, Any]:
    """Plain data: the file, the pages used, the model, every option, version, time, command."""
    return {
        "file": document.name,
        "sha256": document.sha256,
        "pages_used": ranges(page for page, status in coverage if status == "read"),
        "model": model.name,
        "revision": model.revision,
        "weights_sha256": model.weights_sha256,
        "dtype": dtype,
        "decoding": {**model.decoding, **asdict(options)},
        "app_version": APP_VERSION,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command(document.name, options, model, document.ocr),
    }


def command(name: str, options: Any, model: ModelIdentity, ocr: bool = False) -> str:
    """The command line that makes the summary again."""
    words = ["python", "-m", "app", "summarize", name]
    if model.name != "bundled":
        words += ["--model", model.name]
    if model.revision:
        words += ["--revision", model.revision]
    if options.length != DEFAULT_LENGTH:
        words += ["--length", options.length]
    if options.num_beams != DEFAULT_BEAMS:
        words += ["--num-beams", str(options.num_beams)]
    for flag in ("max_new_tokens", "max_input_tokens"):
        if getattr(options, flag) is not None:
            words += ["--" + flag.replace("_", "-"), str(getattr(options, flag))]
    if options.pages:
        words += ["--pages", options.pages]
    if options.sections:
        words += ["--sections", options.sections]
    if options.include_references:
        words += ["--include-references"]
    if ocr:
        words += ["--ocr"]
    return shlex.join(words)


def details(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    """(label, value) of what a reader wants to see of it, for exports."""
    if not provenance:
        return []
    p = provenance
    weights = f", weights {p['weights_sha256'][:16]}" if p["weights_sha256"] else ""
    revision = f", revision {p['revision']}" if p["revision"] else ""
    return [
        ("File", f"{p['file']}, SHA-256 {p['sha256']}"),
        ("Pages used", p["pages_used"]),
        ("Model", f"{p['model']}{revision}{weights}, {p['dtype']}"),
        ("Made", f"{p['time']} with version {p['app_version']}"),
        ("Again", p["command"]),
    ]
