"""What a person's name may be looked for by: characters, pinyin in every reading, initials.

A search is for words that begin like one typed: 王小明 is found by 王, 小明, wang, wangxiaoming, xiaoming, wxm and, tones
and all, by "wáng xiǎo míng" or "wang2 xiao3 ming2".
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

from dicom_node.archive.charset import ILLEGIBLE_MARK, PersonName
from dicom_node.archive.matching import folded

os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")  # names are read character by character: the dictionary of phrases is 45 MB
from pypinyin import Style, pinyin

#: The longest word that is kept, and the most of one name.
LONGEST, MOST = 100, 64
#: Readings of a character inside a given name: the usual ones; a surname's are all taken (单 is Shàn, 解 is Xiè).
_USUAL = 2
_COMPOUND_SURNAMES = frozenset(
    re.findall(
        "..",
        "欧阳上官司马司徒诸葛夏侯皇甫尉迟公孙慕容令狐宇文长孙东方独孤端木轩辕澹台濮阳淳于太史申屠公羊赫连钟离闻人"
        "百里东郭南宫西门呼延万俟仲孙宗政单于鲜于闾丘拓跋完颜歐陽司馬諸葛尉遲東方長孫獨孤軒轅",
    )
)
_BETWEEN = re.compile(r"[\s^=,.，。·•'-]+")
_TONE = re.compile(r"(?<=[a-z])[1-5](?![0-9])")
#: What a syllable of pinyin may be; enough to tell the initials of a name that came in Latin letters only.
_SYLLABLE = re.compile(
    "(?:[zcs]h|[bpmfdtnlgkhjqxzcsryw])?"
    "(?:iang|iong|uang|ang|eng|ing|ong|ian|iao|uai|uan|van|ai|ei|ao|ou|an|en|in|un|vn|er|ia|ie|iu|ua|ui|uo|ue|ve|[aoeiuv])"
)
_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def words_of(name: PersonName) -> frozenset[str]:
    """Return the words that *name* is found by."""
    found: set[str] = set()
    for group in (name.alphabetic, name.ideographic, name.phonetic):
        if ILLEGIBLE_MARK not in group:
            parts = _parts(group)
            found.update(islice(_words(parts), MOST) if parts else ())
    return frozenset(word[:LONGEST] for word in found)


def asked_for(text: str) -> list[list[str]]:
    """Return what *text*, as somebody types it, asks for: all words of one of the lists must begin words of the name.

    Syllables may stand apart ("wang xiao ming") or together; ü is looked for as every keyboard and passport has it.
    """
    found: list[list[str]] = []
    text = text[: 2 * LONGEST]
    for letter in "vu" if "\u0308" in unicodedata.normalize("NFD", text) else "u":
        words = [word[:LONGEST] for word in _parts(text, letter)]
        found += [words, ["".join(words)[:LONGEST]]] if len(words) > 1 else [words] if words else []
    return found


@dataclass(frozen=True)
class Reading:
    """A matching key of VR PN that may be the pinyin of a name: wang*, Wang^Xiaoming; it *begins* a name or is all of it."""

    text: str
    begins: bool

    def fits(self, name: PersonName) -> bool:
        """Tell whether *name* is read so; one that is in letters alone is compared by them, not by this."""
        if not name.ideographic and name.alphabetic.upper() != name.alphabetic.lower():
            return False
        words = words_of(name)
        if not self.begins:
            return any("".join(asked) in words for asked in asked_for(self.text))
        return any(all(any(word.startswith(one) for word in words) for one in asked) for asked in asked_for(self.text))


def reading_of(key: str) -> Reading | None:
    """Return what a key in Latin letters may be a reading of; None of others: characters, wildcards within, several groups."""
    text, begins = key.strip().rstrip("*"), key.strip().endswith("*")
    return Reading(text, begins) if text.isascii() and re.search("[A-Za-z]", text) and not re.search("[*?=]", text) else None


def _words(parts: list[str]) -> Iterator[str]:
    """Yield the words of one component group, the likeliest first."""
    yield "".join(parts)
    yield from parts
    yield "".join([*parts[1:], parts[0]])
    if _IDEOGRAPH.search(parts[0]) is None:
        for syllables in (parts, [syllable for part in parts for syllable in _SYLLABLE.findall(part) or [part]]):
            yield "".join(syllable[0] for syllable in syllables)
        return
    surname, given = _surname_and_given(parts)
    yield given or surname
    for reading in _readings(surname, given):
        family, own = reading[: len(surname)], reading[len(surname) :]
        yield "".join(reading)
        yield "".join((*own, *family))
        yield "".join(syllable[0] for syllable in reading)
        yield "".join(syllable[0] for syllable in own or family)


def _surname_and_given(parts: list[str]) -> tuple[str, str]:
    """Part a name as it is parted already, or else by what surnames there are."""
    if len(parts) > 1:
        return parts[0], "".join(parts[1:])
    whole = parts[0]
    length = 2 if len(whole) > 2 and whole[:2] in _COMPOUND_SURNAMES else 1
    return whole[:length], whole[length:]


def _readings(surname: str, given: str) -> Iterator[tuple[str, ...]]:
    """Yield the name's syllables in the combinations of their readings; those of the surname change first."""
    readings = [_read(character) for character in surname] + [_read(character)[:_USUAL] for character in given]
    for chosen in islice(product(*reversed(readings)), MOST):
        yield tuple(reversed(chosen))


@lru_cache(maxsize=8192)
def _read(character: str) -> list[str]:
    """Return the readings of one character; what has none reads as itself."""
    [found] = pinyin(character, style=Style.NORMAL, heteronym=True)
    spellings = [
        spelling for syllable in found for spelling in (syllable, syllable.replace("v", "yu"), syllable.replace("v", "u"))
    ]
    return list(dict.fromkeys(spellings))


def _parts(text: str, for_diaeresis: str = "u") -> list[str]:
    """Part *text* into words as they are compared: folded, without accents and tones, and printable."""
    letters = unicodedata.normalize("NFD", folded(text)).replace("u\u0308", for_diaeresis)
    bare = "".join(letter for letter in letters if letter.isprintable() and not "\u0300" <= letter <= "\u036f")
    return [part for part in _BETWEEN.split(_TONE.sub("", unicodedata.normalize("NFC", bare))) if part]
