"""What several tests of corpora share."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def rows_of(out: Path) -> list[dict[str, Any]]:
    """Return all rows of the output, in the order of their ids."""
    import pyarrow.parquet

    tables = [pyarrow.parquet.read_table(path) for path in sorted(out.glob("*.parquet"))]
    return sorted((row for t in tables for row in t.to_pylist()), key=lambda row: row["id"])
