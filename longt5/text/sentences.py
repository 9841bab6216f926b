"""Where sentences end, which are whole, and what is no part of them: pure text functions."""

from __future__ import annotations

import re
from itertools import chain

from .words import count_words

MAX_HEADING = 90  # characters
WRAPPED = 120  # characters; a longer line is a paragraph, not a line of wrapped text
ENTRIES, MAX_ENTRY = 4, 4  # of a listing at least, and words of one on average
ROW, MOSTLY = 6, 0.4  # words of a table's row at least, and the share that holds a digit
NAMES, CAPITALS = 3, 0.6  # parts of an address at least, and the share of words with a capital
SMALL = 3  # letters of a word that is small among names
TIMES, TIME = 4, re.compile(r"\b\d{1,2}:\d\d\b")  # of a timetable at least
STOPS = ".!?؟۔।॥"  # end a sentence where a space follows
DENSE_STOPS = "。！？"  # of scripts without spaces: end one wherever they stand
CLOSING = r"[\"'”’»)\]]*"  # pattern of what may stand between a stop and the space
CLOSED = "”’」』》）)】"  # the same in those scripts: a straight mark may open the next sentence
NOTES = r"\d{1,3}(?:[,–-]\d{1,3})*(?=\s|\Z)"  # raised numbers of notes or references
ENDING = re.compile(
    rf"[{STOPS}]{CLOSING}(?:[ \u00a0\u202f]»)?(?=\s|\Z)|[{DENSE_STOPS}]+[{CLOSED}]*"
    rf"|(?<=[^\W\d_A-Z]{{4}})\.{CLOSING}{NOTES}"
)
ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|al|cf|vs|Dr|Mr|Mrs|Ms|Prof|Fig|Figs|Eq|Eqs|Sec|No|Nos|Vol|pp|St|Jr"
    r"|U\.S|approx|resp|Ref|Inc|Tel|Univ|Dept|Rev|Gen|Col|Capt|Lt|Sgt|Gov|Sen|Hon|Mt"
    r"|Nr|z|z\.B|d\. ?h|h\. ?c|u\. ?a|vgl|ca|bzw|inkl|zzgl|Mio|Mrd|Tsd|Hr|Hrsg|Sr|Sra|Dra|EE)"
    r"|(?<![\w.])[A-Z])\.\Z"
)
# No sentence ends here if a number follows: "p. 5", "Sept. 2022", "art. 12", "Hauptstr. 7".
COUNTED = re.compile(
    r"(?:\b(?:Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Okt|Nov|Dec|Dez|Abs|Abb|Tab|Kap|Bd|[Aa]rts?|[Cc]h|[Cc]l"
    r"|figs?|eqs?|nos?|vols?|secs?|[Pp]aras?|[Nn]úm|[Pp]ágs?|p)"
    r"|[Ss]tr)\.\Z"
)
ORDINAL = re.compile(  # of German: "am 3. Oktober", "im 14. Jahrhundert"
    r"\b(?:(?<!I )[Aa]m|[Ii]m|[Vv]om|[Zz]u[mr]|[Dd]e[rsmn]|[Dd]as|[Bb]is|[Aa]b|[Ss]eit) \d{1,2}\.\Z"
)
PATH = re.compile(r"[/\\_=.@]\s?[\w-]*\.\Z")  # "man/hello.1"
BEFORE = 16  # characters that these may look at
NEXT = re.compile(r"[^\S\n]*\n?[^\S\n]*(\S)")  # in the same paragraph
GOING_ON = ".,;:)"  # begin no sentence: "x1, . . . , xn"
OPENING = "“„«"  # may begin a sentence after the number of a note
FIRST = re.compile(r"[^\W\d_]")
BLANK = re.compile(r"\n[ \t]*\n")
CELL = re.compile(r" \| ")  # between those of a table's row
CELLS = re.compile(r"^.* \| .*$", re.MULTILINE)
ITEM = re.compile(r"\n(?=[ \t]*(?:[•●○◦▪■□‣∙➢✓\uf0b7]\s|[-*–—]\s+[^\W_a-zß-ÿ]))")
LINE_END = re.compile(r"\n")
CAPTION = re.compile(
    r"(?:Table|Figure|Fig\.|Listing|Algorithm|Box|TABLE|FIGURE|FIG\.|BOX) ?\d+[a-z]?\b"
)
NUMBERED = re.compile(  # no amounts: "3.5 Millionen Menschen"
    r"\d{1,2}(?:\.\d{1,2}){1,4}\.?\s+(?!Milli[oa]|Billion|Mio|Mrd|Prozent|Percent|Euro\b)[A-Z]"
)
HEADED = 10  # words of a numbered heading or a date at most; a numbered clause has more
# Verbs of a whole sentence, as far as a word tells: with none, a short one may be a heading.
VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|do|does|did|can|could|may|might|must|shall|should|will"
    r"|would|became|becomes|began|came|comes|chose|depends|drove|fell|gave|gives|goes|grew|grows"
    r"|knew|makes|ran|remains|requires|rises|rose|says|stood|takes|took|went|wrote|ist|sind|wird"
    r"|werden|wurden?|haben|hatten?|kann|können|muss|müssen|soll|sollen|sont|était|ont|fueron)\b"
    r"|(?<=[a-zß-ÿ] )[a-z]+ed (?:the|an?|its|their|his|her|our|your|that|more|no|all)\b"
    r"|^(?:We|They|It|He|She|There) "
)
MEASURES = (  # may follow a number at a sentence's start: years, people, things, measures
    "年月日号天周岁世纪个位名人种类项条件次回倍家所间座台辆只头张本册章节页行列组批届期层楼度元角分秒点时小万亿"
    "千百十兆多余几成米公里克吨升寸尺斤亩码维阶级段代步套份双副幅篇首句字词枚匹社国番歳円"
)
NOTE = re.compile(rf"[*†‡§¶]+\s?\w|\d{{1,2}}(?:[A-Z][a-z]|(?![{MEASURES}])[\u3400-\u9fff])")
IMPRINT = re.compile(
    r"©|\(c\) ?\d{4}|\bcopyright \d{4}|\ball rights reserved\b|\bISBN\b"
    r"|\bno part of this (?:book|publication|work|document)\b|\bnot the intended recipient\b"
    r"|\bregistered office: |\bunder (?:the|a) Creative Commons\b",
    re.IGNORECASE,
)
COMMAND = re.compile(r"\$[ (](?!\d)|--?[a-z]+ ")
DEFINITION = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2}){1,3}\.? )?[“\"][^”\"]{1,60}[”\"]"
    r" (?:means?,? (?:an?|the|any|each|every|all|either|such|those|in)"
    r"|shall mean|has the meaning)\b"
)
ASKED = re.compile(r"(?:interviewer|moderator|question|q)\d{0,3}: ", re.IGNORECASE)
MAIL = re.compile(r"[\w.+-]@[\w-]+\.[a-z]")
DATED = re.compile(r"(?:Published|Posted|(?:Last )?(?:[Uu]pdated|[Mm]odified))\b[^.]{0,12}\d")
CALL = re.compile(  # to readers of a web page
    r"(?:Please )?(?:[Ff]ollow (?:us|me|our|the)|(?:[Ll]ike|[Ff]ind|[Jj]oin) us)\b[^.]{0,60}"
    r" on (?:Facebook|X|Twitter|Instagram|LinkedIn|YouTube|TikTok|WhatsApp|Telegram|Threads"
    r"|Bluesky|Mastodon)\b"
    r"|(?:Sign up|Subscribe)\b[^.]{0,60} (?:newsletters?|updates|alerts|channel)\b|Click here\b"
)
REST = re.compile(  # before Chinese, Latin words are names
    r"[a-zß-öø-ÿ]+\d*[,;]? (?![\u3000-\uffff])|(?:where|which|and|or|with)[^a-z\u3000-\uffff]"
)
BESIDE = (CAPTION, NOTE, REST, COMMAND, DEFINITION, ASKED, CALL)
LABEL = re.compile(r"[^\W\d_][^.!?:\n]{0,30}:\s+")  # who speaks


def sentence_ends(text: str) -> list[int]:
    """Where sentences end. An end that something follows stays one whatever comes after its first
    character, so streamed sentences never change."""
    ends, begin = [], 0
    for match in ENDING.finditer(text):
        if not _goes_on(text, begin, match):
            begin = match.end()
            ends.append(begin)
    return ends


def _goes_on(text: str, begin: int, stop: re.Match[str]) -> bool:
    """Whether the sentence that begins at ``begin`` does not end with this stop: it belongs to an
    abbreviation, to the number of a caption or to a file's name, or a small letter follows, as in
    "Who?" he asked; after the number of a note, all but a capital or a quotation. Where sentences
    begin with small letters too, these tell nothing."""
    if stop[0][0] in DENSE_STOPS:
        return False
    after = stop.start() + 1
    low = max(begin, after - BEFORE)
    has_note = stop[0][-1].isdigit()
    if has_note and PATH.search(text, low, after):
        return True
    if ABBREVIATION.search(text, low, after) or ORDINAL.search(text, low, after):
        return True
    _, apart, label = text[low : after - 1].rpartition("\n\n")
    if (apart or low == begin) and CAPTION.fullmatch(label.strip()):
        return True
    following = NEXT.match(text, stop.end())
    if following is None or stop.end() == following.start(1):
        return False
    if following[1] in GOING_ON:
        return True
    if has_note:
        return not (following[1].isupper() or following[1] in OPENING)
    first = FIRST.search(text, begin, after)
    if following[1].islower():
        return first is None or not first[0].islower()
    return following[1].isdigit() and COUNTED.search(text, low, after) is not None


def last_sentence_end(text: str) -> int:
    """Length of the longest prefix of whole sentences, 0 when there is none."""
    return max(sentence_ends(text), default=0)


def settled(committed: str) -> str:
    """The whole sentences of committed text whose end something already follows."""
    words = committed.rstrip("\ufffd \n")  # half a character does not say what follows
    gap = max(words.rfind(" "), words.rfind("\n"))
    return words[: max((end for end in sentence_ends(words) if end <= gap), default=0)]


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
    """Whether it is a row of a table, which is mostly numbers, a timetable, an address or a title,
    or one of short entries, as below a table: "CE, oestrogen; E, oestradiol"."""
    words = sentence.split()
    numbers = sum(any(map(str.isdigit, word)) for word in words)
    if len(words) >= ROW and numbers > MOSTLY * len(words):
        return True
    if len(TIME.findall(sentence)) >= TIMES or _is_of_names(sentence):
        return True
    entries = sentence.split(";")
    return len(entries) >= ENTRIES and count_words(sentence) <= MAX_ENTRY * len(entries)


def _is_of_names(sentence: str) -> bool:
    """Whether nearly all words begin with capitals, and those that do not are short, as in "Royal
    Hospital for Sick Children, Glasgow, UK."; a text in capitals throughout may say anything."""
    words = sentence.split()
    capital = sum(word[0].isupper() for word in words)
    parts = sentence.count(",") + 1
    if parts < NAMES or capital < CAPITALS * len(words) or sentence.isupper():
        return False
    return not any(word[0].islower() and len(word) > SMALL for word in words)


def is_apart(sentence: str) -> bool:
    """Whether it stands beside the text: the caption of a table or a figure ("Table 3 summarizes
    the results"), a command, a numbered heading with a full stop, a note below ("*Per hour." or
    "2Now in Leeds."), the meaning of a contract's term, what an interviewer asks, what readers are
    asked to follow, whose the text is, who may copy it and where to write to, when it was
    published, or the rest of a sentence whose beginning the layout has put elsewhere."""
    if NUMBERED.match(sentence) and (sentence.endswith("?") or not VERB.search(sentence)):
        return count_words(sentence) <= HEADED
    if DATED.match(sentence):
        return count_words(sentence) <= HEADED
    beside = any(kind.match(sentence) for kind in BESIDE)
    return beside or any(kind.search(sentence) for kind in (IMPRINT, MAIL))


def is_wrapped(text: str) -> bool:
    """Whether its lines are pieces of paragraphs, else whole ones."""
    return max(map(len, text.splitlines()), default=0) <= WRAPPED


def heading_places(text: str) -> list[tuple[int, str]]:
    """(start, words) of each heading, in order: a short paragraph (or line, where lines are
    paragraphs) that ends no sentence and is no caption."""
    found, start = [], 0
    gaps = (BLANK if is_wrapped(text) else LINE_END).finditer(text)
    for end, after in [*(gap.span() for gap in gaps), (len(text), len(text))]:
        line = " ".join(text[start:end].split())
        is_short = 0 < len(line) <= MAX_HEADING
        if is_short and not last_sentence_end(line) and not CAPTION.match(line):
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
    """(start, end) of each sentence, without the space around it; a blank line, the next item of a
    list and the edges of a table's cell end one too."""
    apart = (match.start() for gap in (BLANK, ITEM) for match in gap.finditer(text))
    cells = (match.span() for kind in (CELL, CELLS) for match in kind.finditer(text))
    cuts = sorted({*sentence_ends(text), *apart, *chain.from_iterable(cells), len(text)})
    spans, begin = [], 0
    for end in cuts:
        body = text[begin:end]
        start = begin + len(body) - len(body.lstrip())
        if body.strip(" |\n"):
            spans.append((start, start + len(body.strip())))
        begin = end
    return spans
