"""Files that the person named when the page was started: whoever has its address sees them."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from ..errors import BadOption, NotReadable
from ..settings import MAX_FILES, Settings, private_folder, upload_dir

TOKEN_PARAMETER = "open"  # of the page's address; assets/page.js and the page's events know it too


@dataclass(frozen=True)
class OpenedFiles:
    """Files to show in the form, and the secret part of the address that shows them: other users
    of this computer can open the page too."""

    paths: tuple[Path, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def address(self, url: str) -> str:
        """Return the address of the page that shows the files."""
        return f"{url}?{urlencode({TOKEN_PARAMETER: self.token})}" if self.paths else url

    def copies(self, token: str) -> list[str]:
        """Return paths of copies for the page, which deletes what it has read; [] for a token of
        another address."""
        if not self.paths or not secrets.compare_digest(token.encode(), self.token.encode()):
            return []
        found = []
        for number, path in enumerate(self.paths):
            copy = private_folder(self._folder(number)) / path.name
            shutil.copyfile(path, copy)
            found.append(str(copy))
        return found

    def delete_copies(self) -> None:
        """Delete the copies that no page has read."""
        for number in range(len(self.paths)):
            shutil.rmtree(self._folder(number), ignore_errors=True)

    def _folder(self, number: int) -> Path:
        return upload_dir() / f"opened-{self.token}-{number}"


def opened_files(paths: Sequence[str], settings: Settings) -> OpenedFiles:
    """Return the files of the command line. Raises BadOption and NotReadable."""
    if paths and settings.is_shared:
        raise BadOption(
            "Files are opened in a page of this computer only: leave them out, or --host and "
            "--behind-proxy."
        )
    if len(paths) > MAX_FILES:
        raise BadOption(
            f"You named {len(paths)} files, and at most {MAX_FILES} can be summarized together: "
            "name fewer, or summarize a folder on the command line."
        )
    for path in map(Path, paths):
        if path.is_dir():
            raise BadOption(f"{path} is a folder: name the files in it, such as {path / '*.pdf'}.")
        if not path.is_file():
            raise NotReadable(f"{path} is not there: check the folder and the spelling.")
    return OpenedFiles(tuple(Path(path).resolve() for path in paths))
