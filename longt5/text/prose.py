"""Which sentences of a text a summary may quote.

A sentence of any kind in :data:`KINDS` is never quoted, one of :data:`FRAGMENTS` only where a
text has few full sentences. Each kind carries an example, which is its test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .headings import SECTION_NUMBER
from .sentences import (
    BLANK_LINE,
    CAPTION_LABEL,
    Span,
    is_full_sentence,
    sentence_spans,
)
from .words import STOPWORDS, count_words

# Shorter is a heading or an answer ("See page 9."), longer is a table or a listing without its
# form, or a clause that would be a whole summary. Both chosen by hand.
MIN_SENTENCE_WORDS, MAX_SENTENCE_CHARACTERS = 4, 600
# A heading, or the date of a page, is short; a numbered clause and "Published in 1859, the book
# made ..." have more words. Chosen by hand.
MAX_LABEL_WORDS = 10
# Of a table's row: fewer words, or a smaller share of words with a digit, stand in sentences
# about figures too. Chosen by hand.
MIN_ROW_WORDS, MIN_ROW_FIGURES = 6, 0.4
MIN_TIMES = 4  # of a timetable: a sentence gives opening and closing hours of one or two days
# Entries of a listing and words of one on average: "He came; he saw; he won." has three.
MIN_ENTRIES, MAX_ENTRY_WORDS = 4, 4
# Of an address: "Dr. Hume of St. Ives, Cornwall" has two parts. Chosen by hand.
MIN_ADDRESS_PARTS, MIN_ADDRESS_CAPITALS = 3, 0.6
MAX_ADDRESS_SMALL_WORD = 3  # letters of a word in small letters within an address: "for", "of"
# With as many full sentences, fragments are not needed: two or three paragraphs. By hand.
ENOUGH_SENTENCES = 8
# Times the words of the full sentences: a text that has more is mostly lists, as a CV is.
MOSTLY_LISTS = 3
MIN_ITEM_WORDS = 6  # an item of a list with no more names a thing and states nothing

BULLET = re.compile(r"(?:[•●○◦▪■□‣∙·➢✓\uf0b7*–—-]|\.{3,}|…+)\s+(?=\S)")
# Verbs of a sentence, as far as a word alone tells: a short line without one may be a heading.
VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|do|does|did|can|could|may|might|must|shall|should|will"
    r"|would|became|becomes|began|came|comes|chose|depends|drove|fell|gave|gives|goes|grew|grows"
    r"|knew|makes|ran|remains|requires|rises|rose|says|stood|takes|took|went|wrote|ist|sind|wird"
    r"|werden|wurden?|haben|hatten?|kann|können|muss|müssen|soll|sollen|sont|était|ont|fueron)\b"
    r"|(?<=[a-zß-ÿ] )[a-z]+ed (?:the|an?|its|their|his|her|our|your|that|more|no|all)\b"
    r"|^(?:We|They|It|He|She|There) "
)
# Of the owner of a text, and of its licence.
IMPRINT = re.compile(
    r"©|\(c\) ?\d{4}|\bcopyright \d{4}|\ball rights reserved\b|\bISBN\b"
    r"|\bno part of this (?:book|publication|work|document)\b|\bnot the intended recipient\b"
    r"|\bregistered office: |\bunder (?:the|a) Creative Commons\b",
    re.IGNORECASE,
)
# A sentence whose beginning stands elsewhere; before Chinese, Latin words are names.
REMAINDER = re.compile(
    r"(?:\.{3,}|…)?[a-zß-öø-ÿ]+\d*[,;]? (?![\u3000-\uffff])"
    r"|(?:where|which|and|or|with)[^a-z\u3000-\uffff]"
)
_MEASURES = (  # follow a number at a sentence's start: years, people, things, measures
    "年月日号天周岁世纪个位名人种类项条件次回倍家所间座台辆只头张本册章节页行列组批届期层楼度元角分秒点时小万亿"
    "千百十兆多余几成米公里克吨升寸尺斤亩码维阶级段代步套份双副幅篇首句字词枚匹社国番歳円"
)
_NOTE = re.compile(rf"[*†‡§¶]+\s?\w|\d{{1,2}}(?:[A-Z][a-z]|(?![{_MEASURES}])[\u3400-\u9fff])")
_NUMBERED_NOTE = re.compile(r"\d{1,2} ([A-Z][a-z]+)\b")
_COMMAND = re.compile(r"\$[ (](?!\d)|--?[a-z]+ |(?:#+ ?|-- )[a-z]|:[a-z]+(?: \w+)?:")
_DEFINITION = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2}){1,3}\.? )?[“\"][^”\"]{1,60}[”\"]"
    r" (?:means?,? (?:an?|the|any|each|every|all|either|such|those|in)"
    r"|shall mean|has the meaning)\b"
)
_QUESTION = re.compile(r"(?:interviewer|moderator|question|q)\d{0,3}: ", re.IGNORECASE)
_MAIL_ADDRESS = re.compile(r"[\w.+-]@[\w-]+\.[a-z]")
_PUBLICATION_DATE = re.compile(
    r"(?:Published|Posted|(?:Last )?(?:[Uu]pdated|[Mm]odified))\b[^.]{0,12}\d"
)
_ABSENT_JUDGE = re.compile(
    r"\b(?:took no part|(?:did|does) not (?:participate|take part)|not participating) in"
    r" the (?:consideration|decision|hearing|determination)\b"
)
_CALL_TO_READERS = re.compile(
    r"(?:Please )?(?:[Ff]ollow (?:us|me|our|the)|(?:[Ll]ike|[Ff]ind|[Jj]oin) us)\b[^.]{0,60}"
    r" on [A-Z]"
    r"|(?:Sign up|Subscribe)\b[^.]{0,60} (?:newsletters?|updates|alerts|channel)\b|Click here\b"
)
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_BRACKET = re.compile(r"[()\[\]{}]")
_ITEM_NUMBER = re.compile(r"(?<!\S)\w{1,2}\Z")
_BLANK = re.compile(r"_{3,}|\.{6,}|\[ ?\] |☐")  # to be filled in or ticked
_TIME = re.compile(r"\b\d{1,2}:\d\d\b")
_SPEAKER = re.compile(r"[^\W\d_][^.!?:\n]{0,30}:\s+")
_ITEM_SIGN = re.compile(rf"(?:{BULLET.pattern}|\([a-z]{{1,4}}\)\s)")
# A name with a small letter and its verb: "systemd is a manager", "make reads the file".
_SMALL_NAME = re.compile(
    r"([a-z][a-z\d]+) (?:is|are|was|were|can|does|has|will|may|must|allows|provides|lets|reads"
    r"|writes|runs|uses|prints|shows|supports|creates|takes|makes|checks)\b"
)


@dataclass(frozen=True)
class Kind:
    """A kind of line that a summary does not quote.

    ``applies`` returns something true for a line of this kind, such as ``example``.
    """

    name: str
    applies: Callable[[str], object]
    example: str
    why: str


def _is_numbered_heading(sentence: str) -> bool:
    if not SECTION_NUMBER.match(sentence) or count_words(sentence) > MAX_LABEL_WORDS:
        return False
    return sentence.endswith("?") or not VERB.search(sentence)


def _is_publication_date(sentence: str) -> bool:
    is_dated = _PUBLICATION_DATE.match(sentence) is not None
    return is_dated and count_words(sentence) <= MAX_LABEL_WORDS


def _is_table_row(sentence: str) -> bool:
    words = sentence.split()
    figures = sum(any(map(str.isdigit, word)) for word in words)
    return len(words) >= MIN_ROW_WORDS and figures > MIN_ROW_FIGURES * len(words)


def _is_timetable(sentence: str) -> bool:
    return len(_TIME.findall(sentence)) >= MIN_TIMES


def _is_address(sentence: str) -> bool:
    """Return whether nearly all words begin with capitals and the others are short.

    A text in capitals throughout may say anything.
    """
    words = sentence.split()
    capital = sum(word[0].isupper() for word in words)
    is_listed = sentence.count(",") + 1 >= MIN_ADDRESS_PARTS
    if not is_listed or capital < MIN_ADDRESS_CAPITALS * len(words) or sentence.isupper():
        return False
    return not any(word[0].islower() and len(word) > MAX_ADDRESS_SMALL_WORD for word in words)


def _is_list_of_entries(sentence: str) -> bool:
    entries = sentence.split(";")
    is_list = len(entries) >= MIN_ENTRIES
    return is_list and count_words(sentence) <= MAX_ENTRY_WORDS * len(entries)


def _is_title(sentence: str) -> bool:
    """Return whether all words begin with capitals.

    A text in capitals throughout, or in letters that have none, may say anything.
    """
    words = sentence.split()
    is_title = all(word[0].isupper() or not word[0].isalpha() for word in words)
    return is_title and any(map(str.islower, sentence))


def _is_too_long(sentence: str) -> bool:
    return len(sentence) > MAX_SENTENCE_CHARACTERS


def _is_too_short(sentence: str) -> bool:
    return count_words(_SPEAKER.sub("", sentence, count=1)) < MIN_SENTENCE_WORDS


def _is_note(sentence: str) -> bool:
    """Return whether a note begins: its sign, or its number before a capital.

    "40 Sacks were saved" says something in German, where nouns have capitals; "40 The" does not.
    """
    if _NOTE.match(sentence):
        return True
    found = _NUMBERED_NOTE.match(sentence)
    return found is not None and found[1].lower() in (STOPWORDS | {"see"})


def _is_unfinished(sentence: str) -> bool:
    return not is_full_sentence(sentence)


def _is_remainder_of_item(sentence: str) -> bool:
    sign = _ITEM_SIGN.match(sentence)
    return sign is not None and REMAINDER.match(sentence, sign.end()) is not None


def _has_open_bracket(sentence: str) -> bool:
    """Return whether a bracket is closed that was not opened, or left open; "1)" is a number."""
    awaited: list[str] = []
    for found in _BRACKET.finditer(sentence):
        sign = found.group()
        if sign in _BRACKETS:
            awaited.append(_BRACKETS[sign])
        elif awaited:
            if awaited.pop() != sign:
                return True
        elif not _ITEM_NUMBER.search(sentence, 0, found.start()):
            return True
    return bool(awaited)


LISTINGS = (
    Kind(
        "table row",
        _is_table_row,
        "Type of buyers Daily Weekly Trader 5% 70% 0% 6% 81% Consumer 6% 9% Publ.",
        "Figures without their column heads say nothing.",
    ),
    Kind(
        "timetable",
        _is_timetable,
        "6:00 - 6:05 Welcome 6:05 - 6:15 Report of the Chair 6:15 - 6:25 News Hello!",
        "Times of a day are no content of a summary.",
    ),
    Kind(
        "address",
        _is_address,
        "Royal Hospital for Sick Children, Yorkhill, Glasgow G3 8SJ, UK.",
        "Authors' institutes and postal addresses state nothing.",
    ),
    Kind(
        "list of entries",
        _is_list_of_entries,
        "CE, conjugated oestrogen; E, 17β-oestradiol; EV, valerate; EE, other.",
        "Abbreviations below a table explain only that table.",
    ),
)
KINDS = (
    *LISTINGS,
    Kind(
        "form",
        _BLANK.search,
        "I, ________, agree to the terms of the school.",
        "A blank that is to be filled in is no content yet.",
    ),
    Kind(
        "too long",
        _is_too_long,
        "One line of a table after the other " * 17,
        "A run of text without a stop is a table or a listing that lost its form.",
    ),
    Kind(
        "numbered heading",
        _is_numbered_heading,
        "5.4 Financial performance by size and type of mill.",
        "A heading with a full stop names a topic and states nothing.",
    ),
    Kind(
        "publication date",
        _is_publication_date,
        "Last modified on Tue 9 Apr 2024 11.02 BST.",
        "The date of a page is no content.",
    ),
    Kind(
        "caption",
        CAPTION_LABEL.match,
        "Table 3 summarizes the results of all the mills.",
        "A caption describes a table or figure that the summary does not show.",
    ),
    Kind(
        "note",
        _is_note,
        "*Underlined names are used in towns.",
        "A footnote or a note below a table belongs to a place that is not quoted.",
    ),
    Kind(
        "remainder of a sentence",
        REMAINDER.match,
        "people who have had a screening test.",
        "The layout has put the beginning of the sentence elsewhere.",
    ),
    Kind(
        "command",
        _COMMAND.match,
        "$ wget https://example.org/hello-2.9 ...",
        "A line for a shell, or a comment in a program, is no prose.",
    ),
    Kind(
        "definition of a contract term",
        _DEFINITION.match,
        "“Business Day” means a day other than a Saturday.",
        "A definition serves the clauses and says nothing that the contract does.",
    ),
    Kind(
        "interviewer's question",
        _QUESTION.match,
        "INTERVIEWER: Thank you for coming to see us.",
        "The answers hold the content.",
    ),
    Kind(
        "absent judge",
        _ABSENT_JUDGE.search,
        "Justice Alder did not participate in the consideration or decision of this case.",
        "Who sat on a case is no part of what was decided.",
    ),
    Kind(
        "call to readers",
        _CALL_TO_READERS.match,
        "Follow the Eastport Courier on Facebook.",
        "Web pages ask for followers and subscribers between the paragraphs.",
    ),
    Kind(
        "imprint",
        IMPRINT.search,
        "Copyright © 2024 by A. N. Author and others.",
        "Owners, licences and disclaimers of mail are no content.",
    ),
    Kind(
        "mail address",
        _MAIL_ADDRESS.search,
        "A short history of the project, team@lists.example.org, may be passed on.",
        "A line with a mail address says how to reach somebody.",
    ),
)
NEVER_QUOTED = tuple(kind for kind in KINDS if kind.name != "remainder of a sentence")
FRAGMENTS = (
    Kind(
        "open bracket",
        _has_open_bracket,
        "7258) and the Energy Act of 2026 (H.R.",
        "One of its ends was cut at a stop that ends no sentence.",
    ),
    Kind(
        "unfinished sentence",
        _is_unfinished,
        "The methods that we used",
        "A heading, or a line that the layout has cut.",
    ),
    Kind(
        "too short",
        _is_too_short,
        "HANNA BRANDT: It is.",
        "So few words need the sentence before them.",
    ),
    Kind(
        "title",
        _is_title,
        "2 Sleep Centre, Utrecht.",
        "A name with a full stop states nothing.",
    ),
    Kind(
        "remainder of an item",
        _is_remainder_of_item,
        "(d) the removal of goods that are left behind.",
        "An item of a list completes the sentence above the list.",
    ),
)


def kind_of(sentence: str, kinds: Sequence[Kind] = (*KINDS, *FRAGMENTS)) -> Kind | None:
    """Return the first of ``kinds`` that a sentence is, None when it may be quoted."""
    return next((kind for kind in kinds if kind.applies(sentence)), None)


def may_be_quoted(sentence: str, begins_with_name: bool = False) -> bool:
    """Return whether a summary may quote a sentence.

    ``begins_with_name``: its first word is a name in small letters, so the sentence is no
    remainder of a longer one.
    """
    if kind_of(sentence, FRAGMENTS):
        return False
    return not kind_of(sentence[:1].upper() + sentence[1:] if begins_with_name else sentence, KINDS)


def is_listing(sentence: str) -> bool:
    """Return whether a line is a row of a table, a timetable, an address or a list of entries."""
    return kind_of(sentence, LISTINGS) is not None


def is_caption(line: str) -> bool:
    """Return whether a line begins as the caption of a table or figure does."""
    return CAPTION_LABEL.match(line) is not None


def candidate_spans(text: str) -> list[Span]:
    """Return the (start, end) of each sentence of a text that a summary may quote."""
    return select_candidates(text, sentence_spans(text))


def select_candidates(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the sentences among ``spans`` that a summary may quote.

    Fall back to fragments, then to list items, when a text has few full sentences, and to lines
    that begin in small letters where it has no other, as speech without stops. A text of tables
    alone has none.
    """
    imprints = _imprint_paragraphs(text)
    full = [
        (start, end)
        for start, end in spans
        if may_be_quoted(text[start:end], _begins_with_name(text, start))
        and not any(a <= start < b for a, b in imprints)
    ]
    full_words, all_words = (sum(count_words(text[a:b]) for a, b in some) for some in (full, spans))
    has_enough = len(full) >= ENOUGH_SENTENCES
    if 2 * full_words > all_words or (has_enough and MOSTLY_LISTS * full_words > all_words):
        return full
    if has_enough:
        found = set(full)
        return [span for span in spans if span in found or _is_item(text[slice(*span)])]
    fragments = [span for span in spans if _is_usable_fragment(text[slice(*span)])]
    return fragments or [span for span in spans if _is_unpunctuated(text[slice(*span)])]


def _is_usable_fragment(piece: str) -> bool:
    """Return whether a text with few full sentences may be represented by this piece.

    The piece ends as a sentence, or it is as long as one and introduces nothing that follows.
    """
    is_long = count_words(piece) >= MIN_SENTENCE_WORDS and not piece.endswith((":", "："))
    return (is_long or is_full_sentence(piece)) and not kind_of(piece, KINDS)


def _is_unpunctuated(piece: str) -> bool:
    """Return whether a piece may be quoted where no sentence begins with a capital."""
    return count_words(piece) >= MIN_SENTENCE_WORDS and not kind_of(piece, NEVER_QUOTED)


def _is_item(line: str) -> bool:
    """Return whether a line is an item of a list that makes a statement."""
    is_item = BULLET.match(line) is not None and count_words(line) > MIN_ITEM_WORDS
    return is_item and not _is_remainder_of_item(line) and not kind_of(line, KINDS)


def _imprint_paragraphs(text: str) -> list[Span]:
    """Return the (start, end) of paragraphs with a copyright line.

    Publishers, printers and the like stand in the same paragraph.
    """
    edges = [0, *(gap.end() for gap in BLANK_LINE.finditer(text)), len(text)]
    return [
        (start, end)
        for start, end in pairwise(edges)
        if end - start <= MAX_SENTENCE_CHARACTERS and IMPRINT.search(text, start, end)
    ]


def _begins_with_name(text: str, start: int) -> bool:
    """Return whether a sentence begins with a name in small letters, such as a command's.

    Such a word occurs again and never follows an article, as the first word of a cut sentence's
    remainder mostly does.
    """
    found = _SMALL_NAME.match(text, start)
    if found is None or found[1] in STOPWORDS:
        return False
    word = rf"\b{found[1]}\b"
    with_article = rf"\b(?:the|an?|this|these|any|each|its|their|of|no) {word}"
    return len(re.findall(word, text)) > 1 and not re.search(with_article, text, re.IGNORECASE)


def join_sentences(text: str, spans: Sequence[Span]) -> str:
    """Return some sentences of a text as one line, in the given order."""
    return " ".join(" ".join(text[start:end].split()) for start, end in spans)
