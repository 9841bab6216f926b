"""Warnings of a document or a summary: a kind for the program, a sentence for the person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class WarningKind(str, Enum):
    """The subject of a warning. The values are written to disk and sent between processes."""

    CONTENTS_LEFT_OUT = "contents_left_out"  # a table of contents or an index
    FRONT_MATTER_LEFT_OUT = "front_matter_left_out"  # an imprint, a licence, acknowledgements
    REFERENCES_LEFT_OUT = "references_left_out"  # the page offers to include them
    CONTENT_LEFT_OUT = "content_left_out"  # what the losses of a document name
    BOILERPLATE_LEFT_OUT = "boilerplate_left_out"  # menus, code, signatures, time codes, ...
    SPEAKER_NOTES_READ = "speaker_notes_read"
    OCR_USED = "ocr_used"
    OCR_FAILED = "ocr_failed"
    PAGES_FAILED = "pages_failed"
    PAGES_SCANNED = "pages_scanned"
    PAGES_GARBLED = "pages_garbled"
    MISNAMED_FILE = "misnamed_file"
    LETTERS_WRONG = "letters_wrong"  # codes of a PDF that stand for other letters
    ENCODING_GUESSED = "encoding_guessed"
    OTHER_LANGUAGE = "other_language"  # than the one the model was trained on
    STOPPED = "stopped"
    SETTINGS_NOT_APPLIED = "settings_not_applied"  # of the checkpoint, or of the person
    LENGTH_LIMITED = "length_limited"  # the model does not write texts of the length asked for
    MEMORY_SHORT = "memory_short"
    DEVICE_LOST = "device_lost"
    ENGINE_NOTICE = "engine_notice"  # a kernel that is not used, states that were evicted


_INFORMATIONAL = frozenset(
    {
        WarningKind.CONTENTS_LEFT_OUT,
        WarningKind.FRONT_MATTER_LEFT_OUT,
        WarningKind.SPEAKER_NOTES_READ,
    }
)


@dataclass(frozen=True)
class AppWarning:
    """A fact the person must know about a result; `str(warning)` is the sentence to show."""

    kind: WarningKind
    message: str

    def __str__(self) -> str:
        return self.message

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AppWarning:
        """Return the warning that `dataclasses.asdict` made the values of."""
        return cls(WarningKind(values["kind"]), values["message"])

    @property
    def is_informational(self) -> bool:
        """Return True for an omission that takes nothing away from a summary."""
        return self.kind in _INFORMATIONAL
