"""Letters by language: whether text decoded from bytes is written in any language at all."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

# The letters beyond ASCII of each language, the most frequent ones first, as anybody counts them
# in a page of prose. Chinese and Korean: their most frequent characters.
_LETTERS = {
    "German": "üäößé", "French": "éèàêçôùâîûëïœæ", "Spanish": "óáíéñúü",
    "Portuguese": "ãáçéóíêõâúàô", "Italian": "èàòùéì", "Danish": "åøæéäö", "Swedish": "äåöé",
    "Icelandic": "áíðóæéúþýö", "Polish": "łęąóżśćńź", "Czech": "íáéřěšžčýůúňďťó",
    "Slovak": "áíéčšžýúľťôňóäďŕĺ", "Hungarian": "áéőöóíüúű", "Romanian": "ăîșțâşţ",
    "Croatian": "čšžćđ", "Slovene": "čšž", "Turkish": "ıüşğçöâî", "Lithuanian": "ėšųžįčąūę",
    "Latvian": "āīēšņļūžģķč", "Estonian": "äõüöšž", "Albanian": "ëç", "Catalan": "èàóéíçòúïü",
    "Vietnamese": "đàáôạảâưăờộốếấóêơạ́̀̉̃̃ọịếệềủựứừươạìíòúùýỹỳỵỷũụĩỉõỏồổỗớởỡợẻẽẹểễéèậẩẫầặẳẵắằãơữử",
    "Russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "Ukrainian": "оаниівтерксдлпумязьгбчйхжїцюєшщфґ",
    "Bulgarian": "аоеитнрсвлкдпмзгъубчцйяжщшхюфь", "Serbian": "аоиеунјртскдвмпзлгбљњчшћжђхцџф",
    "Greek": "αοιετσνηυρπκμλςωγδχάίόθέφβήύώξζψϊΰΐϋ", "Hebrew": "יוהלאבתרמשנעדכחפקםטצגסזןךץף",
    "Arabic": "ايلمونتربعدهسفقكحةأجشصىخطذضئزثغإءظآؤپچگیک",
    "Thai": "านรอกเงมยลวดทสตะปบคหแจพชขใไโผซธณถฟศฉภฮญษฐฆฝฎฏฑฬฒาิีึืุูัำ่้๊๋็์",
    "Japanese": "のにはたいをとがしてでなるれもらかっすんまこりうくさつきだょせけえあそよ"
    "一日人年大",
    "Chinese": "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自"
    "着去之过家学对可她里后小么心多天而能好都然没于起还发成事只作当想看文无开手十用主行方又如前所本见經這來"
    "國個說們為時會過學對裡後麼沒於還發當開",
    "Korean": "이다는을의에가고지하한은로도를기사리어시정자인대나그들아해수일서과있보부원만라여",
}  # fmt: skip
_LATIN = frozenset(list(_LETTERS)[: list(_LETTERS).index("Russian")])
_RANKS = {
    language: {letter: 1 - 0.7 * rank / len(letters) for rank, letter in enumerate(letters)}
    for language, letters in _LETTERS.items()
}
_SIGNS = frozenset("“”‘’„‚–—…«»§°€£©®™·•´\u00a0½¼×±²³¿¡、。「」『』，！？：；（）・ー〜")
_LETTERS_OF_WORD = re.compile(r"[^\W\d_]+")
_SIGN_IN_WORD = re.compile(  # but for l·l in Catalan
    "(?<=[^\\W\\d_])(?:[„‚”“«»§°€£©®™´½¼×±²³¿¡](?=[a-z])|·(?![lL]))"
)
# One that is in no list of frequent characters: of those that the Chinese standards put first, or
# of the rest, which wrong readings are full of.
_FIRST_IDEOGRAM, _UNKNOWN_IDEOGRAM = 0.4, 0.05
_FIRST_LEVELS = (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6))  # and the lead bytes of those
_JAPANESE_IDEOGRAM = 0.4
_SAMPLE_CHARACTERS = 20_000
IS_LANGUAGE = 0.3  # lower: no language; sound pages of the corpus reach 0.45, wrong ones 0.2


def language_score(text: str) -> float:
    """Return how well the characters beyond ASCII fit the language that they fit best: 1 for its
    most frequent letters, below :data:`IS_LANGUAGE` for text of no language."""
    sample = unicodedata.normalize("NFC", text[:_SAMPLE_CHARACTERS])
    high = [character for character in sample if character > "\x7f"]
    if not high:
        return 1.0
    words = [word for word in _LETTERS_OF_WORD.findall(sample) if not word.isascii()]
    signs = sum(_sign_score(c) for c in high if not (c.isalpha() or unicodedata.combining(c)))
    signs -= 4 * len(_SIGN_IN_WORD.findall(sample))
    letters = max(
        (sum(_word_score(word, language) for word in words) for language in _LETTERS), default=0.0
    )
    return (letters + signs) / len(high)


def _sign_score(character: str) -> float:
    if "\x80" <= character <= "\x9f":  # a stray byte, which says nothing
        return -0.3
    return 0.5 if character in _SIGNS else -1.0


@lru_cache(maxsize=4_096)
def _is_in_shift_jis(letter: str) -> bool:
    try:
        return bool(letter.encode("shift_jis"))
    except UnicodeEncodeError:
        return False


@lru_cache(maxsize=8_192)
def _is_of_first_level(letter: str) -> bool:
    """Return whether a Chinese character is one of the some 4,000 frequent ones."""
    for codec, first, last in _FIRST_LEVELS:
        try:
            if first <= letter.encode(codec)[0] <= last:
                return True
        except UnicodeEncodeError:
            continue
    return False


def _word_score(word: str, language: str) -> float:
    """Return the sum of the scores of a word's letters beyond ASCII."""
    high = [letter for letter in word if letter > "\x7f"]
    is_latin = language in _LATIN
    # No language writes words in two scripts, nor Latin words of letters with marks alone.
    is_mixed = len(high) < len(word) if not is_latin else len(high) == len(word) > 2
    swaps = sum(a.islower() and b.isupper() for a, b in pairwise(word))
    if is_mixed or swaps:
        return -1.0 * len(high)
    return sum(_letter_score(letter, language) for letter in high)


def _letter_score(letter: str, language: str) -> float:
    known = _RANKS[language].get(letter) or _RANKS[language].get(letter.lower())
    if known is not None:
        return known
    if "\u4e00" <= letter <= "\u9fff":
        if language == "Japanese":
            return _JAPANESE_IDEOGRAM if _is_in_shift_jis(letter) else -1.0
        if language != "Chinese":
            return -1.0
        return _FIRST_IDEOGRAM if _is_of_first_level(letter) else _UNKNOWN_IDEOGRAM
    if language == "Japanese" and "\u3041" <= letter <= "\u30ff":
        return 0.5
    return 0.3 if language == "Korean" and "\uac00" <= letter <= "\ud7a3" else -1.0
