"""One reader per kind of file. Each returns an Extracted and raises AppErrors."""

from __future__ import annotations

from collections.abc import Callable

from ..model import Extracted, OnProgress, ReadRequest

Reader = Callable[[ReadRequest, OnProgress], Extracted]

# The reader of each kind as `module:function`: imported when a file of the kind is read.
READERS = {
    "pdf": "pdf.reader:read_pdf",
    "docx": "word:read_docx",
    "pptx": "slides:read_pptx",
    "sheet": "sheet:read_sheet",
    "odt": "odt:read_odt",
    "odp": "odp:read_odp",
    "rtf": "rtf:read_rtf",
    "epub": "epub:read_epub",
    "html": "web:read_html",
    "mhtml": "mhtml:read_mhtml",
    "mail": "message:read_mail",
    "notebook": "notebook:read_notebook",
    "tex": "tex:read_tex",
    "markdown": "markdown:read_markdown",
    "picture": "picture:read_picture",
    "text": "plain:read_text",
}
