"""Office documents in one XML file (flat OPC, flat OpenDocument) are opened as the archives that
they stand for."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

from lxml import etree

from .archive import Archive, parse_xml

_PACKAGE_NS = "{http://schemas.microsoft.com/office/2006/xmlPackage}"

_TYPES_NS = "http://schemas.openxmlformats.org/package/2006/content-types"


def open_archive(path: Path, name: str) -> Archive:
    """Return the archive of an Office document. Raises NotReadable."""
    with path.open("rb") as file:
        is_packed = file.read(2) == b"PK"
    return Archive(path if is_packed else _packed(path.read_bytes(), name), name)


def _packed(data: bytes, name: str) -> bytes:
    """Return a ZIP archive of the parts of a flat file: those of a package without its pictures,
    or the one of an OpenDocument."""
    root = parse_xml(data, name)
    types, buffer = "", io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as made:
        if root.tag != _PACKAGE_NS + "package":
            made.writestr("content.xml", data)
        for part in root.iterchildren(_PACKAGE_NS + "part"):
            content = part.find(_PACKAGE_NS + "xmlData")
            member = (part.get(_PACKAGE_NS + "name") or "").lstrip("/")
            if member and content is not None and len(content):
                made.writestr(member, etree.tostring(content[0]))
                kind = part.get(_PACKAGE_NS + "contentType") or ""
                types += (
                    f"<Override PartName={quoteattr('/' + member)} ContentType={quoteattr(kind)}/>"
                )
        made.writestr("[Content_Types].xml", f'<Types xmlns="{_TYPES_NS}">{types}</Types>')
    return buffer.getvalue()
