"""What a document may cost: every limit, in one place."""

from __future__ import annotations

MAX_BYTES = 50 * 1024 * 1024
MAX_PAGES = 5_000
MAX_CHARACTERS = 20_000_000
MEMORY_BYTES = 1_500_000_000
# Libraries map address space that they never touch, and the threads of OCR most of all.
SPARE_ADDRESSES = 500_000_000
OCR_SPARE_ADDRESSES = 3_000_000_000
BASE_SECONDS = 60.0
SECONDS_PER_PAGE = 0.1
OCR_SECONDS_PER_PAGE = 30.0
PATIENCE = 5  # times these seconds may pass while a busy machine lets a child wait
OCR_PIXELS = 6_000_000  # of a page drawn for OCR
PART_CHARACTERS = 3_000
MAX_OUTLINE = 2_000
MAX_OUTLINE_LEVEL = 20
ZIP_MEMBERS = 2_000  # of a DOCX or EPUB file
ZIP_BYTES = 100_000_000  # unpacked, all members together
ZIP_RATIO = 100  # unpacked to packed


def seconds_for(pages: int, ocr: bool = False) -> float:
    """Longest time that a document of that many pages may be computed on."""
    return BASE_SECONDS + (SECONDS_PER_PAGE + (OCR_SECONDS_PER_PAGE if ocr else 0)) * pages
