"""Text as it was meant, whatever the label says; PS3.5 6.1 and PS3.3 C.12.1.1.2.

An object is never refused for its character set, and a name is never shown garbled. Bytes that contradict their label
(GBK under ISO_IR 100 is common in China) are recognised by strict decoding and repaired; what no reading explains is
replaced by a neutral mark, its bytes kept. Which of the three happened is said by Legibility.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from dicom_node.archive.gb18030 import as_meant, encode

#: The geta mark, which Chinese and Japanese printers set for a character they do not have.
ILLEGIBLE_MARK = "〓"


class Legibility(StrEnum):
    """Whether a text could be read as its label says, only otherwise, or not at all."""

    STATED = "stated"
    REPAIRED = "repaired"
    ILLEGIBLE = "illegible"


@dataclass(frozen=True)
class Text:
    """A decoded value, without padding; ILLEGIBLE_MARK when it cannot be read."""

    value: str
    legibility: Legibility = Legibility.STATED


@dataclass(frozen=True)
class PersonName:
    """The component groups of a PN (PS3.5 6.2): each "Family^Given^Middle^Prefix^Suffix", empty when absent."""

    alphabetic: str
    ideographic: str = ""
    phonetic: str = ""
    legibility: Legibility = Legibility.STATED


#: ISO-IR number to codec: the right half (G1) of PS3.3 Table C.12-2, C.12-3 and C.12-4.
_CODECS = {
    6: "ascii", 100: "latin_1", 101: "iso8859_2", 109: "iso8859_3", 110: "iso8859_4", 144: "iso8859_5", 127: "iso8859_6",
    126: "iso8859_7", 138: "iso8859_8", 148: "iso8859_9", 203: "iso8859_15", 166: "iso8859_11", 13: "shift_jis", 192: "utf_8",
    58: "gb18030", 149: "euc_kr", 87: "iso2022_jp", 159: "iso2022_jp_2",
}  # fmt: skip
#: What a device may be assumed to write whatever its label says, by the defined terms of PS3.3 C.12.1.1.2.
ASSUMABLE = {
    "GB18030": "gb18030", "ISO_IR 192": "utf_8",
    **{f"ISO_IR {number}": _CODECS[number] for number in (100, 101, 109, 110, 144, 127, 126, 138, 148, 203, 166, 13)},
    "ISO 2022 IR 149": "euc_kr",
}  # fmt: skip
_WHOLE = {"GB18030": "gb18030", "GBK": "gb18030", "GB2312": "gb18030", "UTF8": "utf_8"}

#: Escape sequence to (which half, ISO-IR number), PS3.3 Table C.12-3 and C.12-4.
_ESCAPES = {
    b"(B": (0, 6), b"(J": (0, 13), b"$B": (0, 87), b"$(D": (0, 159),
    b")I": (1, 13), b"-A": (1, 100), b"-B": (1, 101), b"-C": (1, 109), b"-D": (1, 110), b"-L": (1, 144), b"-G": (1, 127),
    b"-F": (1, 126), b"-H": (1, 138), b"-M": (1, 148), b"-b": (1, 203), b"-T": (1, 166), b"$)C": (1, 149), b"$)A": (1, 58),
}  # fmt: skip
_ESCAPE = re.compile(rb"\x1b(\$[()]?.|[()\-].)", re.DOTALL)
_RUNS = re.compile(rb"[\x80-\xff]+|[\x00-\x7f]+")
_RESETS = re.compile(rb"([\\^=\r\n\t\f])")
_TERM = re.compile(r"ISO[ _-]*(2022)?[ _-]*IR[ _-]*(\d{1,3})\Z")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_C1 = re.compile(r"[\x80-\x9f]")  # no text has these: a single-byte codec that finds them reads something else
_GROUPS = 3

#: What Chinese text is made of: ideographs of every plane, and their punctuation. Private use areas are not.
_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u3000-\u303f\uff01-\uffee·—‘’“”…×]+")
_IDEOGRAPHS = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+\\Z")


def decode(raw: bytes, charsets: Sequence[str], assumed: str = "") -> Text:
    """Read *raw* under the values of Specific Character Set (0008,0005) as they stand in the data set.

    Nothing is raised. A backslash of the result separates values; in GBK the byte 5C may be half of a character, so
    values are split after decoding, never before. *assumed* is one of ASSUMABLE, for a device that is known to write it
    whatever it says; it gives way to escape sequences and to UTF-8 that is labelled so, which no other text passes for.
    """
    raw = raw.strip(b"\0 ")
    if raw.isascii() and b"\x1b" not in raw:
        return Text(_clean(raw.decode("ascii")))
    codecs_stated, extended = _stated(charsets)
    if assumed and b"\x1b" not in raw and not ("utf_8" in codecs_stated and _read(raw, "utf_8") is not None):
        codec = ASSUMABLE[assumed]
        text = _read(raw, codec)
        if text is not None:
            return Text(_clean(text), Legibility.STATED if codecs_stated == [codec] else Legibility.REPAIRED)
    if extended and "gb18030" in codecs_stated and b"\x1b" not in raw and (other := _against_gb(raw)):
        return other
    if extended or b"\x1b" in raw:
        text = _strictly(lambda: _with_escapes(raw, codecs_stated, resetting=extended))
        if text is not None:
            return Text(_clean(text), Legibility.STATED if extended else Legibility.REPAIRED)
        raw = _ESCAPE.sub(b"", raw)
    elif text_stated := _as_stated(raw, codecs_stated):
        return text_stated
    return _guessed(raw)


def person_name(raw: bytes, charsets: Sequence[str], assumed: str = "") -> PersonName:
    """Read a PN and part its component groups; of several names the first."""
    text = decode(raw, charsets, assumed)
    groups = [group.strip(" ^") for group in text.value.split("\\")[0].split("=")[:_GROUPS]]
    alphabetic, ideographic, phonetic = [*groups, "", ""][:_GROUPS]
    return PersonName(alphabetic, ideographic, phonetic, text.legibility)


def display_name(alphabetic: str, ideographic: str = "", phonetic: str = "") -> str:
    """Say a name for people: the ideographic group if there is one, 王小东; else WANG Fang; empty when there is none."""
    parts = [part.strip() for part in (ideographic or alphabetic or phonetic).split("^") if part.strip()]
    return ("" if all(_IDEOGRAPHS.match(part) for part in parts) else " ").join(parts)


def charsets_of(raw: bytes) -> tuple[str, ...]:
    """Part the value of Specific Character Set (0008,0005), an empty first value kept."""
    return tuple(term.strip() for term in raw.decode("ascii", "replace").strip("\0 ").split("\\"))


def _stated(charsets: Sequence[str]) -> tuple[list[str], bool]:
    """Return the codecs that the label names, and whether it allows escape sequences."""
    found: list[str] = []
    extended = False
    for term in charsets:
        match = _TERM.match(term.strip().upper())
        if match is not None:
            extended |= match[1] is not None
            codec = _CODECS.get(int(match[2]))
        else:
            codec = _WHOLE.get(re.sub(r"[ _-]", "", term.upper()))
        if codec is not None:
            found.append(codec)
    return found, extended


def _as_stated(raw: bytes, stated: list[str]) -> Text | None:
    """Read *raw* by the first codec of the label that fits; None when the bytes contradict all of them."""
    for codec in sorted(stated, key=lambda name: name != "utf_8"):  # a label may wrongly list two; UTF-8 fits by chance least
        if codec == "latin_1" and (_is_utf8(raw) or _reads_as_chinese(raw)):
            continue
        if codec == "gb18030" and (other := _against_gb(raw)):
            return other
        decoder = codecs.getincrementaldecoder(codec)("strict")
        text = _strictly(partial(decoder.decode, raw))
        if text and not (codec.startswith(("iso8859", "latin")) and _C1.search(text)):
            text = as_meant(text) if codec == "gb18030" else text
            cut_short = bool(decoder.getstate()[0])  # a device that counts bytes cut the last character in half
            return Text(_clean(text), Legibility.REPAIRED if cut_short else Legibility.STATED)
    return None


def _guessed(raw: bytes) -> Text:
    """Read *raw* against its label: UTF-8, then GBK, then Latin letters among ASCII ones; else give up."""
    if _is_utf8(raw):
        return Text(_clean(raw.decode("utf_8")), Legibility.REPAIRED)
    if _reads_as_chinese(raw):
        return Text(_clean(as_meant(raw.decode("gb18030"))), Legibility.REPAIRED)
    if raw and all(byte < 0x80 or (byte >= 0xC0 and byte not in (0xD7, 0xF7)) for byte in raw) and re.search(rb"[A-Za-z]", raw):
        return Text(_clean(raw.decode("latin_1")), Legibility.REPAIRED)
    return Text(ILLEGIBLE_MARK if raw else "", Legibility.ILLEGIBLE)


def _with_escapes(raw: bytes, stated: list[str], *, resetting: bool) -> str:
    """Decode by ISO/IEC 2022 as PS3.5 6.1.2.5 narrows it: every delimiter brings back the first repertoire.

    Not *resetting* is for escapes that the label does not allow: who writes those seldom repeats them.
    """
    single = [codec for codec in stated[:1] if codec not in ("iso2022_jp", "iso2022_jp_2")]
    # Many writers of IR 58 and IR 149 escape once and forget that a delimiter resets: nothing else can be meant then.
    right_at_start = next((codec for codec in stated if codec in ("gb18030", "euc_kr", "utf_8")), *(single or ["ascii"]))
    halves = ["ascii", right_at_start]
    pieces: list[str] = []
    for number, part in enumerate(_ESCAPE.split(raw)):
        if number % 2:
            half, repertoire = _ESCAPES[part]
            halves[half] = _CODECS[repertoire] if repertoire != 13 or half else "ascii"
            continue
        for run in _RUNS.findall(part):
            if run[0] >= 0x80:
                pieces.append(as_meant(run.decode(halves[1])) if halves[1] == "gb18030" else run.decode(halves[1]))
            elif halves[0] == "ascii":
                for piece in _RESETS.split(run):
                    if resetting and _RESETS.match(piece):
                        halves = ["ascii", right_at_start]
                    pieces.append(piece.decode("ascii"))
            else:
                designation = b"\x1b$B" if halves[0] == "iso2022_jp" else b"\x1b$(D"
                pieces.append((designation + run).decode(halves[0]))
    return "".join(pieces)


def _is_utf8(raw: bytes) -> bool:
    """Tell whether *raw* is UTF-8 rather than GBK that happens to be well-formed UTF-8, as many pairs of hanzi are."""
    text = None if raw.isascii() else _strictly(lambda: raw.decode("utf_8"))
    if text is None:
        return False
    wide = re.findall(r"[^\x00-\x7f]+", text)
    if all(_CHINESE.fullmatch(run) for run in wide):
        return True
    return re.search("[A-Za-z][\u00c0-\u017f]|[\u00c0-\u017f][A-Za-z]", text) is not None or not _reads_as_chinese(raw)


def _against_gb(raw: bytes) -> Text | None:
    """Read bytes that are said to be GBK and are UTF-8 Chinese: as GBK they would need characters that GB2312 does not have.

    None where the label is believed: a letter or the like right behind a character is more likely the second byte of one. Where
    UTF-8 has none in common use either, nobody can tell which was meant.
    """
    text = _strictly(lambda: raw.decode("utf_8"))
    if text is None or not all(character.isascii() or _CHINESE.match(character) for character in text):
        return None
    if re.search(r"[^\x00-\x7f][@-[\]_-~]", text) or _strictly(lambda: raw.decode("gb2312")) is not None:
        return None
    if _has_none_in_common_use(text):
        return Text(ILLEGIBLE_MARK, Legibility.ILLEGIBLE)
    return Text(_clean(text), Legibility.REPAIRED)


def _reads_as_chinese(raw: bytes) -> bool:
    """Tell whether *raw* is GBK or GB18030 text rather than Latin text with accents."""
    text = _read(raw, "gb18030")
    if text is None or _has_none_in_common_use(text):
        return False  # some other text, of whose bytes GBK has rare characters by chance
    runs = list(re.finditer(r"[^\x00-\x7f]+", text))
    return all(_CHINESE.fullmatch(run[0]) for run in runs) and not all(_could_be_latin(run, text) for run in runs)


def _has_none_in_common_use(text: str) -> bool:
    return text.encode("gb2312", "ignore").isascii()


def _could_be_latin(run: re.Match[str], text: str) -> bool:
    """Tell whether Chinese characters in *text* may be accented letters by chance: the "ér" of Jérôme, the "çã" of Conceição."""
    encoded = encode(run[0])
    if not encoded.decode("latin_1").isalpha():
        return False
    isolated = re.search(rb"[\x80-\xff]{2}", encoded) is None
    before, after = text[: run.start()][-1:], text[run.end() :][:1]
    return isolated or (len(run[0]) == 1 and before.isalpha() and after.isalpha())


def _read(raw: bytes, codec: str) -> str | None:
    """Return *raw* as *codec* says; None when the bytes contradict it."""
    text = _strictly(lambda: raw.decode(codec))
    if text is not None and _C1.search(text):
        return None
    return as_meant(text) if text is not None and codec == "gb18030" else text


def _strictly(attempt: Callable[[], str]) -> str | None:
    try:
        return attempt()
    except (UnicodeError, KeyError):
        return None


def _clean(text: str) -> str:
    return _CONTROLS.sub("", text).strip()
