"""Footnotes of a Word document, which python-docx cannot write."""

from __future__ import annotations

from typing import Any

PART_NAME = "/word/footnotes.xml"
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
# Word expects these two before the first footnote.
SEPARATORS = (("separator", -1), ("continuationSeparator", 0))


class Footnotes:
    """Collects the footnotes of one document; `attach` writes them."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, paragraph: Any, text: str) -> None:
        """Refer to a new footnote at the end of a paragraph."""
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        self._texts.append(text)
        run = paragraph.add_run()
        run.font.superscript = True
        reference = OxmlElement("w:footnoteReference")
        reference.set(qn("w:id"), str(len(self._texts)))
        run._r.append(reference)

    def attach(self, document: Any) -> None:
        """Add the footnotes to their document, if there are any."""
        from docx.opc.packuri import PackURI
        from docx.opc.part import Part

        if not self._texts:
            return
        part = Part(PackURI(PART_NAME), CONTENT_TYPE, self._xml(), document.part.package)
        document.part.relate_to(part, RELATION)

    def _xml(self) -> bytes:
        from xml.sax.saxutils import escape

        superscript = '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
        separators = "".join(
            f'<w:footnote w:type="{kind}" w:id="{number}"><w:p><w:r><w:{kind}/></w:r></w:p>'
            "</w:footnote>"
            for kind, number in SEPARATORS
        )
        notes = "".join(
            f'<w:footnote w:id="{number}"><w:p><w:r>{superscript}<w:footnoteRef/></w:r>'
            f'<w:r><w:t xml:space="preserve"> {escape(text)}</w:t></w:r></w:p></w:footnote>'
            for number, text in enumerate(self._texts, 1)
        )
        head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        body = f'<w:footnotes xmlns:w="{MAIN}">{separators}{notes}</w:footnotes>'
        return (head + body).encode()
