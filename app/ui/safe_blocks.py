"""Gradio Blocks whose error messages and logs never quote what a user sent."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..errors import UNEXPECTED, class_and_place
from .file_addresses import NO_ADDRESSES, has_address, without_own_addresses
from .session_config import SharedConfig

WRONG_VALUES = (
    "The values sent do not match the parameters of this endpoint: see “Use via API” at the "
    "bottom of the page for their number and types."
)
log = logging.getLogger(__name__)


class SafeBlocks(gr.Blocks):
    """Replace Gradio's error messages and tracebacks, which may hold the text of a document."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.default_config = SharedConfig(self)  # before anything is in it

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], *arguments: Any, **options: Any
    ) -> Any:
        """Return the values of a request as handlers take them. Raises gr.Error.

        Addresses are refused here: Gradio would fetch them.
        """
        inputs = [without_own_addresses(value) for value in inputs]
        if any(map(has_address, inputs)):
            raise gr.Error(NO_ADDRESSES, print_exception=False)
        with _generic_errors(WRONG_VALUES):
            return await super().preprocess_data(block_fn, inputs, *arguments, **options)

    async def process_api(self, *arguments: Any, **options: Any) -> Any:
        """Run the handler of one event and return its updates. Raises gr.Error."""
        with _generic_errors(UNEXPECTED):
            return await super().process_api(*arguments, **options)


@contextlib.contextmanager
def _generic_errors(message: str) -> Iterator[None]:
    try:
        yield
    except gr.Error as error:
        error.print_exception = False
        raise
    except Exception as error:
        log.error("a request failed: %s", class_and_place(error))
        log.debug("details", exc_info=True)
        raise gr.Error(message, print_exception=False) from None
