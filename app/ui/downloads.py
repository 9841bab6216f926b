"""Write the files behind the download buttons, and delete old downloads and uploads."""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import files
from ..errors import BadOption
from ..events import Summary
from ..export.filenames import safe_filename
from ..export.formats import EXPORT_FORMATS, collection_suffix, export_collection
from ..export.pdf import is_pdf, to_pdf
from ..export.style import FILE_STYLE, ExportStyle
from ..runs.reading import is_upload
from ..settings import data_dir, private_folder, upload_dir

FOLDER_PREFIX = "exports-"
UNREAD_S = 600.0  # an upload is read as soon as a page has it; a program may take some minutes


def downloads_folder(job_id: str) -> Path:
    """Return the folder of a job's downloads; its name is as hard to guess as the job's id."""
    return upload_dir() / f"{FOLDER_PREFIX}{job_id}"


def write_downloads(
    summaries: Sequence[Summary], folder: Path, style: ExportStyle = FILE_STYLE
) -> dict[str, str]:
    """Write summaries in every format. Return the path of each format's file."""
    if not summaries:
        return {}
    paths = {}
    private_folder(folder)
    name = summaries[0].name if len(summaries) == 1 else "documents"
    for fmt in EXPORT_FORMATS:
        path = folder / safe_filename(name, collection_suffix(fmt, len(summaries)))
        path.write_bytes(export_collection(summaries, fmt, style))
        paths[fmt] = str(path)
    return paths


def write_highlighted(
    summaries: Sequence[Summary | None],
    sources: Sequence[tuple[Path | None, str]],
    folder: Path,
    first_page: bool,
) -> Path:
    """Write the summarized PDFs with their cited passages highlighted; several as a zip archive.

    `sources` are the path and the password of each document. Raises BadOption and NotReadable.
    """
    copies = {}
    for number, (summary, (path, password)) in enumerate(zip(summaries, sources, strict=False), 1):
        if summary is not None and path is not None and is_pdf(summary):
            name = safe_filename(summary.name, "pdf").replace("-summary.pdf", "-highlighted.pdf")
            copies[f"{number:02}-{name}"] = to_pdf(summary, path, password, first_page)
    if not copies:
        raise BadOption("There is no PDF to highlight: the other downloads have the citations.")
    private_folder(folder)
    (name, data), *others = copies.items()
    target = folder / (name[3:] if not others else "documents-highlighted.zip")
    if not others:
        target.write_bytes(data)
        return target
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in copies.items():
            archive.writestr(name, data)
    return target


def delete_expired(age_s: float, is_known: Callable[[str], bool]) -> None:
    """Delete downloads and uploads older than `age_s`, of this process or an earlier one.

    Downloads of a job for which `is_known` returns True stay, and so do the example documents.
    """
    # GRADIO_TEMP_DIR may name a folder that other programs use too: there, delete only downloads.
    is_own_folder = upload_dir() == data_dir() / "uploads"
    for entry in upload_dir().glob("*" if is_own_folder else f"{FOLDER_PREFIX}*"):
        if entry.name.startswith(FOLDER_PREFIX) and is_known(
            entry.name.removeprefix(FOLDER_PREFIX)
        ):
            continue
        with contextlib.suppress(OSError):
            inside = [path for path in entry.rglob("*") if path.is_file()]
            if files.age_s(entry, *inside) > max(age_s, 0) and all(map(is_upload, inside)):
                if entry.is_dir():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink()


def delete_unread(uploads: set[str], age_s: float = UNREAD_S) -> None:
    """Delete uploads that nothing has read for `age_s`, and the rests of cut-off ones.

    `uploads` are the files that Gradio received; those that were read have been moved away.
    """
    for path in (*map(Path, list(uploads)), *_rests()):
        try:
            if files.age_s(path) > age_s and is_upload(path):
                path.unlink()
        except FileNotFoundError:
            pass  # read, and moved away, since it was listed
        except OSError:
            continue  # still open in another process: the next sweep tries again
        if not path.exists():
            uploads.discard(str(path))
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # unless it holds something else


def delete_rests() -> None:
    """Delete the files of refused uploads, while none is being sent."""
    for path in _rests():
        with contextlib.suppress(OSError):
            path.unlink()


def _rests() -> list[Path]:
    """Return the files that Gradio writes while an upload is sent, before they have their names."""
    return [path for path in upload_dir().glob("tmp*") if path.is_file() and is_upload(path)]
