"""A page of a PDF or a picture, drawn in a child process with what is cited marked."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from operator import itemgetter
from pathlib import Path
from typing import Any

from longt5.text.sentences import after_stop

from ....errors import NotReadable
from ...child_call import call_in_child, receive_call
from ...model import Box, Mark

_WIDTH_PIXELS = (600, 1_000, 2_400)  # least, by default, and most
_MAX_PIXELS = 8_000_000
_TIMEOUT_S = 30
_HIGHLIGHT = (255, 221, 87)  # yellow
_TALL_LINES = 2.5  # letters high: a box of several lines, such as a cell's, is marked as a whole
_PIECE_LETTERS = 24  # that must match; fewer may match by chance, more miss a cut passage


def page_image(
    path: Path | str,
    page: int,
    passages: Sequence[str] = (),
    password: str = "",
    marks: Sequence[Mark] = (),
    width: int = _WIDTH_PIXELS[1],
) -> bytes:
    """Return a PNG, `width` pixels wide, of a physical page (from 1), its marks highlighted.

    `passages` are highlighted where there are no marks, as on pages whose lines have no known
    places. Raises NotReadable.
    """
    request = {
        "path": str(Path(path).resolve()),
        "page": page,
        "passages": list(passages),
        "marks": [mark for mark in marks if mark.page == page],
        "password": password,
        "width": min(max(width, _WIDTH_PIXELS[0]), _WIDTH_PIXELS[2]),
    }
    try:
        answer = call_in_child(f"{__package__}.page_image", request, _TIMEOUT_S)
        return base64.b64decode(json.loads(answer)["png"])
    except (subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
        raise NotReadable(f"Page {page} cannot be drawn: open the file itself.") from error


def draw_page(
    path: str,
    page: int,
    passages: Sequence[str],
    password: str,
    marks: Sequence[Mark] = (),
    pixels: int = _WIDTH_PIXELS[1],
) -> bytes:
    """Return the PNG: render the page and highlight the marks, else the passages that are found."""
    import pypdfium2

    if not _is_pdf(path):
        return _draw_picture(path, page, marks, pixels)
    document = pypdfium2.PdfDocument(path, password=password or None)
    sheet = document[page - 1]
    width, height = sheet.get_size()
    scale = min(pixels / width, (_MAX_PIXELS / (width * height)) ** 0.5)
    bitmap = sheet.render(scale=scale)
    place = bitmap.get_posconv(sheet).to_bitmap
    textpage = sheet.get_textpage()
    boxes = mark_boxes(textpage, marks) if marks else passage_boxes(textpage, passages)
    return _marked_png(bitmap.to_pil().convert("RGB"), boxes, place)


def _marked_png(
    picture: Any, boxes: Iterable[Box], place: Callable[[float, float], tuple[float, float]]
) -> bytes:
    """Return a picture (PIL) as PNG with boxes of the page highlighted; `place` tells the pixel
    of a point."""
    from PIL import Image, ImageChops, ImageDraw

    layer = Image.new("RGB", picture.size, "white")
    pen = ImageDraw.Draw(layer)
    for left, bottom, right, top in boxes:
        corners = [place(left, bottom), place(right, top)]
        (x0, x1), (y0, y1) = (sorted(c[i] for c in corners) for i in (0, 1))
        pen.rectangle((x0 - 2, y0 - 2, x1 + 2, y1 + 2), fill=_HIGHLIGHT)
    out = BytesIO()
    ImageChops.multiply(picture, layer).save(out, "PNG", optimize=True)
    return out.getvalue()


def _is_pdf(path: str) -> bool:
    with open(path, "rb") as file:
        return b"%PDF-" in file.read(1024)


def _draw_picture(path: str, page: int, marks: Sequence[Mark], pixels: int) -> bytes:
    """Return the PNG of a file that is a picture."""
    from PIL import Image

    from ..picture import PICTURE_FORMATS, picture_at

    with Image.open(path, formats=PICTURE_FORMATS) as file:
        picture, scale = picture_at(file, page - 1, _MAX_PIXELS)
    width = picture.width
    picture.thumbnail((pixels, _MAX_PIXELS))
    scale, height = scale * picture.width / width, picture.height
    boxes = [_share_of_line(mark) for mark in marks]
    return _marked_png(picture, boxes, lambda x, y: (x * scale, height - y * scale))


def mark_boxes(textpage: Any, marks: Sequence[Mark]) -> list[Box]:
    """Return the boxes of marks, in points: of the letters that each stands for on its line."""
    import pypdfium2.raw as pdfium

    if all(mark.first <= 0 and mark.last >= 1 for mark in marks):
        return [mark.box for mark in marks]
    count = textpage.count_chars()
    unicode = (pdfium.FPDFText_GetUnicode(textpage.raw, index) for index in range(count))
    letters = [
        textpage.get_charbox(index) for index, code in enumerate(unicode) if not chr(code).isspace()
    ]
    return [_mark_box(letters, mark) for mark in marks]


def _mark_box(letters: Sequence[Box], mark: Mark) -> Box:
    """Return the part of a line's box that holds the share of its letters. Lines may run in any
    direction; `letters` are in the order of reading."""
    left, bottom, right, top = mark.box
    inside = [
        box
        for box in letters
        if left <= (box[0] + box[2]) / 2 <= right and bottom <= (box[1] + box[3]) / 2 <= top
    ]
    low, high = (0, 2) if right - left >= top - bottom else (1, 3)
    tallest = max((box[5 - high] - box[1 - low] for box in inside), default=0.0)
    height = mark.box[5 - high] - mark.box[1 - low]
    if not inside:  # what OCR has read has no letters in the file
        return _share_of_line(mark)
    if height > _TALL_LINES * tallest:
        return mark.box
    first, last = mark.first, mark.last
    if inside[0][low] > inside[-1][low]:  # it runs to the left, or downwards
        first, last = 1 - last, 1 - first
    inside.sort(key=itemgetter(low))
    begin = min(round(first * len(inside)), len(inside) - 1)
    end = max(round(last * len(inside)), begin + 1)
    edges = list(mark.box)
    edges[low] = inside[begin][low] if first > 0 else edges[low]
    edges[high] = inside[end - 1][high] if last < 1 else edges[high]
    return edges[0], edges[1], edges[2], edges[3]


def _share_of_line(mark: Mark) -> Box:
    """Return the part of a line's box that its share takes where all letters have one width."""
    left, bottom, right, top = mark.box
    width = right - left
    return left + mark.first * width, bottom, left + mark.last * width, top


def passage_boxes(
    textpage: Any, passages: Sequence[str]
) -> list[tuple[float, float, float, float]]:
    """Return (left, bottom, right, top), in points, of the lines that hold the passages."""
    text = textpage.get_text_range()
    found = []
    for passage in passages:
        span = find_passage(text, passage)
        if span is None:
            continue
        count = textpage.count_rects(span[0], span[1] - span[0])
        found += [textpage.get_rect(i) for i in range(count)]
    return found


def find_passage(text: str, passage: str) -> tuple[int, int] | None:
    """Return the characters of a page's raw text that a cleaned passage, or the longest part of it,
    stands for; None where it is not on the page.

    Only letters and digits are compared: hyphens, spaces and line ends differ after cleaning.

    >>> find_passage("The har-\\nbour is open.", "The harbour is open.")
    (0, 22)
    """
    places = [i for i, char in enumerate(text) if char.isalnum()]
    letters = _lowercase(text[i] for i in places)
    wanted = _lowercase(filter(str.isalnum, passage))
    if not wanted:
        return None
    at = letters.find(wanted)
    if at >= 0:
        return _with_closing_marks(text, places[at], places[at + len(wanted) - 1] + 1)
    # A passage that runs over the page's edge, or around a header: from its first to its last
    # piece that stands here.
    pieces = [
        wanted[i : i + _PIECE_LETTERS]
        for i in range(0, max(1, len(wanted) - _PIECE_LETTERS + 1), _PIECE_LETTERS)
    ]
    hits = [
        letters.find(piece) for piece in pieces if len(piece) == min(_PIECE_LETTERS, len(wanted))
    ]
    hits = sorted(hit for hit in hits if hit >= 0)
    if hits and hits[-1] - hits[0] > 2 * len(wanted):
        hits = _longest_part(hits)
    if not hits:
        return None
    last = min(max(hits) + _PIECE_LETTERS, len(places)) - 1
    return _with_closing_marks(text, places[min(hits)], places[last] + 1)


def _longest_part(hits: list[int]) -> list[int]:
    """Return the longest run of pieces that follow each other, since a note may stand among them;
    [] where no two do."""
    parts: list[list[int]] = []
    for hit in hits:
        if parts and hit - parts[-1][-1] == _PIECE_LETTERS:
            parts[-1].append(hit)
        else:
            parts.append([hit])
    longest = max(parts, key=len)
    return longest if len(longest) > 1 else []


def _lowercase(letters: Iterable[str]) -> str:
    """Return the letters in lower case, each as one character, where İ would become two."""
    return "".join(letter.lower()[0] for letter in letters)


def _with_closing_marks(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span with the full stop or bracket after it."""
    return start, after_stop(text, end)


def main() -> int:
    """Read the request as JSON from stdin and write {"png": base64} to stdout; any failure is a
    non-zero exit code."""
    request = receive_call(_TIMEOUT_S)
    marks = [Mark(page, tuple(box), *shares) for page, box, *shares in request["marks"]]
    png = draw_page(
        request["path"],
        request["page"],
        request["passages"],
        request["password"],
        marks,
        request["width"],
    )
    sys.stdout.write(json.dumps({"png": base64.b64encode(png).decode("ascii")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
