"""Fixtures of the parity tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parity.generation_cases import single_thread


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Run a module's tests on one thread, on which tiny models are faster than on several."""
    with single_thread():
        yield
