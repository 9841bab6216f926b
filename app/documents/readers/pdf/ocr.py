"""OCR of pages that are pictures: an optional package reads what PDFium draws, offline."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

from ....errors import BadOption
from ... import limits

DPI = 200
LINE_OVERLAP = 0.5  # of the lower height: boxes beside each other stand on one line
MIN_SCORE = 0.5
THREADS = 4  # each takes address space, which is limited
Box = tuple[float, float, float, float, str]  # left, top, right, bottom, text


def is_installed() -> bool:
    """Whether the optional packages are there; they are not imported."""
    return all(importlib.util.find_spec(n) is not None for n in ("rapidocr", "onnxruntime"))


def require(name: str) -> None:
    """Raises BadOption with the line to type when OCR cannot be had."""
    if not is_installed():
        raise BadOption(
            f'OCR of “{name}” needs an extra package: pip install ".[ocr]", or choose no OCR.'
        )


def engine() -> Callable[[Any], str]:
    """A function from a picture (PIL) to its text. Loading takes a second or two."""
    import logging

    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)  # it would log to our output
    recognize: Any = RapidOCR(
        params={
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": min(THREADS, os.cpu_count() or 1),
        }
    )

    def read(picture: Any) -> str:
        found = recognize(picture)
        if found is None or found.boxes is None or found.txts is None:
            return ""
        scored = zip(found.boxes, found.txts, found.scores, strict=True)
        return lines_of([_box(c, t) for c, t, score in scored if score >= MIN_SCORE])

    return read


def draw(page: Any) -> Any:
    """A pypdfium2 page as a grey picture fit for OCR."""
    width, height = page.get_size()
    scale = min(DPI / 72, (limits.OCR_PIXELS / max(1.0, width * height)) ** 0.5)
    return page.render(scale=scale, grayscale=True).to_pil().convert("RGB")


def _box(corners: Any, text: str) -> Box:
    across, down = [float(c[0]) for c in corners], [float(c[1]) for c in corners]
    return min(across), min(down), max(across), max(down), text


def lines_of(boxes: list[Box]) -> str:
    """Pieces of text put on lines from top to bottom, and on a line from left to right."""
    lines: list[list[Box]] = []
    for box in sorted(boxes, key=lambda b: (b[1] + b[3]) / 2):
        last = lines[-1][0] if lines else None
        if last is not None:
            shared = min(last[3], box[3]) - max(last[1], box[1])
            if shared > LINE_OVERLAP * min(last[3] - last[1], box[3] - box[1]):
                lines[-1].append(box)
                continue
        lines.append([box])
    return "\n".join(" ".join(b[4] for b in sorted(line)) for line in lines)
