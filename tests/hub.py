"""A small Hugging Face hub on loopback: what huggingface_hub and datasets ask for, and faults.

A process finds it by HF_ENDPOINT, which huggingface_hub reads when it is imported; see
`Hub.environment`. Large files are sent from another host name, as the hub does from its store.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin", ".parquet", ".model")  # kept by git LFS, in the hub's store
SENT_AT_ONCE = 16_384  # bytes
ROUTES = {
    "info": r"/api/(models|datasets)/([^/]+/[^/]+)(?:/revision/([^/]+))?",
    "tree": r"/api/(models|datasets)/([^/]+/[^/]+)/tree/([^/]+)(?:/(.*))?",
    "paths": r"/api/(models|datasets)/([^/]+/[^/]+)/paths-info/([^/]+)",
    "file": r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)",
    "stored": r"/store/([0-9a-f]{64})",
}


@dataclass
class Faults:
    """What goes wrong. Statuses and damage are by the name of a file, `api` for the listing."""

    status: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    bytes_per_s: float | None = None
    cuts: int = 0  # so many answers end after `cut_after` bytes
    cut_after: int = 0
    ignores_range: bool = False


@dataclass(frozen=True)
class StoredFile:
    """A file of a repository with the names that git and the store give its content."""

    path: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_id(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def is_large(self) -> bool:
        return self.path.endswith(LARGE)

    @property
    def etag(self) -> str:
        return self.sha256 if self.is_large else self.git_id

    def entry(self) -> dict[str, Any]:
        """Return the file as a listing of a tree has it."""
        size = len(self.content)
        entry: dict[str, Any] = {
            "type": "file", "path": self.path, "size": size, "oid": self.git_id
        }  # fmt: skip
        if self.is_large:
            entry["lfs"] = {"oid": self.sha256, "size": size, "pointerSize": 130}
        return entry

    def sibling(self) -> dict[str, Any]:
        """Return the file as the description of a repository has it."""
        size = len(self.content)
        sibling: dict[str, Any] = {"rfilename": self.path, "size": size, "blobId": self.git_id}
        if self.is_large:
            sibling["lfs"] = {"sha256": self.sha256, "size": size, "pointerSize": 130}
        return sibling


class Hub:
    """The repositories of a hub, its faults, and the requests that it has had."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, StoredFile]] = {}
        self.faults = Faults()
        self.requests: list[tuple[str, str, str, bool]] = []  # method, path, range, with token
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, home: Path) -> dict[str, str]:
        """Return the variables by which a new process finds this hub; its cache is in `home`."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_DATASETS_CACHE": str(home / "datasets"),
            "HF_HUB_OFFLINE": "0",
            "HF_TOKEN": "secret",
        }

    def add(self, name: str, folder: Path, kind: str = "models") -> None:
        """Publish the files of a folder as a repository."""
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        stored = (StoredFile(p.relative_to(folder).as_posix(), p.read_bytes()) for p in files)
        self.repositories[f"{kind}/{name}"] = {file.path: file for file in stored}

    def commit(self, repository: str) -> str:
        """Return the one commit of a repository."""
        return hashlib.sha1(repository.encode()).hexdigest()

    def sent(self, name: str) -> list[str]:
        """Return the ranges asked of a file, "" for the whole of it, in order."""
        found = [file for files in self.repositories.values() for file in files.values()]
        store = {f"/store/{file.sha256}" for file in found if file.path == name}
        return [r for m, p, r, _ in self.requests if m == "GET" and (p in store)]


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path, self.query = unquote(parts.path), parse_qs(parts.query)
        wanted, has_token = self.headers.get("Range") or "", "Authorization" in self.headers
        self.hub.requests.append((self.command, path, wanted, has_token))
        for name, pattern in ROUTES.items():
            match = re.fullmatch(pattern, path)
            if match:
                with contextlib.suppress(ConnectionError):  # who asked has gone
                    getattr(self, f"_{name}")(*match.groups())
                return
        self._json({"error": "Not Found"}, 404)

    def _repository(self, kind: str, name: str) -> dict[str, StoredFile] | None:
        """Return the files; answer an error where there are none, as to an unknown visitor."""
        files = self.hub.repositories.get(f"{kind}/{name}")
        if self._fails("api"):
            return None
        if files is None:
            self._json({"error": "Invalid username or password."}, 401, **{
                "X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"
            })  # fmt: skip
        return files

    def _info(self, kind: str, name: str, revision: str | None) -> None:
        files = self._repository(kind, name)
        if files is None:
            return
        commit = self.hub.commit(f"{kind}/{name}")
        if revision not in (None, "main", commit):
            self._json({"error": "Not found"}, 404, **{"X-Error-Code": "RevisionNotFound"})
            return
        siblings = [file.sibling() for file in files.values()]
        about = {"_id": "0", "id": name, "sha": commit, "siblings": siblings, "private": False}
        self._json({**about, "tags": [], "downloads": 0, "likes": 0, "gated": False})

    def _tree(self, kind: str, name: str, revision: str, under: str | None) -> None:
        files = self._repository(kind, name)
        if files is None:
            return
        prefix = f"{under}/" if under else ""
        found = [f for f in files.values() if f.path.startswith(prefix)]
        if self.query.get("recursive", ["false"])[0].lower() == "true":
            self._json([f.entry() for f in found])
            return
        folders = {
            f.path[len(prefix) :].split("/")[0] for f in found if "/" in f.path[len(prefix) :]
        }
        listed = [{"type": "directory", "path": prefix + d, "size": 0, "oid": "0" * 40}
                  for d in sorted(folders)]  # fmt: skip
        direct = [f.entry() for f in found if "/" not in f.path[len(prefix) :]]
        if under and not found:
            self._json({"error": "Not found"}, 404, **{"X-Error-Code": "EntryNotFound"})
            return
        self._json([*listed, *direct])

    def _paths(self, kind: str, name: str, revision: str) -> None:
        files = self._repository(kind, name)
        if files is None:
            return
        try:
            wanted = json.loads(self.body)["paths"]
        except ValueError:
            wanted = parse_qs(self.body.decode())["paths"]
        self._json(_entries_at(files, [wanted] if isinstance(wanted, str) else wanted))

    def _file(self, kind: str | None, name: str, revision: str, path: str) -> None:
        repository = f"{'datasets' if kind else 'models'}/{name}"
        if self._fails(path):
            return
        files = self._repository(*repository.split("/", 1))
        if files is None:
            return
        commit = {"X-Repo-Commit": self.hub.commit(repository)}
        file = files.get(path)
        if file is None:
            self._json({}, 404, **{"X-Error-Code": "EntryNotFound", **commit})
            return
        if not file.is_large:
            self._bytes(file, {**commit, "ETag": f'"{file.etag}"'})
            return
        headers = {
            **commit, "Location": f"http://localhost:{self.hub.port}/store/{file.sha256}",
            "X-Linked-Size": str(len(file.content)), "X-Linked-ETag": f'"{file.etag}"',
        }  # fmt: skip
        self._json({}, 302, **headers)

    def _stored(self, sha256: str) -> None:
        for files in self.hub.repositories.values():
            for file in files.values():
                if file.is_large and file.sha256 == sha256:
                    self._bytes(file, {"ETag": f'"{sha256}"'})
                    return
        self._json({}, 404)

    def _fails(self, name: str) -> bool:
        status, headers = self.hub.faults.status.get(name, (0, {}))
        if status:
            self._json({"error": "A fault."}, status, **headers)
        return bool(status)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _bytes(self, file: StoredFile, headers: dict[str, str]) -> None:
        """Send a file or the range asked for, as fast and as whole as the faults allow."""
        faults, content = self.hub.faults, file.content
        if file.path in faults.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        size = len(content)
        start, end = 0, size
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if match and not faults.ignores_range:
            start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
            if start >= size:
                self._json({}, 416, **{"Content-Range": f"bytes */{size}"})
                return
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self.send_response(206 if "Content-Range" in headers else 200)
        for name, text in {**headers, "Content-Length": str(end - start)}.items():
            self.send_header(name, text)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.command == "HEAD":
            return
        is_cut = file.is_large and faults.cuts > 0
        if is_cut:
            faults.cuts -= 1
            end = min(end, start + faults.cut_after)
        self._send(content[start:end], faults.bytes_per_s if file.is_large else None)
        if is_cut:
            self.close_connection = True

    def _send(self, content: bytes, bytes_per_s: float | None) -> None:
        for at in range(0, len(content), SENT_AT_ONCE):
            piece = content[at : at + SENT_AT_ONCE]
            self.wfile.write(piece)
            self.wfile.flush()
            if bytes_per_s:
                time.sleep(len(piece) / bytes_per_s)


def _entries_at(files: dict[str, StoredFile], paths: list[str]) -> list[dict[str, Any]]:
    entries = []
    for path in paths:
        if path in files:
            entries.append(files[path].entry())
        elif any(known.startswith(f"{path}/") for known in files):
            entries.append({"type": "directory", "path": path, "size": 0, "oid": "0" * 40})
    return entries


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of who has gone: downloads are cancelled here."""


@contextlib.contextmanager
def running_hub() -> Iterator[Hub]:
    """Yield a hub that answers until the block ends."""
    hub = Hub()
    answers = type("Answers", (_Answers,), {"hub": hub})
    server = _Server(("127.0.0.1", 0), answers)
    hub.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), name="hub", daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
