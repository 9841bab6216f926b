"""Finished summaries as files to download, and the folder where they and the uploads lie."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from ..export.filenames import safe_filename
from ..export.formats import EXPORT_FORMATS, collection_suffix, export_collection
from ..runs.reading import is_upload
from ..runs.run_state import RunState
from ..settings import data_dir, private_folder, upload_dir

PREFIX = "exports-"


def exports_folder(job_id: str) -> Path:
    """Where the exports of a job lie for download; its name is as secret as the id."""
    return upload_dir() / f"{PREFIX}{job_id}"


def write_exports(board: RunState, folder: Path) -> dict[str, str]:
    """The finished summaries as files: {format: path}."""
    summaries = [d.summary for d in board.documents if d.summary]
    if not summaries:
        return {}
    paths = {}
    private_folder(folder)
    name = summaries[0].name if len(summaries) == 1 else "documents"
    for fmt in EXPORT_FORMATS:
        path = folder / safe_filename(name, collection_suffix(fmt, len(summaries)))
        path.write_bytes(export_collection(summaries, fmt))
        paths[fmt] = str(path)
    return paths


def sweep(age_s: float, is_known: Callable[[str], bool]) -> None:
    """Delete what lies there longer than that, also of a process that is gone, which nobody else
    would; not the exports of a job that `is_known`, nor the examples."""
    # Gradio's variable may name a folder that other programs use too.
    is_ours = upload_dir() == data_dir() / "uploads"
    for entry in upload_dir().glob("*" if is_ours else f"{PREFIX}*"):
        if entry.name.startswith(PREFIX) and is_known(entry.name.removeprefix(PREFIX)):
            continue
        with contextlib.suppress(OSError):
            files = [path for path in entry.rglob("*") if path.is_file()]
            newest = max(path.stat().st_mtime for path in (entry, *files))
            if time.time() - newest > max(age_s, 0) and all(map(is_upload, files)):
                if entry.is_dir():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink()
