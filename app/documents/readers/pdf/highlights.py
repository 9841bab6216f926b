"""A copy of a PDF with highlighted passages, notes and a first page, written in a child process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ....errors import NotReadable
from ...child_call import call_in_child, receive_call
from ...model import Box, Mark
from .page_image import mark_boxes, passage_boxes

_WRITING_S = 180
_COLOR = "ffdd57"  # that of the page's own highlights
_NOT_WRITTEN = (
    "The PDF with highlights cannot be written: its file is damaged, or protected in a way that "
    "allows no copy. The other downloads have the same citations."
)


class Highlight(NamedTuple):
    """What is highlighted on one physical page, from 1: marks, or passages where these have no
    known places. `title` and `note` are shown where a reader points at it."""

    page: int
    marks: Sequence[Mark]
    passages: Sequence[str]
    title: str
    note: str


class SummaryLine(NamedTuple):
    """A paragraph of the first page, with the physical page that it leads to, 0 for none."""

    text: str
    page: int = 0
    is_heading: bool = False


def highlighted_pdf(
    path: Path | str,
    highlights: Sequence[Highlight],
    password: str = "",
    first_page: Sequence[SummaryLine] = (),
) -> bytes:
    """Return a copy of a PDF with highlights, behind a page with the summary where one is given.

    A protected PDF stays protected by its password. Raises NotReadable.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "highlighted.pdf"
        request = {
            "path": str(Path(path).resolve()),
            "out": str(out),
            "highlights": highlights,
            "password": password,
            "first_page": first_page,
        }
        try:
            call_in_child(f"{__package__}.highlights", request, _WRITING_S)
            return out.read_bytes()
        except (subprocess.SubprocessError, OSError) as error:
            raise NotReadable(_NOT_WRITTEN) from error


def write_highlights(
    path: str,
    out: str,
    highlights: Sequence[Highlight],
    password: str,
    first_page: Sequence[SummaryLine],
) -> None:
    """Write the copy, in the child process."""
    from pypdf import PdfReader, PdfWriter

    reader = PdfReader(path)
    if reader.is_encrypted:
        reader.decrypt(password)
    writer = PdfWriter(clone_from=reader)
    for number, annotation in _annotations(path, highlights, password):
        writer.add_annotation(number - 1, annotation)
    if first_page:
        _insert_summary(writer, first_page)
    if password:
        writer.encrypt(password, algorithm="AES-256")
    writer.write(out)


def _annotations(
    path: str, highlights: Sequence[Highlight], password: str
) -> Iterator[tuple[int, Any]]:
    """Yield (page from 1, annotation) of each highlight that is found on its page."""
    import pypdfium2
    from pypdf.annotations import Highlight as Annotation
    from pypdf.generic import ArrayObject, FloatObject, NameObject, TextStringObject

    document = pypdfium2.PdfDocument(path, password=password or None)
    for highlight in highlights:
        textpage = document[highlight.page - 1].get_textpage()
        if highlight.marks:
            boxes: Sequence[Box] = mark_boxes(textpage, highlight.marks)
        else:
            boxes = passage_boxes(textpage, highlight.passages)
        if not boxes:
            continue
        # Corners of each line: upper left, upper right, lower left, lower right.
        corners = [x for l, b, r, t in boxes for x in (l, t, r, t, l, b, r, b)]  # noqa: E741
        left, bottom, right, top = zip(*boxes, strict=True)
        annotation = Annotation(
            rect=(min(left), min(bottom), max(right), max(top)),
            quad_points=ArrayObject(map(FloatObject, corners)),
            highlight_color=_COLOR,
            printing=True,
        )
        annotation[NameObject("/T")] = TextStringObject(highlight.title)
        annotation[NameObject("/Contents")] = TextStringObject(highlight.note)
        yield highlight.page, annotation


def _insert_summary(writer: Any, lines: Sequence[SummaryLine]) -> None:
    """Insert the pages of the summary before the first page, with links to the cited pages."""
    from io import BytesIO

    from pypdf import PdfReader
    from pypdf.annotations import Link
    from pypdf.generic import Fit

    from .typeset import typeset

    width, height = (float(x) for x in writer.pages[0].mediabox[2:])
    data, links = typeset(lines, (width, height))
    added = PdfReader(BytesIO(data)).pages
    for at, page in enumerate(added):
        writer.insert_page(page, at)
    _shift_page_labels(writer, len(added))
    for at, box, target in links:
        link = Link(rect=box, target_page_index=target - 1 + len(added), fit=Fit.fit())
        writer.add_annotation(at, link)


def _shift_page_labels(writer: Any, count: int) -> None:
    """Keep the printed numbers of the pages behind `count` new ones, which get a letter."""
    from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject

    labels = writer.root_object.get("/PageLabels")
    numbers = labels.get_object().get("/Nums") if labels is not None else None
    if numbers is None:  # without labels, or with nested ones, viewers count the pages
        writer.root_object.pop("/PageLabels", None)
        return
    own = DictionaryObject({NameObject("/S"): NameObject("/A")})
    shifted = ArrayObject([NumberObject(0), own])
    for start, label in zip(numbers[::2], numbers[1::2], strict=False):
        shifted += [NumberObject(start + count), label]
    writer.root_object[NameObject("/PageLabels")] = DictionaryObject({NameObject("/Nums"): shifted})


def main() -> int:
    """Read the request as JSON from stdin; any failure is a non-zero exit code."""
    request = receive_call(_WRITING_S)
    highlights = [
        Highlight(page, [Mark(n, tuple(box), *shares) for n, box, *shares in marks], *rest)
        for page, marks, *rest in request["highlights"]
    ]
    lines = [SummaryLine(*line) for line in request["first_page"]]
    write_highlights(request["path"], request["out"], highlights, request["password"], lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
