"""Fetch a checkpoint from the hub into its cache: config first, then its size, then the files."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..errors import BadOption, Cancelled, DownloadFailed, ModelNotFound
from ..settings import MAX_CHECKPOINT_BYTES
from ..summary.memory_estimate import format_bytes
from ..summary.models import cache_folder, is_on_disk
from .hub_file import (
    PART_SUFFIX,
    DamagedFile,
    HubFile,
    fetch_file,
    held_lock,
    part_of,
    size_of,
    status_of,
)

FILES = ("*.json", "*.safetensors", "spiece.model", "tokenizer.json")
OLD_WEIGHTS = "pytorch_model*.bin"
DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
ASKING_TIMEOUT_S = 30.0
OnBytes = Callable[[int, int], None]


def fetch_checkpoint(
    name: str, revision: str | None, cancel: threading.Event, on_progress: OnBytes
) -> None:
    """Download a checkpoint that is not here yet. `on_progress` receives (bytes done, bytes).

    What an earlier call has left is continued. Nothing can be loaded before all of it is here.
    Raises ModelNotFound when it is no LongT5 checkpoint or cannot be reached, BadOption when it is
    too large, DownloadFailed when it ends early, and Cancelled.
    """
    if is_on_disk(name, revision):
        return
    try:
        commit, files = _files_of(name, revision)
        _require_longt5(name, files, cancel)
    except (Cancelled, ModelNotFound):
        raise
    except Exception as error:
        raise _explained(name, error) from error
    total = sum(file.size for file in files)
    blobs = cache_folder(name) / "blobs"
    done = {file: size_of(blobs / file.digest) or size_of(part_of(blobs / file.digest))
            for file in files}  # fmt: skip
    _require_room(name, total, total - sum(done.values()))
    try:
        for file in sorted(files, key=lambda file: file.size):

            def on_bytes(count: int, file: HubFile = file) -> None:
                done[file] = count
                on_progress(sum(done.values()), total)

            _fetch_blob(name, file, cancel, on_bytes)
        _link(name, revision, commit, files)
    except Cancelled:
        raise
    except Exception as error:
        raise _explained(name, error, sum(done.values()), total) from error


def remove_checkpoint(name: str) -> int:
    """Delete a checkpoint of the hub's cache, all its commits and parts; return the bytes freed.

    Raises DownloadFailed where a file is in use.
    """
    folder = cache_folder(name)
    size = stored_bytes(name)
    try:
        _forget_commits(name)
        for leftover in (folder, folder.parent / ".locks" / folder.name):
            if leftover.is_dir():
                shutil.rmtree(leftover)
    except OSError as error:
        raise DownloadFailed(
            f"The model {name} could not be removed: close other programs that use it, and try "
            "again."
        ) from error
    return size - stored_bytes(name)


def stored_bytes(name: str) -> int:
    """Return the bytes that a checkpoint takes on this disk, parts of a download included."""
    folder = cache_folder(name)
    files = [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    return sum(size_of(path) for path in files)


def has_part(name: str) -> bool:
    """Return True if a download of a checkpoint was begun and is not at its end."""
    return any(cache_folder(name).glob(f"blobs/*{PART_SUFFIX}"))


def _forget_commits(name: str) -> None:
    """Delete what huggingface_hub knows of a checkpoint; it may share blobs between models."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        info = scan_cache_dir()
    except CacheNotFound:
        return
    for repository in info.repos:
        if (repository.repo_type, repository.repo_id) == ("model", name):
            commits = [revision.commit_hash for revision in repository.revisions]
            info.delete_revisions(*commits).execute()


def _files_of(name: str, revision: str | None) -> tuple[str, list[HubFile]]:
    """Return the commit of a checkpoint and its files that are needed."""
    import huggingface_hub as hub

    info = hub.HfApi().model_info(
        name, revision=revision, files_metadata=True, timeout=ASKING_TIMEOUT_S
    )
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    commit, patterns = info.sha or "", patterns_of(siblings)
    files = []
    for path, sibling in siblings.items():
        if "/" not in path and any(fnmatch(path, pattern) for pattern in patterns):
            digest = (sibling.lfs.sha256 if sibling.lfs else sibling.blob_id) or ""
            if not DIGEST.fullmatch(digest):  # it becomes the name of a file
                raise ValueError(f"{path} has no hash")
            url = hub.hf_hub_url(name, path, revision=commit)
            files.append(HubFile(path, url, sibling.size or 0, digest))
    return commit, files


def patterns_of(files: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns of the files to download: the old format only without the new one."""
    has_new = any(fnmatch(file, "*.safetensors") for file in files)
    return FILES if has_new else (*FILES, OLD_WEIGHTS)


def _require_longt5(name: str, files: list[HubFile], cancel: threading.Event) -> None:
    """Fetch the config alone. Raises ModelNotFound when it is not that of a LongT5 checkpoint."""
    config: Any = None
    is_new = not cache_folder(name).exists()  # else other programs may use it
    for file in files:
        if file.path == "config.json":
            _fetch_blob(name, file, cancel, lambda count: None)
            config = json.loads((cache_folder(name) / "blobs" / file.digest).read_bytes())
    if not isinstance(config, dict) or config.get("model_type") != "longt5":
        if is_new:
            shutil.rmtree(cache_folder(name), ignore_errors=True)
        raise ModelNotFound(f"The model {name} is not a LongT5 checkpoint: choose another.")


def _fetch_blob(
    name: str, file: HubFile, cancel: threading.Event, on_bytes: Callable[[int], None]
) -> None:
    folder = cache_folder(name)
    blobs = folder / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    with held_lock(folder.parent / ".locks" / folder.name / f"{file.digest}.lock", cancel):
        fetch_file(file, blobs / file.digest, cancel, on_bytes)


def _link(name: str, revision: str | None, commit: str, files: list[HubFile]) -> None:
    """Give the fetched files their names, as huggingface_hub lays out its cache; weights last.

    It finds their content there already, and asks the hub only for their headers.
    """
    import huggingface_hub as hub

    for file in sorted(files, key=lambda file: (file.size, file.path)):
        path = Path(hub.hf_hub_download(name, file.path, revision=commit))
        blob = cache_folder(name) / "blobs" / file.digest
        if not path.is_symlink() and blob.is_file():
            blob.unlink()  # it was copied, since this system has no links
    hub.hf_hub_download(name, "config.json", revision=revision)  # which keeps the revision's commit


def _require_room(name: str, size: int, missing: int) -> None:
    if size > MAX_CHECKPOINT_BYTES:
        raise BadOption(
            f"The model {name} is {format_bytes(size)} and the limit is "
            f"{format_bytes(MAX_CHECKPOINT_BYTES)}: choose a smaller one."
        )
    folder = cache_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise BadOption(
            f"The model {name} needs {format_bytes(missing)} more and the disk has "
            f"{format_bytes(free)} free: make room, or choose a smaller one."
        )


def _explained(name: str, error: Exception, done: int = 0, total: int = 0) -> Exception:
    """Return the error for the person: what the hub, the line or the disk has done."""
    from huggingface_hub import errors

    status = status_of(error)
    kept = f" {format_bytes(done)} of {format_bytes(total)} are kept." if done else ""
    if isinstance(error, errors.GatedRepoError):
        return ModelNotFound(
            f"The authors of {name} ask you to accept their terms: do so on its page on the hub, "
            "then run “hf auth login” on this computer."
        )
    if isinstance(error, (errors.RepositoryNotFoundError, errors.HFValidationError)):
        return ModelNotFound(
            f"The hub has no model {name}, or it is private: check the name, or run "
            "“hf auth login” on this computer."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelNotFound(f"The model {name} has no such revision: check its name.")
    if status in (401, 403):
        return ModelNotFound(
            f"The hub refused access to {name}: run “hf auth login” on this computer.{kept}"
        )
    if status == 404:
        return ModelNotFound(f"A file of the model {name} is missing on the hub: choose another.")
    if status == 429:
        return DownloadFailed(
            f"The hub has had too many requests from this address: try again in some minutes.{kept}"
        )
    if isinstance(error, DamagedFile):
        return DownloadFailed(
            f"{error} of the model {name} arrived damaged and was deleted: try again. If it "
            "happens again, something between here and the hub changes it."
        )
    if isinstance(error, OSError) and status is None and error.errno and not _is_of_line(error):
        reason = (error.strerror or "unknown reason").lower()
        return DownloadFailed(
            f"The model {name} cannot be stored in {cache_folder(name).parent} ({reason}): make "
            f"room, then try again.{kept}"
        )
    if done:
        return DownloadFailed(
            f"The connection to the hub was lost: try again, and the download goes on.{kept}"
        )
    if status is not None:
        return DownloadFailed(f"The hub failed (status {status}): try again in some minutes.")
    if isinstance(error, ValueError):
        return ModelNotFound(
            f"What the hub has of the model {name} cannot be read: choose another model."
        )
    return ModelNotFound(
        f"The model {name} is not on this computer, and the hub could not be reached: check the "
        "network, then try again."
    )


def _is_of_line(error: OSError) -> bool:
    return isinstance(error, (ConnectionError, TimeoutError))
