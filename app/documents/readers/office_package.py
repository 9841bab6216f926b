"""The parts of a Word, PowerPoint or Excel file and the relations between them."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from typing import Any
from urllib.parse import unquote

from ...errors import NotReadable
from .archive import Archive, parse_xml

_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_NAMESPACE = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/"
_COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_PICTURE_SUFFIXES = tuple(
    ".png .jpg .jpeg .gif .bmp .tif .tiff .emf .wmf .svg .wdp .mp4 .mp3 .m4a .wav .avi".split()
)
_MAIN_TYPES = re.compile(  # of decks with macros, of shows and of templates
    rb"application/vnd\.(?:ms-powerpoint\.\w+\.macroEnabled"
    rb"|openxmlformats-officedocument\.presentationml\.(?:slideshow|template))\.main\+xml"
)
_DECK_TYPE = b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"


class Package:
    """An Office archive. Strict files read as Transitional ones; relations to parts that the
    archive lacks are passed over, as Office does."""

    def __init__(self, archive: Archive, usual_main: str) -> None:
        self.archive = archive
        self._by_lower_name = {name.lower(): name for name in sorted(archive.names)}
        main = self.related("", "officeDocument")
        self.main = main[0] if main else self._member(usual_main) or ""
        if not self.main:
            raise archive.damaged()

    def xml(self, member: str) -> Any:
        """Return the root element of a part. Raises NotReadable."""
        return parse_xml(self._transitional(member), self.archive.name)

    def optional_xml(self, part: str, kind: str) -> Any:
        """Return the root of the first part of some kind that `part` is related to; None where
        there is none, or it is damaged."""
        for member in self.related(part, kind):
            try:
                return self.xml(member)
            except NotReadable:
                continue
        return None

    def related(self, part: str, kind: str) -> list[str]:
        """Return the members that a part has relations of some kind to ("" is the package)."""
        return [member for _, found, member in self._relations(part) if found == kind]

    def target(self, part: str, relation_id: str) -> str | None:
        """Return the member that a relation of a part points to."""
        return next((m for i, _, m in self._relations(part) if i == relation_id), None)

    def for_other_libraries(self) -> io.BytesIO:
        """Return the package as strict libraries want it: no relations to missing parts, no
        pictures' bytes, the types of an ordinary deck."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as made:
            for name in sorted(self.archive.names):
                if not name.endswith("/"):
                    made.writestr(name, self._clean_member(name))
        buffer.seek(0)
        return buffer

    def _clean_member(self, name: str) -> bytes:
        from lxml import etree

        low = name.lower()
        if low.endswith(_PICTURE_SUFFIXES):
            return b""
        if low == "[content_types].xml":
            return _MAIN_TYPES.sub(_DECK_TYPE, self._transitional(name))
        if low.endswith(".rels"):
            root = self.xml(name)
            part = posixpath.join(
                posixpath.dirname(posixpath.dirname(name)), posixpath.basename(name)[:-5]
            )
            found = {relation_id for relation_id, _, _ in self._relations(part)}
            for relation in list(root.iter(_RELATION)):
                is_outside = (relation.get("TargetMode") or "").lower() == "external"
                if not is_outside and relation.get("Id") not in found:
                    root.remove(relation)
            return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
        if low.endswith(".xml"):
            data = self._transitional(name)
            if b"AlternateContent" not in data:
                return data
            root = parse_xml(data, self.archive.name)
            unwrap_alternatives(root)
            return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
        return self.archive.read(name)

    def _transitional(self, member: str) -> bytes:
        return _STRICT_NAMESPACE.sub(_TRANSITIONAL, self.archive.read(member))

    def _relations(self, part: str) -> list[tuple[str, str, str]]:
        """Return (id, kind, member) of each relation of a part to another one of the archive."""
        folder, name = posixpath.split(part)
        member = self._member(posixpath.join(folder, "_rels", f"{name}.rels"))
        if member is None:
            return []
        try:
            root = self.xml(member)
        except NotReadable:
            return []
        found = []
        for relation in root.iter(_RELATION):
            if (relation.get("TargetMode") or "").lower() == "external":
                continue
            path = unquote(relation.get("Target") or "")
            target = self._member(posixpath.join("/", folder, path))
            if target is not None:
                kind = (relation.get("Type") or "").rpartition("/")[2]
                found.append((relation.get("Id") or "", kind, target))
        return found

    def _member(self, path: str) -> str | None:
        """Return the member of some path; case and the direction of slashes do not count."""
        shown = posixpath.normpath(path.replace("\\", "/")).lstrip("/")
        return self._by_lower_name.get(shown.lower())


def unwrap_alternatives(root: Any) -> None:
    """Replace each choice between contents by the first one."""
    for choice in list(root.iter(_COMPATIBILITY + "AlternateContent")):
        parent = choice.getparent()
        first = choice.find(_COMPATIBILITY + "Choice")
        first = choice.find(_COMPATIBILITY + "Fallback") if first is None else first
        if parent is None:
            continue
        place = parent.index(choice)
        for child in reversed(list(first) if first is not None else []):
            parent.insert(place + 1, child)
        tail = choice.tail
        parent.remove(choice)
        if tail and tail.strip():
            parent.text = (parent.text or "") + tail
