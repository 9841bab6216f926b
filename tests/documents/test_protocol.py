"""Messages between the reading process and its parent: equal on both sides, checked on arrival."""

from __future__ import annotations

import json

import pytest

from app import errors
from app.documents.model import (
    Block,
    BlockKind,
    Extracted,
    ExtractedPage,
    LineBox,
    Loss,
    LossKind,
    OutlineItem,
    ReadRequest,
)
from app.documents.protocol import Failure, Message, ReadProgress, decode_message, encode_message
from app.warning import AppWarning, WarningKind

RESULT = Extracted(
    unit="page",
    pages=(
        ExtractedPage(
            "iv",
            "ok",
            (
                Block(
                    "The flood",
                    BlockKind.HEADING,
                    1,
                    1,
                    (LineBox(0, 9, (72.0, 700.0, 200.5, 712.0)),),
                ),
                Block("It rose.\u2028", page=1),
                Block("40 | 9", BlockKind.TABLE_ROW, page=1),
            ),
        ),
        ExtractedPage("v", "scanned"),
    ),
    outline=(OutlineItem("The flood", 1, 1),),
    contents=(2,),
    notes=(AppWarning(WarningKind.OCR_USED, "Page 1 was read by OCR."),),
    losses=(Loss(LossKind.FOOTNOTE, count=2), Loss(LossKind.COMMENT, 1)),
    coverage=0.97,
)
MESSAGES: list[Message] = [
    ReadRequest("/a/river.pdf", "river.pdf", "pdf", "secret", ocr=True),
    ReadProgress(3, 9),
    Failure("too_long", "“river.pdf” is too long: split it first."),
    RESULT,
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    line = encode_message(message)
    assert line.count("\n") == 1 and line.endswith("\n")
    assert decode_message(line) == message


@pytest.mark.parametrize(
    "kind",
    [
        errors.NotReadable,
        errors.PasswordNeeded,
        errors.WrongPassword,
        errors.EmptyFile,
        errors.NoTextLayer,
        errors.TooLong,
        errors.BadOption,
    ],
)
def test_an_error_of_reading_keeps_its_class(kind: type[errors.AppError]) -> None:
    failure = decode_message(encode_message(Failure.of(kind("Why."))))
    assert isinstance(failure, Failure)
    assert type(failure.exception()) is kind and str(failure.exception()) == "Why."


def test_an_unknown_error_is_not_readable() -> None:
    assert type(Failure.of(errors.Busy("Full.")).exception()) is errors.NotReadable
    assert type(Failure("SystemExit", "Why.").exception()) is errors.NotReadable


@pytest.mark.parametrize(
    "line",
    [
        "a word of a library",
        "{oops",
        "[1]",
        "{}",
        '{"progress": {"done": 1}}',
        '{"progress": {"done": "1", "total": 2}}',
        '{"progress": {"done": true, "total": 2}}',
        '{"error": {"done": 1, "total": 2}}',
        json.dumps({"result": {**json.loads(encode_message(RESULT))["result"], "unit": "sheet"}}),
        encode_message(RESULT).replace('"table row"', '"cell"'),
        encode_message(RESULT).replace("200.5, ", ""),
    ],
)
def test_a_line_that_is_no_message_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        decode_message(line)
