"""What a document may cost: every limit, in one place."""

from __future__ import annotations

MAX_BYTES = 50 * 1024 * 1024
MAX_PAGES = 5_000
MAX_CHARACTERS = 20_000_000
MEMORY_BYTES = 1_500_000_000
BASE_SECONDS = 60.0
SECONDS_PER_PAGE = 0.1
PART_CHARACTERS = 3_000


def seconds_for(pages: int) -> float:
    """Longest time that reading a document of that many pages may take."""
    return BASE_SECONDS + SECONDS_PER_PAGE * pages
