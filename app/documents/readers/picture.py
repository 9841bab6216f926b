"""Pictures of text (PNG, JPEG, TIFF, WebP) are extracted by OCR; each of a file becomes a page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PIL import Image, ImageOps

from ...errors import TooLong
from .. import limits, running_lines
from ..cleaning import clean_pages, text_lines
from ..model import Extracted, ExtractedPage, OnProgress, PageStatus, ReadRequest
from .pdf.ocr import DrawnPage, PageOcr

PICTURE_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")  # of Pillow, which would try many more


def read_picture(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a file of one or several pictures. Raises TooLong."""
    with _open(request) as file:
        total = getattr(file, "n_frames", 1)
        if total > limits.MAX_DOCUMENT_PAGES:
            raise TooLong(
                f"“{request.name}” has {total:,} pictures and the limit is "
                f"{limits.MAX_DOCUMENT_PAGES:,}: split it first."
            )
        on_progress(0, total)
        ocr, seen = PageOcr(lambda index: _draw(file, index)), []
        for index in range(total):
            seen.append(ocr.lines(index))
            on_progress(index + 1, total)
    texts = ["\n".join(line.cells[0] for line in lines) for lines in seen]
    plain = running_lines.drop_running_lines(texts) if any(texts) else texts
    cleaned = clean_pages(
        [text_lines(text, lines) if text else [] for text, lines in zip(plain, seen, strict=True)]
    )
    pages = []
    for number, own in enumerate(cleaned.pages, 1):
        blocks = tuple(replace(block, page=number) for block in own)
        empty: PageStatus = "failed" if number in ocr.failed else "empty"
        pages.append(ExtractedPage(str(number), "ok" if blocks else empty, blocks))
    contents = tuple(index + 1 for index in cleaned.contents)
    notes = ocr.warnings([page.label for page in pages])
    return Extracted("page", tuple(pages), contents=contents, notes=notes)


def picture_at(file: Image.Image, index: int, pixels: int) -> tuple[Image.Image, float]:
    """Return a picture of an open file upright, on white and in colour, with at most so many
    pixels, and its scale. Pillow raises many types of errors on damaged files."""
    file.seek(index)
    if _is_too_large(file):
        raise ValueError("too many pixels")
    picture: Any = ImageOps.exif_transpose(file)  # a telephone turns none itself
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would cut off above 8
        picture = picture.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    elif picture.mode == "1":  # shrunk as it is, thin strokes vanish
        picture = picture.convert("L")
    elif picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.new("RGB", layer.size, "white")
        picture.paste(layer, mask=layer)
    scale = min(1.0, (pixels / (picture.width * picture.height)) ** 0.5)
    if scale < 1:
        size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    return picture.convert("RGB"), scale


def _draw(file: Image.Image, index: int) -> DrawnPage:
    """Return a picture for OCR. Its places are in pixels of the file, from below as in a PDF."""
    picture, scale = picture_at(file, index, limits.OCR_PIXELS)
    return DrawnPage(picture, lambda x, y: (x / scale, (picture.height - y) / scale))


def _open(request: ReadRequest) -> Image.Image:
    """Open a file; only the sizes of its first picture are read. Raises TooLong."""
    try:
        file = Image.open(request.path, formats=PICTURE_FORMATS)
    except Image.DecompressionBombError:
        file = None
    if file is None or _is_too_large(file):
        millions = limits.PICTURE_PIXELS // 1_000_000
        raise TooLong(f"“{request.name}” has over {millions} million pixels: make it smaller.")
    return file


def _is_too_large(file: Image.Image) -> bool:
    return file.width * file.height > limits.PICTURE_PIXELS
