"""Fixtures of the parity tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from longt5.kernels import threads


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Run a module's tests on one thread, on which tiny models are faster than on several."""
    with threads.one_thread():
        yield
