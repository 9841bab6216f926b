"""Roles of the parts of a document: its author's summary, its conclusions, its appendices, ...

A role comes from the title of a part, from the label that a paragraph begins with ("SUMMARY: ..."),
and, for the opening, from the place. Titles are known in English, German, French and Spanish.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from .headings import MARKDOWN_HEADING, NUMBERED_HEADING, Place
from .sentences import Span


class Role(str, Enum):
    """What a part is in its document."""

    SUMMARY = "summary"  # the author's own: an abstract, key messages
    BODY = "body"
    RESULTS = "results"
    CONCLUSION = "conclusion"
    APPENDIX = "appendix"  # annexes, exhibits
    SIDE = "side"  # glossaries, abbreviations, acknowledgements, notices to the reader
    REFERENCES = "references"


# Roles of what a summary leaves out, unless the document has nothing else.
LEFT_OUT = frozenset({Role.APPENDIX, Role.SIDE, Role.REFERENCES})
_TITLES = {
    Role.SUMMARY: (
        r"(?:author'?s'? |executive |management |structured |plain[- ]language |lay |general )?"
        r"(?:summary|abstract)"
        r"(?: of (?:the )?(?:findings|report|results|recommendations|proposal))?"
        r"|(?:key|main|principal) (?:points?|messages?|findings?|facts|takeaways?|results)"
        r"|highlights|at a glance|in brief|in short|syllabus|synopsis|précis|tl;? ?dr|overview"
        r"|abstrakt|zusammenfassung|kurzfassung|kernaussagen|das wichtigste in kürze|überblick"
        r"|auf einen blick|résumé|synthèse|points clés|l'essentiel|en bref|sommaire exécutif"
        r"|resumen(?: ejecutivo)?|puntos clave|mensajes clave|en síntesis"
    ),
    Role.BODY: (
        r"introduction|background|contents|table of contents|motivation|scope|purpose|methods?"
        r"|materials and methods|keywords|einleitung|einführung|inhalt(?:sverzeichnis)?"
        r"|introducción|índice|table des matières"
    ),
    Role.RESULTS: (
        r"(?:main |experimental )?results(?: and (?:discussion|analysis))?|(?:general )?discussion"
        r"|evaluation|experiments|ergebnisse(?: und diskussion)?|résultats|resultados|discusión"
    ),
    Role.CONCLUSION: (
        r"(?:general |final |overall |summary and |discussion and |results and )?"
        r"(?:conclusions?|findings|outlook|outcomes?|decision|order"
        r"|disposition|holding|judg(?:e)?ment|recommendations?|concluding remarks"
        r"|lessons(?: learned)?|the way forward|way forward|next steps|future work|what we learned)"
        r"(?: and (?:conclusions?|recommendations?|outlook|discussion|future (?:work|directions)"
        r"|perspectives|implications|further work))?"
        r"|schluss(?:folgerung(?:en)?|bemerkung(?:en)?|betrachtung)?|fazit|ausblick"
        r"|empfehlungen|beschluss|entscheidung|conclusion(?:s)? et recommandations"
        r"|recommandations|perspectives|bilan|dispositif|conclusión|conclusiones"
        r"|recomendaciones|perspectivas|fallo"
    ),
    Role.APPENDIX: (
        r"(?:technical |statistical )?(?:appendi(?:x|ces)|annex(?:es)?|attachments?|exhibits?"
        r"|supplementary (?:materials?|tables?|figures?)|supporting information"
        r"|anhang|anhänge|anlagen?|annexes?|anexos?|apéndices?)\b.{0,80}"
    ),
    Role.SIDE: (
        r"glossary(?: of .{1,40})?|(?:terms and )?definitions"
        r"|(?:list of )?(?:abbreviations|acronyms)(?: .{1,40})?"
        r"|abbreviations and acronyms|list of (?:figures|tables|contributors)|acknowledge?ments?"
        r"|(?:notes? to (?:the )?readers?|about (?:this|the) (?:document|book|publication|authors?"
        r"|report|editors?))|disclaimer|copyright.{0,40}|licen[cs]e|imprint|legal notices?"
        r"|competing interests|conflicts? of interest|(?:author )?contributions"
        r"|data availability.{0,40}|funding|index|further reading|how to (?:cite|use) .{1,40}"
        r"|foreword|preface|dedication|contributors"
        r"|glossar|abkürzungen|abkürzungsverzeichnis|danksagung|impressum|vorwort|stichwortverzeichnis"
        r"|glossaire|abréviations|remerciements|avant-propos|mentions légales"
        r"|glosario|abreviaturas|agradecimientos|prólogo|aviso legal"
    ),
    Role.REFERENCES: (
        r"references(?: (?:and notes|cited))?|bibliography|works cited|literature(?: cited)?"
        r"|literatur(?:verzeichnis)?|quellen(?:verzeichnis)?|bibliographie|referencias|bibliografía"
        r"|(?:foot|end)notes"
    ),
}
_PART_NUMBER = r"(?:#{1,6}\s*)?(?:(?:chapter|section|part|kapitel|teil|chapitre|capítulo)\s+)?"
_PART_NUMBER += r"(?:(?:\d{1,3}(?:\.\d{1,2})*|[IVX]{1,5}|[A-Z])[.:)]?\s+)?"
_TITLE_ROLES = [
    (role, re.compile(rf"{_PART_NUMBER}(?:{titles})\s*[.:]?$", re.IGNORECASE))
    for role, titles in _TITLES.items()
]
# The label of a paragraph: "SUMMARY: The agency proposes ...", "Abstract—We show ...".
_LABEL = re.compile(
    r"(?P<title>Abstract|ABSTRACT|Summary|SUMMARY|Executive [Ss]ummary|Highlights|TL;?DR|Syllabus"
    r"|Key (?:points|messages|findings)|Conclusions?|CONCLUSIONS?|Zusammenfassung|Fazit|Résumé"
    r"|Resumen)\s?(?:[:—–-]|\.\s?[—–-])\s*(?=\S)"
)
# Without levels nobody knows where a part ends: it ends with the next heading in the same letters
# (capitals or not), or after this share of the text, which no abstract or glossary exceeds.
MAX_SHARE_WITHOUT_LEVEL = 0.15
# An "appendix" of most of a document is its body: "Supplementary information" of a notice.
MAX_LEFT_OUT_SHARE = 0.6
# A "summary" or "overview" of more sentences, and of a larger share of them, is a chapter.
MAX_SUMMARY_SENTENCES, MAX_SUMMARY_SHARE = 20, 0.2
# A "summary" after this share of the text is the document's last word, a "conclusion" before it
# belongs to a structured abstract.
LATE, EARLY = 0.5, 0.1
MIN_OUTLINE = 6  # entries: a shorter outline names the file, or a few chapters of many


@dataclass(frozen=True)
class PlacedTitle:
    """A heading: its first character, its words, its level (1 the highest, 0 unknown)."""

    start: int
    title: str
    level: int = 0


def titles_in(headings: Sequence[Place], outline: Sequence[PlacedTitle] = ()) -> list[PlacedTitle]:
    """Return headings with the levels that their numbers and signs tell.

    An outline of some length rules: of the other headings only those of a known role count, and
    the one after each, where its part ends. A conclusion between its chapters that it does not
    name is of a chapter or a box.
    """
    found = [PlacedTitle(start, words, _level(words)) for start, words in headings]
    if len(outline) < MIN_OUTLINE:
        return found
    chapters = [title.start for title in outline if role_of_title(title.title) in (None, Role.BODY)]
    starts, is_open = {title.start for title in outline}, False
    missing = []
    for title in found:
        role = role_of_title(title.title)
        is_between = bool(chapters) and min(chapters) < title.start < max(chapters)
        is_inner = role is Role.CONCLUSION and is_between
        has_role = role is not None and not is_inner
        if title.start not in starts and (has_role or is_open):
            missing.append(PlacedTitle(title.start, "" if is_inner else title.title))
        is_open = has_role
    return sorted([*outline, *missing], key=lambda title: title.start)


def role_of_title(title: str) -> Role | None:
    """Return the role that a part's title names.

    >>> role_of_title("5. Conclusions and future work"), role_of_title("The harbour")
    (<Role.CONCLUSION: 'conclusion'>, None)
    """
    line = " ".join(title.split())
    return next((role for role, pattern in _TITLE_ROLES if pattern.match(line)), None)


def roles_of(text: str, titles: Sequence[PlacedTitle], spans: Sequence[Span]) -> list[Role]:
    """Return the role of each span of a text, by its headings."""
    parts = list(_parts(len(text), titles))
    starts = [start for start, _ in parts]
    found = []
    for start, _ in spans:
        at = bisect_right(starts, start) - 1
        role = parts[at][1] if at >= 0 else Role.BODY
        labelled = _role_of_label(text, start)
        found.append(_by_place(labelled, start / max(1, len(text))) if labelled else role)
    most = {role: MAX_LEFT_OUT_SHARE * len(found) for role in LEFT_OUT}
    most[Role.SUMMARY] = max(MAX_SUMMARY_SENTENCES, MAX_SUMMARY_SHARE * len(found))
    for role, count in most.items():
        if found.count(role) > count:
            found = [Role.BODY if own is role else own for own in found]
    return found


def _role_of_label(text: str, start: int) -> Role | None:
    begin = text.rfind("\n", 0, start) + 1
    label = _LABEL.match(text, begin)
    return role_of_title(label["title"]) if label else None


def _by_place(role: Role, place: float) -> Role:
    """Return what a part of this name is at its place, from 0 to 1."""
    if role is Role.SUMMARY and place > LATE:
        return Role.CONCLUSION
    if role in (Role.CONCLUSION, Role.RESULTS) and place < EARLY:
        return Role.SUMMARY
    return role


def _parts(size: int, titles: Sequence[PlacedTitle]) -> Iterator[tuple[int, Role]]:
    """Yield (start, role) where a role begins."""
    now, role = PlacedTitle(0, ""), Role.BODY
    for title in titles:
        named = role_of_title(title.title)
        is_inside = title.level > now.level > 0
        if named is None:
            if role is Role.BODY or is_inside or not _ends(now, role, title, size):
                continue
            named = Role.BODY
        elif is_inside and role in (Role.SUMMARY, Role.APPENDIX, Role.REFERENCES):
            continue
        elif named is Role.SUMMARY and title.level > 1 and title.start > EARLY * size:
            named = Role.BODY  # the overview of one section
        now, role = title, _by_place(named, title.start / max(1, size))
        yield title.start, role


def _ends(now: PlacedTitle, role: Role, title: PlacedTitle, size: int) -> bool:
    """Return whether a heading without a role ends the part that began with `now`."""
    if title.level and (now.level or role is not Role.APPENDIX):
        return True
    is_long = title.start - now.start > MAX_SHARE_WITHOUT_LEVEL * size
    if now.level or role is Role.APPENDIX:
        return False
    # Lines of a list of references look like headings.
    is_alike = now.title.isupper() == title.title.isupper() and role is not Role.REFERENCES
    return is_alike or is_long


def _level(words: str) -> int:
    if MARKDOWN_HEADING.match(words):
        return len(words) - len(words.lstrip("#"))
    if NUMBERED_HEADING.match(words):
        return words.split()[0].rstrip(".").count(".") + 1
    return 0
