"""Limits on the size of a document and on the time and memory of reading it."""

from __future__ import annotations

import math

from ..errors import NotReadable, TooLong

MAX_FILE_BYTES = 50 * 1024 * 1024
MAX_DOCUMENT_PAGES = 5_000
MAX_DOCUMENT_CHARACTERS = 20_000_000
MEMORY_BYTES = 1_500_000_000
# Libraries map address space that they never touch; the threads of OCR map most.
SPARE_ADDRESSES = 500_000_000
OCR_SPARE_ADDRESSES = 3_000_000_000
BASE_SECONDS = 60.0
SPARE_SECONDS = 10  # the parent, which has a sentence for it, is first
SECONDS_PER_PAGE = 0.1
OCR_SECONDS_PER_PAGE = 30.0
WAITING_FACTOR = 5  # the child may wait for a busy machine so many times its computing time
OCR_PIXELS = 6_000_000  # of a page drawn for OCR
PICTURE_PIXELS = 100_000_000  # of a picture: A3 at 600 dpi has 70 million, 300 MB in memory
PART_CHARACTERS = 3_000  # of a part of a document without pages: about one printed page
MAX_OUTLINE_ITEMS = 2_000
MAX_OUTLINE_LEVEL = 20
ZIP_MEMBERS = 2_000  # of an Office document or a book
ZIP_BYTES = 100_000_000  # unpacked, all members together
ZIP_RATIO = 100  # unpacked to packed size


def reading_seconds(pages: int, ocr: bool = False) -> float:
    """Return the longest computing time, in seconds, for a document of that many pages."""
    return BASE_SECONDS + (SECONDS_PER_PAGE + (OCR_SECONDS_PER_PAGE if ocr else 0)) * pages


def limit_memory(ocr: bool = False, share: float = 1.0) -> None:
    """Limit the memory of this process to a share of what a reading may take, where the system
    can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    size = int(share * MEMORY_BYTES) + (OCR_SPARE_ADDRESSES if ocr else SPARE_ADDRESSES)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ValueError, OSError):  # macOS refuses, or a lower limit is set already
        return


def limit_computing(seconds: float) -> None:
    """Let the system end this process after so many seconds of computing, where it can.

    The parent ends it too, unless the parent is gone. A later call may raise the limit.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        wanted = math.ceil(seconds) + SPARE_SECONDS
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    except (ValueError, OSError):
        return


def too_busy(name: str) -> NotReadable:
    """Return the error for a sound file that a busy machine has not read in time."""
    return NotReadable(
        f"“{name}” was not read in time, because this computer is too busy: try again later."
    )


def out_of_memory(name: str) -> NotReadable:
    """Return the error for a reading that the system ended because memory was short."""
    return NotReadable(
        f"The memory of this computer ran out while “{name}” was read: close other programs, or "
        "try again when it has less to do."
    )


def too_complex(name: str) -> NotReadable:
    """Return the error for a file that takes more time or memory than any sound one."""
    return NotReadable(f"“{name}” is too complex to read safely: print it to a new PDF first.")


def too_many_characters(name: str) -> TooLong:
    """Return the error for a file with more text than the limit."""
    return TooLong(f"“{name}” holds over {MAX_DOCUMENT_CHARACTERS:,} characters: split it first.")
