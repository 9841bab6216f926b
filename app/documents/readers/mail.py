"""Mail as plain text: headers, quoted mail, signatures and legal notices are told from the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..model import LossKind

_QUOTE_MARKS = re.compile(r" {0,3}(?:>[ \t]?)+")  # further in, they are prompts of a listing
_SIGNATURE_MARK = re.compile(r"--[ \t]*")
_RULE = re.compile(r"[ \t]*[_=*-]{5,}[ \t]*")
_ORIGINAL = re.compile(  # begins a quoted mail: "-----Original Message-----"
    r"[ \t]*-{3,}\s*(?:original|urspr|message d|mensaje|messaggio|oorspronk|ursprung|oprindelig)"
    r"[^-]{0,40}-{3,}[ \t]*",
    re.I,
)
FORWARDED = re.compile(  # what follows is the matter itself
    r"[ \t>]*-{3,}\s*(?:forwarded|weitergeleitete|message transf|mensaje reenv|messaggio inoltr"
    r"|doorgestuurd|vidarebefordra)[^-]{0,40}-{3,}[ \t]*"
    r"|[ \t>]*(?:begin forwarded message|anfang der weitergeleiteten nachricht"
    r"|début du message transféré|inizio messaggio inoltrato)\s?:[ \t]*",
    re.I,
)
_ATTRIBUTION = re.compile(r"(?=.*\d).{8,200}:\s*")  # "On 4 March 2024, Anna wrote:"
_MOMENT = re.compile(r"\d{1,2}[:.h]\d\d|@")  # when a mail was sent, or by whom
_YEAR, _TIME_SENT = re.compile(r"\b(?:19|20)\d\d\b"), re.compile(r"\b\d{1,2}[:.]\d\d\b")
# Without marks of quotation below, an address and a time of day tell such a line.
_FULL_ATTRIBUTION = re.compile(r"(?=.*\d{1,2}[:.h]\d\d).{8,160}<[^<>\s]+@[^<>\s]+>.{0,20}:\s*")
_HEADER_LINE = re.compile(r"[ \t>*]*([^\W\d_][\w-]*(?:[ -][\w-]+)?)\*?\s?[:：]\*?\s?(.*)")
_SENDER_LABELS = frozenset(
    "from von de da van från fra od lähettäjä от 发件人 寄件者 差出人 보낸사람 من".split()
)
_OTHER_LABELS = frozenset(
    "to cc bcc sent date subject importance attachments reply-to an gesendet datum betreff anlagen"
    " wichtigkeit à envoyé objet date pièces para enviado asunto fecha assunto data a inviato"
    " oggetto aan verzonden onderwerp till skickat ämne til sendt emne do wysłano temat"
    " vastaanottaja lähetetty aihe кому дата тема отправлено 收件人 发送时间 日期 主题"
    " 宛先 送信日時 件名".split()
)
_MIN_HEADER_LINES = 3
_CLOSING = re.compile(  # begins a signature where short lines follow
    r"(?:(?:kind(?:est)?|best|warm(?:est)?|many)\s(?:regards|wishes|thanks)|regards|best|cheers"
    r"|(?:yours\s)?(?:sincerely|faithfully|truly)(?:\syours)?|all the best|thanks(?: again)?"
    r"|mit\s(?:freundlichen|besten|herzlichen|lieben)\sgrüßen|(?:viele|beste|liebe|herzliche)\s"
    r"grüße|cordialement|bien à vous|(?:meilleures|cordiales) salutations|(?:un )?saludos?"
    r"(?: cordial(?:es)?)?|atentamente|cordiali saluti|distinti saluti"
    r"|met vriendelijke groet(?:en)?"
    r"|med vänliga? hälsning(?:ar)?|med venlig hilsen|hilsen|atenciosamente|с уважением)[,.!]?",
    re.I,
)
_MAX_SIGNATURE_LINES, _MAX_SIGNATURE_LINE = 8, 60
# A legal notice speaks of the message, and of at least two of the other matters.
_MESSAGE_WORDS = re.compile(
    r"\be-?mail|\bmessages?\b|\bnachricht|\bcourriel|\bcorreo\b|\bmensaje\b|\bmessaggio"
    r"|\bbericht\b|\bmeddeland|\bmeddelelse|сообщени|\battachments?\b|\btransmission\b",
    re.I,
)
_NOTICE_MATTERS = tuple(
    re.compile(words, re.I)
    for words in (
        r"confidential|privileged|vertraulich|confidentiel|confidencial|riservat|vertrouwelijk"
        r"|konfidentiell|fortrolig|конфиденциал",
        r"intended (?:solely|only|exclusively|for)|intended recipient|addressee"
        r"|to whom (?:it is|they are) addressed|ausschließlich für"
        r"|(?:richtige|bestimmt)\w* adressat|destinatair|destinatari"
        r"|geadresseerd|bestemd voor|avsedd för|адресат",
        r"in error|by mistake|irrtümlich|par erreur|por error|per errore|ten onrechte|onterecht"
        r"|abusivamente"
        r"|по ошибке",
        r"(?:notify|inform|contact) (?:the sender|us)|(?:delete|destroy) (?:it|this|the|all)"
        r"|and delete|absender|löschen|vernichten|supprimer|détruire|eliminar|eliminare|cancellare"
        r"|verwijder|vernietig|radera|slette|удалите",
        r"unauthori[sz]ed|strictly (?:prohibited|forbidden)|not (?:permitted|liable)|unbefugt"
        r"|nicht gestattet|interdite|prohibid|vietat|niet toegestaan|forbjud|запрещ",
        r"viruses?|virenfrei|before printing|liability for|haftung|responsabilit",
        r"outside (?:of )?(?:the|our|your) (?:\w+ )?organi[sz]ation",
        r"(?:click|open) (?:on )?(?:any )?(?:links?|attachments?)",
        r"consider the environment",
        r"(?:recogni[sz]e|know|trust|verify) the sender",
    )
)
_MIN_NOTICE_MATTERS = 2  # besides the message; letters about confidential matters name one
_MAX_NOTICE_CHARACTERS = 2_500
_MIN_REPEATED_CHARACTERS = 40  # of a paragraph that is quoted; shorter ones are said twice


@dataclass
class MailText:
    """The text of a mail or a thread of mails, and how much of what was left out."""

    lines: list[str]
    left_out: Counter[LossKind] = field(default_factory=Counter)


def clean_thread(content: str) -> MailText:
    """Return a plain text without what a mail has around its text. Quoted text stays, without its
    marks, unless the thread has it already; text that is no mail stays as it is."""
    lines, counts = _without_headers(content.split("\n"))
    lines, attributions = _without_attributions(lines)
    counts[LossKind.MAIL_HEADER] += attributions
    lines = _without_quote_marks(lines)
    lines, notices = without_notices(lines)
    lines, signatures = _without_marked_signatures(lines)
    is_mail = bool(notices or counts[LossKind.MAIL_HEADER])
    if is_mail:
        lines, closed = _without_closings(lines)
        signatures += closed
        lines, repeated = _without_repeats(lines)
        counts[LossKind.QUOTED_MAIL] += repeated
    counts[LossKind.SIGNATURE] += signatures
    counts[LossKind.MAIL_NOTICE] += notices
    return MailText(lines, +counts)


def clean_reply(content: str, is_forward: bool) -> MailText:
    """Return the text of one mail: what it quotes of earlier mails goes too. A forwarded mail
    stays, and so does a mail that holds nothing but a quotation."""
    lines, counts = content.split("\n"), Counter[LossKind]()
    own = list(lines) if is_forward else list(_own_lines(lines))
    if any(line.strip() for line in own):
        counts[LossKind.QUOTED_MAIL] += sum(map(bool, map(str.strip, own))) < sum(
            map(bool, map(str.strip, lines))
        )
        lines = own
    lines = _without_headers(_without_quote_marks(lines))[0]
    lines, counts[LossKind.MAIL_NOTICE] = without_notices(lines)
    lines, marked = _without_marked_signatures(lines)
    lines, closed = _without_closings(lines)
    counts[LossKind.SIGNATURE] = marked + closed
    return MailText(lines, +counts)


def _own_lines(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a reply without quoted ones, and without the line that names their
    author; all after the headers of a quoted mail is quoted."""
    for index, line in enumerate(lines):
        if FORWARDED.fullmatch(line):
            yield from lines[index:]
            return
        if _ORIGINAL.fullmatch(line) or (index and _header_length(lines, index)):
            return
        is_followed_by_quote = any(map(_QUOTE_MARKS.match, lines[index + 1 : index + 4]))
        if _FULL_ATTRIBUTION.fullmatch(line.strip()) and not is_followed_by_quote:
            return
        if _QUOTE_MARKS.match(line):
            continue
        rest = [after for after in lines[index + 1 : index + 4] if after.strip()]
        is_before_quote = bool(rest) and _QUOTE_MARKS.match(rest[0]) is not None
        if is_before_quote and (_ATTRIBUTION.fullmatch(line.strip()) or line.rstrip()[-1:] == ":"):
            continue
        if _MOMENT.search(line) and _is_broken_attribution(lines[index : index + 4]):
            continue
        is_rule = _RULE.fullmatch(line) is not None
        if is_rule and _is_foreign_header(lines[index + 1 : index + 4]):
            return
        if is_rule and any(_header_length(lines, index + n) for n in (1, 2)):
            continue
        yield line


def _is_broken_attribution(lines: Sequence[str]) -> bool:
    """Return whether the first two lines name, together, who wrote what is quoted below them."""
    if len(lines) < 3 or not lines[1].rstrip().endswith(":"):
        return False
    below = next((line for line in lines[2:] if line.strip()), "")
    whole = f"{lines[0].strip()} {lines[1].strip()}"
    return _ATTRIBUTION.fullmatch(whole) is not None and _QUOTE_MARKS.match(below) is not None


def _is_foreign_header(lines: Sequence[str]) -> bool:
    """Return whether the lines below a rule are a mail's header in whatever language: a label and
    a name, a label and a date with a time, and another label."""
    found = [_HEADER_LINE.fullmatch(line) for line in lines]
    if len(found) < 3 or None in found:
        return False
    sender, sent = (match[2] for match in found[:2] if match)
    return not _YEAR.search(sender) and all(p.search(sent) for p in (_YEAR, _TIME_SENT))


def _header_length(lines: Sequence[str], begin: int) -> int:
    """Return how many lines of a mail's header begin at a line; 0 where there is none."""
    end, labels = begin, []
    while end < len(lines) and (found := _HEADER_LINE.fullmatch(lines[end])):
        label = found[1].lower()
        if label not in _SENDER_LABELS and label not in _OTHER_LABELS:
            break
        labels.append(label)
        end += 1
    has_sender = any(label in _SENDER_LABELS for label in labels)
    return end - begin if has_sender and len(labels) >= _MIN_HEADER_LINES else 0


def _without_headers(lines: Sequence[str]) -> tuple[list[str], Counter[LossKind]]:
    """Return the lines without the headers of mails and the rules above them."""
    found: list[str] = []
    counts: Counter[LossKind] = Counter()
    index = 0
    while index < len(lines):
        length = _header_length(lines, index)
        if length:
            counts[LossKind.MAIL_HEADER] += 1
            while found and (not found[-1].strip() or _is_divider(found[-1])):
                found.pop()
            found.append("")
        elif FORWARDED.fullmatch(lines[index]) or _ORIGINAL.fullmatch(lines[index]):
            found.append("")
        else:
            found.append(lines[index])
        index += max(1, length)
    return found, counts


def _is_divider(line: str) -> bool:
    return any(pattern.fullmatch(line) for pattern in (_RULE, _ORIGINAL, FORWARDED))


def _without_attributions(lines: Sequence[str]) -> tuple[list[str], int]:
    """Return the lines without those above earlier mails that say who wrote them and when, and
    the number of these."""
    found: list[str] = []
    count = 0
    for index, line in enumerate(lines):
        author = line.strip()
        below = next((after for after in lines[index + 1 :] if after.strip()), "")
        is_above_quote = _QUOTE_MARKS.match(below) and not _QUOTE_MARKS.match(line)
        if _FULL_ATTRIBUTION.fullmatch(author) or (
            is_above_quote and _ATTRIBUTION.fullmatch(author) and _MOMENT.search(author)
        ):
            count += 1
            found.append("")
        else:
            found.append(line)
    return found, count


def _without_quote_marks(lines: Sequence[str]) -> list[str]:
    """Return the lines without quotation marks; the line above that names who is quoted stands
    alone."""
    found: list[str] = []
    was_quoted = False
    for line in lines:
        marks = _QUOTE_MARKS.match(line)
        if marks and not was_quoted and found and found[-1].strip():
            found.append("")
        found.append(line[marks.end() :] if marks else line)
        was_quoted = marks is not None
    return found


def _without_marked_signatures(lines: Sequence[str]) -> tuple[list[str], int]:
    """Return the lines without signatures, which go from a line "--" to the next blank one, and
    the number of these."""
    found, count, is_signature = [], 0, False
    for line in lines:
        if _SIGNATURE_MARK.fullmatch(line):
            count += not is_signature
            is_signature = True
        is_signature = is_signature and bool(line.strip())
        if not is_signature:
            found.append(line)
    return found, count


def _without_closings(lines: Sequence[str]) -> tuple[list[str], int]:
    """Return the lines without the formulas that close a letter and the names below, and the
    number of these."""
    found, count, index = [], 0, 0
    while index < len(lines):
        if _CLOSING.fullmatch(lines[index].strip()):
            end = _signature_end(lines, index + 1)
            if end is not None:
                count, index = count + 1, end
                found.append("")
                continue
        found.append(lines[index])
        index += 1
    return found, count


def _signature_end(lines: Sequence[str], begin: int) -> int | None:
    """Return where the short lines below a closing formula end; None where they are text."""
    end = begin
    if end < len(lines) and not lines[end].strip():
        end += 1
    first = end
    while end < len(lines) and lines[end].strip():
        line = lines[end].strip()
        if len(line) > _MAX_SIGNATURE_LINE or end - first >= _MAX_SIGNATURE_LINES:
            return None if end == first else end
        end += 1
    return end


def without_notices(lines: Sequence[str]) -> tuple[list[str], int]:
    """Return the lines without legal notices, as companies put below each mail, and the number of
    these."""
    found: list[str] = []
    count, index = 0, 0
    while index < len(lines):
        end = index
        while end < len(lines) and lines[end].strip():
            end += 1
        paragraph = list(lines[index:end])
        if is_legal_notice(" ".join(paragraph)):
            count += 1
        else:
            found += paragraph
        if end < len(lines):
            found.append(lines[end])
        index = end + 1
    return found, count


def is_legal_notice(paragraph: str) -> bool:
    """Return whether a paragraph says that a message is confidential, or for whom it is."""
    if len(paragraph) > _MAX_NOTICE_CHARACTERS or not _MESSAGE_WORDS.search(paragraph):
        return False
    matters = sum(words.search(paragraph) is not None for words in _NOTICE_MATTERS)
    return matters >= _MIN_NOTICE_MATTERS


def _without_repeats(lines: Sequence[str]) -> tuple[list[str], int]:
    """Return the lines without paragraphs that stood before, and the number of these."""
    found: list[str] = []
    known: set[str] = set()
    count = 0
    for paragraph in re.split(r"\n[ \t]*\n", "\n".join(lines)):
        key = " ".join(paragraph.split())
        if key in known and len(key) >= _MIN_REPEATED_CHARACTERS:
            count += 1
            continue
        known.add(key)
        found += [*paragraph.split("\n"), ""]
    return found, count
