"""Gradio's page, but that what fails is said in words: its tracebacks quote what was sent."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..errors import UNEXPECTED, class_and_place

WRONG_VALUES = (
    "What was sent is not what this endpoint takes: “Use via API” at the foot of the page shows "
    "how many values it has, and of which kinds."
)
log = logging.getLogger(__name__)


class Page(gr.Blocks):
    """Neither its log nor its answers hold what was sent or a traceback."""

    async def preprocess_data(self, *arguments: Any, **options: Any) -> Any:
        """What was sent, as handlers take it. Raises gr.Error."""
        with _in_words(WRONG_VALUES):
            return await super().preprocess_data(*arguments, **options)

    async def process_api(self, *arguments: Any, **options: Any) -> Any:
        """One event, from what was sent to what is shown. Raises gr.Error."""
        with _in_words(UNEXPECTED):
            return await super().process_api(*arguments, **options)


@contextlib.contextmanager
def _in_words(sentence: str) -> Iterator[None]:
    try:
        yield
    except gr.Error as error:
        error.print_exception = False
        raise
    except Exception as error:
        log.error("a request failed: %s", class_and_place(error))
        log.debug("details", exc_info=True)
        raise gr.Error(sentence, print_exception=False) from None
