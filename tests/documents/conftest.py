"""A fixture that reads a document made of bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.documents.load import load_document
from app.documents.model import Document


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Document]:
    """load(bytes or text, name, **options) -> Document"""

    def read(data: bytes | str, filename: str = "river.pdf", **options: Any) -> Document:
        path = tmp_path / filename
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return load_document(path, **options)

    return read
