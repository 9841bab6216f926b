"""Office documents and books are ZIP archives: opened within limits, unpacked in memory."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from lxml import etree

from ...errors import NotReadable
from .. import limits

_ALLOWED_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ANY_RATIO_BYTES = 1_000_000  # up to which a member may have any ratio: it is no bomb


class Archive:
    """The members of a ZIP file, none of which can unpack to more than its header says."""

    def __init__(self, source: Path | bytes, name: str) -> None:
        self.name = name
        try:
            opened = io.BytesIO(source) if isinstance(source, bytes) else source
            self._zip = zipfile.ZipFile(opened)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise self.damaged() from error
        members = self._zip.infolist()
        self._check(members)
        self.names = frozenset(member.filename for member in members)

    def _check(self, members: list[zipfile.ZipInfo]) -> None:
        """Raise NotReadable for a bomb, a locked archive, or an unknown compression."""
        unpacked = sum(member.file_size for member in members)
        is_bomb = (
            len(members) > limits.ZIP_MEMBERS
            or unpacked > limits.ZIP_BYTES
            or any(
                m.file_size > max(_ANY_RATIO_BYTES, limits.ZIP_RATIO * m.compress_size)
                for m in members
            )
        )
        if is_bomb:
            raise NotReadable(
                f"“{self.name}” unpacks to more than {limits.ZIP_MEMBERS:,} members, "
                f"{limits.ZIP_BYTES // 1_000_000} MB or {limits.ZIP_RATIO} times its size: "
                "save it again, or as PDF."
            )
        if any(member.flag_bits & 1 for member in members):
            raise NotReadable(f"“{self.name}” is a locked archive: save it without a password.")
        if any(member.compress_type not in _ALLOWED_COMPRESSION for member in members):
            raise self.damaged()

    def read(self, member: str) -> bytes:
        """Return the bytes of a member. Raises NotReadable when it is missing or damaged."""
        try:
            return self._zip.read(member)
        except Exception as error:  # zipfile and zlib raise many types
            raise self.damaged() from error

    def xml(self, member: str) -> Any:
        """Return the root element of an XML member."""
        return parse_xml(self.read(member), self.name)

    def forbid_entities(self) -> None:
        """Raise NotReadable where an XML member declares entities; for archives that other
        libraries parse."""
        for member in self.names:
            if member.endswith((".xml", ".rels")):
                forbid_entities(self.read(member), self.name)

    def damaged(self) -> NotReadable:
        """Return the error for a file that is no sound archive."""
        return NotReadable(f"“{self.name}” is damaged or cut off: download or export it again.")


def parse_xml(data: bytes, name: str) -> Any:
    """Return the root element, parsed without entities, external files or network."""
    forbid_entities(data, name)
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    root = etree.fromstring(data, parser) if data.strip() else None
    if root is None:
        raise NotReadable(f"“{name}” is damaged or cut off: download or export it again.")
    return root


def forbid_entities(data: bytes, name: str) -> None:
    """Raise NotReadable where XML declares entities, which no writer of documents needs."""
    for encoding in ("ascii", "utf-16-le", "utf-16-be"):
        if "<!ENTITY".encode(encoding) in data:
            raise NotReadable(f"“{name}” declares XML entities, which is unsafe: save it as PDF.")
