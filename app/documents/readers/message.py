"""Mail files (EML, MBOX) are extracted: the text of each message, without what it quotes."""

from __future__ import annotations

import email
import email.policy
import re
from collections import Counter
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

from ...errors import EmptyFile, TooLong
from .. import limits
from ..encoding import codec_of_label, decode_text, is_plain_text
from ..model import Block, BlockKind, Extracted, LossKind, OnProgress, ReadRequest
from . import web
from .blocks import losses_of, outline_of_parts, pack_blocks, pages_of_parts
from .mail import FORWARDED, clean_reply
from .wrapped_lines import prose_blocks

_MBOX_LINE = re.compile(rb"(?m)^From (?=\S+ .*\d\d:\d\d)")
_FORWARD_SUBJECT = re.compile(r"\s*(?:fwd?|wg|tr|rv|i|enc|vl|vs|doorst)\s*:", re.I)
_MAX_NESTED_MESSAGES = 10
_COMMON_CLAIMS = ("ascii", "cp1252")  # of mail that is UTF-8, for want of a better label


def read_mail(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a message, or a mailbox of them, in parts. Raises EmptyFile, TooLong."""
    data = Path(request.path).read_bytes()
    messages = list(_messages(data))
    if len(messages) > limits.MAX_DOCUMENT_PAGES:
        raise TooLong(f"“{request.name}” holds {len(messages):,} mails: split it first.")
    left_out: Counter[LossKind] = Counter()
    blocks: list[Block] = []
    for number, content in enumerate(messages, 1):
        message = email.message_from_bytes(content, policy=email.policy.default)
        blocks += _message_blocks(message, left_out)
        on_progress(number, len(messages))
    if sum(len(block.text) for block in blocks) > limits.MAX_DOCUMENT_CHARACTERS:
        raise limits.too_many_characters(request.name)
    if not any(block.kind is not BlockKind.HEADING for block in blocks):
        raise EmptyFile(f"“{request.name}” has no text, only attachments: choose one of these.")
    parts = pack_blocks(blocks)
    losses = losses_of(left_out)
    return Extracted("part", pages_of_parts(parts), outline_of_parts(parts), losses=losses)


def _messages(data: bytes) -> Iterator[bytes]:
    """Yield the bytes of each message of a mailbox; those of a single mail as they are."""
    if not data.startswith(b"From ") or not _MBOX_LINE.match(data):
        yield data
        return
    starts = [match.start() for match in _MBOX_LINE.finditer(data)]
    for begin, end in zip(starts, [*starts[1:], len(data)], strict=True):
        message = data[begin:end]
        yield re.sub(rb"(?m)^>(>*From )", rb"\1", message[message.find(b"\n") + 1 :])


def _message_blocks(
    message: EmailMessage, left_out: Counter[LossKind], depth: int = 0
) -> Iterator[Block]:
    """Yield the subject, the sender with the date, and the text of a message; then those of
    messages that are attached to it."""
    subject = _header(message, "Subject")
    if subject:
        yield Block(subject, BlockKind.HEADING, 1)
    if sent := ", ".join(filter(None, (_sender(message), _date(message)))):
        yield Block(sent)
    is_forward = _FORWARD_SUBJECT.match(subject) is not None
    bodies, inner = _bodies(message, left_out)
    content = "\n\n".join(bodies)
    mail = clean_reply(content, is_forward or FORWARDED.search(content) is not None)
    left_out.update(mail.left_out)
    yield from prose_blocks(mail.lines)
    for attached in inner if depth < _MAX_NESTED_MESSAGES else ():
        yield from _message_blocks(attached, left_out, depth + 1)


def _bodies(
    message: EmailMessage, left_out: Counter[LossKind]
) -> tuple[list[str], list[EmailMessage]]:
    """Return the texts of a message, and the messages attached to it; other attachments are
    counted."""
    texts: list[str] = []
    inner: list[EmailMessage] = []
    waiting: list[EmailMessage] = [message]
    while waiting:
        part = waiting.pop(0)
        kind = part.get_content_type()
        if kind == "message/rfc822":
            inner += [p for p in part.iter_parts() if isinstance(p, EmailMessage)]
        elif kind == "multipart/alternative":
            waiting = [*_best_alternative(part), *waiting]
        elif part.is_multipart():
            waiting = [*(p for p in part.iter_parts() if isinstance(p, EmailMessage)), *waiting]
        elif kind in ("text/plain", "text/html") and not part.is_attachment():
            texts.append(_text_of(part, kind))
        elif part.is_attachment() or part.get_filename():
            is_picture = part.get_content_maintype() == "image" and not part.is_attachment()
            left_out[LossKind.PICTURE if is_picture else LossKind.ATTACHMENT] += 1
    return texts, inner


def _best_alternative(part: EmailMessage) -> list[EmailMessage]:
    """Return the plain form of a mail, else the one that comes last."""
    forms = [form for form in part.iter_parts() if isinstance(form, EmailMessage)]
    plain = [f for f in forms if f.get_content_type() == "text/plain" and _payload(f).strip()]
    return plain[:1] or forms[-1:]


def _text_of(part: EmailMessage, kind: str) -> str:
    """Return the text of a part; of HTML, quoted mail is marked as in plain text."""
    content = decode_part(part)
    if kind == "text/plain":
        if part.get_param("format") != "flowed":
            return content
        return _unfolded(content, "" if part.get_param("delsp") == "yes" else " ")
    return "\n\n".join(
        re.sub("(?m)^", "> ", block.text) if is_quote else block.text
        for block, is_quote in web.mail_blocks(content)
    )


def _unfolded(content: str, space: str) -> str:
    """Return text of format=flowed with its soft line ends joined."""
    return re.sub(r"(?m)(?<!^--) \n(?![> ])", space, content.replace("\r\n", "\n"))


def decode_part(part: EmailMessage) -> str:
    """Return the text of a part by the encoding that it declares, else by a guess."""
    payload = _payload(part)
    codec = codec_of_label(part.get_content_charset() or "")
    try:
        if codec and not (codec in _COMMON_CLAIMS and is_plain_text(payload)):
            return payload.decode(codec)
    except (UnicodeDecodeError, LookupError):
        pass  # mail often declares another encoding than it has: guess
    return decode_text(payload)[0]


def _payload(part: EmailMessage) -> bytes:
    try:
        found = part.get_payload(decode=True)
    except (ValueError, LookupError):
        return b""
    return found if isinstance(found, bytes) else b""


def _header(message: EmailMessage, name: str) -> str:
    """Return a header on one line; "" where it is missing or damaged."""
    try:
        return " ".join(str(message.get(name) or "").split())
    except Exception:  # the parser of headers raises many types
        return ""


def _sender(message: EmailMessage) -> str:
    pairs = getaddresses([_header(message, "From")])
    return next((name or address for name, address in pairs if name or address), "")


def _date(message: EmailMessage) -> str:
    try:
        sent = parsedate_to_datetime(_header(message, "Date"))
    except (ValueError, TypeError, IndexError):
        return ""
    return f"{sent.day} {sent:%B %Y}"
