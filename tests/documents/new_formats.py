"""Small mails, saved pages, notebooks, sheets and slides for the tests. All return bytes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from html import escape

from tests.documents import make_formats

_TYPE = "application/vnd.openxmlformats-"
_SHEET_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    f'content-types"><Default Extension="rels" ContentType="{_TYPE}package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
    f'ContentType="{_TYPE}officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def mail(text: str, subject: str = "The flood", html: str = "", **headers: str) -> bytes:
    """Return a message with plain text, and the same in HTML if there is some."""
    message = EmailMessage()
    given = {"From": "Anna Berg <anna@example.org>", "To": "Jon Lie <jon@example.org>"}
    for name, value in {**given, "Subject": subject, **headers}.items():
        message[name.replace("_", "-")] = value
    message["Date"] = "Mon, 4 Mar 2024 09:12:00 +0100"
    message["Message-ID"] = "<1@example.org>"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


def saved_page(markup: str) -> bytes:
    """Return a web page in one file, as Chrome saves it."""
    message = EmailMessage()
    message["From"] = "<Saved by Blink>"
    message["Snapshot-Content-Location"] = "https://example.org/flood"
    message.set_content(markup, subtype="html")
    message.make_related()
    message.add_related(b"\x89PNG", "image", "png")
    return message.as_bytes()


def notebook(text: str, code: str = "import math") -> bytes:
    """Return a notebook with a cell of text and one of code with a picture."""
    outputs = [{"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo"}}]
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)},
        {"cell_type": "code", "metadata": {}, "source": [code], "outputs": outputs},
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode()


def odp_slides(title: str, points: Sequence[str], more: str = "", styles: str = "") -> bytes:
    """Return OpenDocument slides: one with a title and points, then others."""
    shown = "".join(f"<text:p>{escape(point)}</text:p>" for point in points)
    body = (
        f'<draw:page><draw:frame presentation:class="outline"><draw:text-box>{shown}'
        '</draw:text-box></draw:frame><draw:frame presentation:class="title"><draw:text-box>'
        f"<text:p>{escape(title)}</text:p></draw:text-box></draw:frame></draw:page>{more}"
    )
    data = make_formats.odt(body, styles, kind="presentation")
    presentation = 'xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0"'
    return make_formats.edited(
        data,
        {
            "content.xml": lambda xml: xml.replace(
                b"<office:document-content", b"<office:document-content " + presentation.encode(), 1
            )
        },
    )


def sheet(
    rows: Sequence[Sequence[str]], hidden: Sequence[Sequence[str]] = (), name: str = "Levels"
) -> bytes:
    """Return a workbook with a sheet, and a hidden one if it has rows."""
    sheets = [(name, "", rows)] + ([("Secret", ' state="hidden"', hidden)] if hidden else [])
    entries, relations, members = "", "", {"[Content_Types].xml": _SHEET_TYPES}
    for number, (title, state, cells) in enumerate(sheets, 1):
        entries += f'<sheet name="{title}" sheetId="{number}"{state} r:id="r{number}"/>'
        relations += (
            f'<Relationship Id="r{number}" Type="{_OFFICE}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
        )
        shown = "".join(
            "<row>"
            + "".join(f'<c t="inlineStr"><is><t>{escape(c)}</t></is></c>' for c in row)
            + "</row>"
            for row in cells
        )
        members[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{_SHEETS}"><sheetData>{shown}</sheetData></worksheet>'
        )
    members["_rels/.rels"] = (
        f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    )
    members["xl/workbook.xml"] = (
        f'<workbook xmlns="{_SHEETS}" xmlns:r="{_OFFICE}"><sheets>{entries}</sheets></workbook>'
    )
    members["xl/_rels/workbook.xml.rels"] = (
        f'<Relationships xmlns="{_RELATIONS}">{relations}</Relationships>'
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return buffer.getvalue()
