"""The `corpus` command with documents that hang or never end, and some that kill their process."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from unittest import mock

from app import cli
from app.documents import child, limits
from app.scale import pipeline, store
from app.scale.source import CorpusDocument
from app.scale.tasks import CorpusReader, CorpusResult, CorpusWork, CorpusWriter

SLEEPER = [sys.executable, "-c", "import sys, time; sys.stdin.readline(); time.sleep(600)"]


class FaultyReader(CorpusReader):
    """Reads a document called hangs in a child that never answers."""

    def __call__(self, source: CorpusDocument) -> CorpusWork:
        if "hangs" not in source.name:
            return super().__call__(source)
        with (
            mock.patch.object(child, "worker_command", lambda: SLEEPER),
            mock.patch.object(limits, "BASE_SECONDS", 0.5),
        ):
            return super().__call__(source)


class FaultyWriter(CorpusWriter):
    """Leaves a file for each document that it begins, and one for each that it has ended; some
    documents end its process, and some never end."""

    def __call__(self, work: CorpusWork) -> CorpusResult:
        begun = Path(work.source.path).parent.with_name("begun") / work.source.name
        is_first = not begun.exists()
        begun.parent.mkdir(exist_ok=True)
        begun.touch()
        if "unlucky" in work.source.name and is_first:
            os._exit(1)
        if "killer" in work.source.name and not work.error:
            os.kill(os.getpid(), signal.SIGKILL)
        if "held" in work.source.name:
            time.sleep(600)
        result = super().__call__(work)
        begun.with_suffix(".ended").touch()
        return result


def main() -> int:
    """Run the command with the arguments of this process, and return its exit code."""
    pipeline.CorpusReader, pipeline.CorpusWriter = FaultyReader, FaultyWriter  # type: ignore[misc]
    store.WRITE_EVERY_S = 0.5  # type: ignore[misc]
    return cli.main(["corpus", *sys.argv[1:]])


def main_of_another_version() -> int:
    """Run the command as a version of the program that no machine of the cluster has."""
    pipeline.APP_VERSION = "9.9.9"  # type: ignore[misc]
    return main()
