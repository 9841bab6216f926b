"""Pages of a long PDF are read by several processes at once, which open the file themselves."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator

from ... import limits
from ...parent_watch import be_killed_with_parent
from .page_reader import PageReader, RawPage

MIN_PARALLEL_PAGES = 40  # from there the start of the processes is won back
_MAX_PROCESSES = 4  # each takes some 60 MB
_PAGES_AT_ONCE = 8  # that one process reads before it answers
# New objects between two collections. A page makes some ten thousand, none of them in a circle:
# with Python's 700 a sixth of the time goes into looking for circles, with 50,000 a twentieth.
COLLECT_AFTER = 1_000_000

OpenReader = Callable[[], PageReader]
_reader: PageReader | None = None  # of a process of the pool


def processes_for(pages: int) -> int:
    """Return by how many processes a document of so many pages is read, 1 for this one alone.

    Only Linux starts a process as a cheap copy of this one, and ends it when this one ends.
    """
    if pages < MIN_PARALLEL_PAGES or not sys.platform.startswith("linux"):
        return 1
    return max(1, min(_MAX_PROCESSES, len(os.sched_getaffinity(0))))


def read_pages(open_reader: OpenReader, pages: int, processes: int) -> Iterator[RawPage]:
    """Yield the pages in order. `open_reader` opens the document in a process of its own. Raises
    MemoryError where one of the processes ends by itself."""
    import multiprocessing  # short documents do without these
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(processes, context, _begin, (open_reader, os.getpid(), processes))
    try:
        yield from pool.map(_read, range(pages), chunksize=_PAGES_AT_ONCE)
    except BrokenProcessPool as error:
        raise MemoryError from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(open_reader: OpenReader, parent: int, processes: int) -> None:
    """Open the document in a new process, which ends with its parent. Together the processes may
    take as much memory as one that reads alone."""
    global _reader
    be_killed_with_parent()
    limits.limit_memory(share=1 / processes)
    gc.set_threshold(COLLECT_AFTER)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)
    _reader = open_reader()


def _read(index: int) -> RawPage:
    assert _reader is not None
    return _reader.read(index)
