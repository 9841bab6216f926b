"""Where sentences end, which are whole, and what is no part of them: pure text functions."""

from __future__ import annotations

import re

MAX_HEADING = 90  # characters
WRAPPED = 120  # characters; a longer line is a paragraph, not a line of wrapped text
ENTRIES, MAX_ENTRY = 4, 4  # of a listing at least, and words of one on average
ROW, MOSTLY = 6, 0.4  # words of a table's row at least, and the share that holds a digit
TIMES, TIME = 4, re.compile(r"\b\d{1,2}:\d\d\b")  # of a timetable at least
STOPS = ".!?؟۔।॥"  # end a sentence where a space follows
DENSE_STOPS = "。！？"  # of scripts without spaces: end one wherever they stand
CLOSING = r"[\"'”’»)\]]*"  # pattern of what may stand between a stop and the space
ENDING = re.compile(rf"[{STOPS}]{CLOSING}(?=\s|\Z)|[{DENSE_STOPS}]")
ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|al|cf|vs|Dr|Mr|Mrs|Ms|Prof|Fig|Figs|Eq|Eqs|Sec|No|Nos|Vol|pp|St|Jr"
    r"|U\.S|approx|resp|Ref|Inc)|(?<![\w.])[A-Z])\.\Z"
)
BLANK = re.compile(r"\n[ \t]*\n")
LINE_END = re.compile(r"\n")
CAPTION = re.compile(r"(?:Table|Figure|Fig\.|Listing|Algorithm|Box) ?\d+[a-z]?\b")
NUMBERED = re.compile(r"\d{1,2}(?:\.\d{1,2}){1,4}\.?\s+[A-Z]")
NOTE = re.compile(r"[*†‡§¶]+\s?\w")
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def count_words(text: str) -> int:
    """Words as a reader counts them; scripts without spaces count two characters as one."""
    dense = len(CJK.findall(text))
    return len(CJK.sub(" ", text).split()) + dense // 2


def sentence_ends(text: str) -> list[int]:
    """Where sentences end. An end inside the text stays one whatever follows, so streamed
    sentences never change."""
    return [
        match.end()
        for match in ENDING.finditer(text)
        if not ABBREVIATION.search(text[: match.start() + 1][-12:])
    ]


def last_sentence_end(text: str) -> int:
    """Length of the longest prefix of whole sentences, 0 when there is none."""
    return max(sentence_ends(text), default=0)


def settled(committed: str) -> str:
    """The whole sentences of committed text whose end something already follows."""
    words = committed.rstrip()
    gap = max(words.rfind(" "), words.rfind("\n"))
    return words[: last_sentence_end(words[: gap + 1])] if gap > 0 else ""


def ended(text: str, reason: str) -> str:
    """A section's final text: whole sentences, unless the person stopped it or there is none;
    an unfinished sentence that stays is marked, and half a character at its end is left out."""
    text = text.rstrip().rstrip("\ufffd").rstrip()
    end = last_sentence_end(text)
    if end and reason != "stopped":
        return text[:end]
    return f"{text} …" if end < len(text) else text


def headings_of(text: str) -> list[str]:
    """The short paragraphs that end no sentence, longest first."""
    lines = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text))
    found = {line for line in lines if 0 < len(line) <= MAX_HEADING and not last_sentence_end(line)}
    return sorted(found, key=len, reverse=True)


def is_listing(sentence: str) -> bool:
    """Whether it is a row of a table, which is mostly numbers, a timetable, or one of short
    entries, as below a table: "CE, oestrogen; E, oestradiol"."""
    words = sentence.split()
    numbers = sum(any(map(str.isdigit, word)) for word in words)
    if len(words) >= ROW and numbers > MOSTLY * len(words):
        return True
    if len(TIME.findall(sentence)) >= TIMES:
        return True
    entries = sentence.split(";")
    return len(entries) >= ENTRIES and count_words(sentence) <= MAX_ENTRY * len(entries)


def is_apart(sentence: str) -> bool:
    """Whether it stands beside the text: the caption of a table or a figure ("Table 3 summarizes
    the results"), a numbered heading with a full stop, a note below ("*Per hour.")."""
    return any(kind.match(sentence) for kind in (CAPTION, NUMBERED, NOTE))


def is_wrapped(text: str) -> bool:
    """Whether its lines are pieces of paragraphs, else whole ones."""
    return max(map(len, text.splitlines()), default=0) <= WRAPPED


def heading_places(text: str) -> list[tuple[int, str]]:
    """(start, words) of each heading, in order: a short paragraph (or line, where lines are
    paragraphs) that ends no sentence."""
    found, start = [], 0
    gaps = (BLANK if is_wrapped(text) else LINE_END).finditer(text)
    for end, after in [*(gap.span() for gap in gaps), (len(text), len(text))]:
        line = " ".join(text[start:end].split())
        if 0 < len(line) <= MAX_HEADING and not last_sentence_end(line):
            found.append((start, line))
        start = after
    return found


def without_headings(text: str, headings: list[str]) -> str:
    """The text with each heading cut off that runs into the sentence after it, since a model
    that copies takes both for one sentence. What it does to a sentence never changes later."""
    parts, begin = [], 0
    for end in [*sentence_ends(text), len(text)]:
        sentence = text[begin:end]
        space = len(sentence) - len(sentence.lstrip())
        rest = sentence[space:]
        for heading in headings:
            if rest.startswith(heading) and re.match(r" [^\W\d_a-z]", rest[len(heading) :]):
                rest = rest[len(heading) + 1 :]
                break
        parts.append(sentence[:space] + rest)
        begin = end
    return "".join(parts)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, without the space around it; a blank line ends one too."""
    cuts = sorted({*sentence_ends(text), *(m.start() for m in BLANK.finditer(text)), len(text)})
    spans, begin = [], 0
    for end in cuts:
        body = text[begin:end]
        start = begin + len(body) - len(body.lstrip())
        if body.strip():
            spans.append((start, start + len(body.strip())))
        begin = end
    return spans
