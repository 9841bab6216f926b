"""OCR of pages that are pictures, by an optional package, offline."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ....errors import BadOption
from ....optional_packages import install_command
from ....warning import AppWarning, WarningKind
from ....wording import capital, places
from ... import limits
from ...characters import normalize_characters
from ...cleaning import PlacedLine

# Chosen by hand: a resolution and a confidence that read ordinary scans.
_OCR_DPI = 200
_MIN_LINE_OVERLAP = 0.5  # of the lower height, where boxes next to each other share a line
_MIN_CONFIDENCE = 0.5
_MAX_THREADS = 4  # each takes address space, which is limited

TextBox = tuple[float, float, float, float, str]  # left, top, right, bottom, text


def is_installed() -> bool:
    """Return whether the optional packages are there, without importing them."""
    return all(importlib.util.find_spec(n) is not None for n in ("rapidocr", "onnxruntime"))


def how_to_install() -> str:
    """Return the cure of an error: the command that installs OCR, and where."""
    return f"run {install_command('ocr')} on the computer that runs this program"


def how_to_read_pictures() -> str:
    """Return what to do about pages that are pictures, where OCR is installed and where not."""
    if is_installed():
        return "turn on OCR for it (--ocr on the command line)."
    return (
        f"OCR would read it and is not installed here; {how_to_install()}, start it again and turn "
        "OCR on."
    )


def require_ocr(name: str, is_picture: bool = False) -> None:
    """Raise BadOption with the line to type when OCR is not installed."""
    if is_installed():
        return
    if is_picture:
        raise BadOption(
            f"“{name}” is a picture, which only OCR can read: {how_to_install()} and start it "
            "again."
        )
    raise BadOption(f"OCR of “{name}” is not installed here: {how_to_install()}, or choose no OCR.")


@dataclass(frozen=True)
class DrawnPage:
    """The picture (PIL) of a page, and a function from its pixels to a point on the page."""

    picture: Any
    to_page: Callable[[int, int], tuple[float, float]]


class PageOcr:
    """Pages read by OCR from their pictures; the engine is loaded for the first of them.

    `draw` draws a page by its index.
    """

    def __init__(self, draw: Callable[[int], DrawnPage]) -> None:
        self._draw = draw
        self._recognize: Callable[[Any], list[TextBox]] | None = None
        self._read: list[int] = []
        self.failed: list[int] = []  # numbers of pages, from 1

    def lines(self, index: int) -> list[PlacedLine]:
        """Return the lines of a page with their boxes; [] where OCR finds none or fails."""
        if self._recognize is None:
            self._recognize = load_engine()
        try:
            drawn = self._draw(index)
            found = [_placed(box, drawn) for box in self._recognize(drawn.picture)]
        except Exception:  # one page that cannot be drawn must not end the document
            self.failed.append(index + 1)
            return []
        lines = [line for line in found if line.cells[0].strip()]
        if lines:
            self._read.append(index + 1)
        return lines

    def warnings(self, labels: Sequence[str]) -> tuple[AppWarning, ...]:
        """Return warnings about the pages whose text is a guess, and those on which OCR failed."""
        what = "read by OCR, so letters and numbers may be wrong there"
        return (
            *_page_warning(WarningKind.OCR_USED, self._read, what, labels),
            *_page_warning(WarningKind.OCR_FAILED, self.failed, "too much for OCR", labels),
        )


def _page_warning(
    kind: WarningKind, pages: Sequence[int], what: str, labels: Sequence[str]
) -> tuple[AppWarning, ...]:
    if not pages:
        return ()
    verb = "was" if len(pages) == 1 else "were"
    return (AppWarning(kind, f"{capital(places(pages, 'page', labels))} {verb} {what}."),)


def _placed(found: TextBox, drawn: DrawnPage) -> PlacedLine:
    """Return a line with its box on the page, which may be turned in the picture."""
    left, top, right, bottom, text = found
    ends = (drawn.to_page(round(left), round(top)), drawn.to_page(round(right), round(bottom)))
    (x0, x1), (y0, y1) = (sorted(round(end[axis], 1) for end in ends) for axis in (0, 1))
    return PlacedLine((normalize_characters(text),), box=(x0, y0, x1, y1))


def load_engine() -> Callable[[Any], list[TextBox]]:
    """Return a function from a picture (PIL) to its lines. Loading takes a second or two."""
    import logging

    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)  # it would log to our output
    recognize: Any = RapidOCR(
        params={
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": min(_MAX_THREADS, os.cpu_count() or 1),
        }
    )

    def read(picture: Any) -> list[TextBox]:
        found = recognize(picture)
        if found is None or found.boxes is None or found.txts is None:
            return []
        scored = zip(found.boxes, found.txts, found.scores, strict=True)
        return join_text_boxes(
            [_text_box(c, t) for c, t, score in scored if score >= _MIN_CONFIDENCE]
        )

    return read


def draw_for_ocr(page: Any) -> DrawnPage:
    """Return a pypdfium2 page as a grey picture fit for OCR."""
    width, height = page.get_size()
    scale = min(_OCR_DPI / 72, (limits.OCR_PIXELS / max(1.0, width * height)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True)
    return DrawnPage(bitmap.to_pil().convert("RGB"), bitmap.get_posconv(page).to_page)


def _text_box(corners: Any, text: str) -> TextBox:
    across, down = [float(c[0]) for c in corners], [float(c[1]) for c in corners]
    return min(across), min(down), max(across), max(down), text


def join_text_boxes(boxes: list[TextBox]) -> list[TextBox]:
    """Return lines from top to bottom: boxes next to each other become one, from left to right."""
    lines: list[list[TextBox]] = []
    for box in sorted(boxes, key=lambda b: (b[1] + b[3]) / 2):
        last = lines[-1][0] if lines else None
        if last is not None:
            shared = min(last[3], box[3]) - max(last[1], box[1])
            if shared > _MIN_LINE_OVERLAP * min(last[3] - last[1], box[3] - box[1]):
                lines[-1].append(box)
                continue
        lines.append([box])
    return [_joined_line(sorted(line)) for line in lines]


def _joined_line(boxes: list[TextBox]) -> TextBox:
    left, top, right, bottom, texts = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom), " ".join(texts)
