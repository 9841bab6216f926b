"""Gradio Blocks whose error messages and logs never quote what a user sent."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..errors import UNEXPECTED, class_and_place

WRONG_VALUES = (
    "The values sent do not match the parameters of this endpoint: see “Use via API” at the "
    "bottom of the page for their number and types."
)
log = logging.getLogger(__name__)


class SafeBlocks(gr.Blocks):
    """Replace Gradio's error messages and tracebacks, which may hold the text of a document."""

    async def preprocess_data(self, *arguments: Any, **options: Any) -> Any:
        """Return the values of a request as handlers take them. Raises gr.Error."""
        with _generic_errors(WRONG_VALUES):
            return await super().preprocess_data(*arguments, **options)

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
