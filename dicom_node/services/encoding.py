"""Small data sets of our own, from keyword and value straight to bytes (PS3.5 7.1): thousands of them answer one query.

pydicom makes an object of every element on the way, which costs a query of a thousand studies more than the search does.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import UID
from pydicom.valuerep import format_number_as_ds

from dicom_node.archive import gb18030

UTF_8 = "ISO_IR 192"
_CODECS = {UTF_8: "utf_8", "GB18030": "gb18030", "GBK": "gbk"}
#: PS3.5 6.2: VRs whose characters depend on Specific Character Set; all others are ASCII.
_LOCAL = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
#: PS3.5 7.1.2: these have a 32-bit length after two reserved bytes.
_LONG = frozenset({"SQ", "UC", "UT"})
_ITEM = 0xFFFEE000

#: A value is a text, a number, several of either, or the items of a sequence; None and empty make an element of no length.
Values = Mapping[str, Any]


def encoded(values: Values, charset: str, syntax: UID) -> bytes:
    """Encode *values* by keyword, and say their character set; GBK gives way to GB18030 where it lacks a character."""
    try:
        return _data_set({**values, "SpecificCharacterSet": charset}, _CODECS[charset], syntax)
    except UnicodeEncodeError:
        return _data_set({**values, "SpecificCharacterSet": "GB18030"}, "gb18030", syntax)


class _Place(NamedTuple):
    """Where a keyword's value goes, and how: *head* is all of its element before the length.

    *padding* makes a text even, and is empty where the value is none.
    """

    keyword: str
    vr: str
    head: bytes
    length: struct.Struct
    padding: bytes


@lru_cache(maxsize=1024)  # the answers to one query are alike
def _places(keywords: tuple[str, ...], syntax: UID) -> tuple[_Place, ...]:
    """Return the places of *keywords* in the order of their tags."""
    order, implicit = _order(syntax), syntax.is_implicit_VR
    places = []
    for tag, keyword in sorted((_tag(keyword), keyword) for keyword in keywords):
        vr = dictionary_VR(tag).partition(" or ")[0]
        head, length = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF), "I"
        if not implicit:
            head, length = (head + vr.encode() + b"\0\0", "I") if vr in _LONG else (head + vr.encode(), "H")
        padding = b"" if vr in _NUMBERS or vr in ("DS", "SQ") else b"\0" if vr == "UI" else b" "
        places.append(_Place(keyword, vr, head, struct.Struct(order + length), padding))
    return tuple(places)


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)


def _order(syntax: UID) -> str:
    return "<" if syntax.is_little_endian else ">"


def _data_set(values: Values, codec: str, syntax: UID) -> bytes:
    parts: list[bytes] = []
    for keyword, vr, head, length, padding in _places(tuple(values), syntax):
        value = values[keyword]
        raw = _text(vr, value, codec, padding) if padding and isinstance(value, str) else _value(vr, value, codec, syntax)
        parts += head, length.pack(len(raw)), raw
    return b"".join(parts)


def _text(vr: str, text: str, codec: str, padding: bytes) -> bytes:
    raw = _local(text, codec) if vr in _LOCAL else text.encode("ascii", "replace")
    return raw + padding if len(raw) % 2 else raw


def _value(vr: str, value: Any, codec: str, syntax: UID) -> bytes:  # noqa: ANN401 - see Values
    if vr == "SQ":
        items = (_data_set(item, codec, syntax) for item in value or ())
        return b"".join(struct.pack(f"{_order(syntax)}HHI", _ITEM >> 16, _ITEM & 0xFFFF, len(item)) + item for item in items)
    several: Sequence[Any] = value if isinstance(value, list | tuple) else () if value in (None, "") else (value,)
    if vr in _NUMBERS:
        return struct.pack(f"{_order(syntax)}{len(several)}{_NUMBERS[vr]}", *several)
    text = "\\".join(format_number_as_ds(float(one)) if vr == "DS" else str(one) for one in several)
    return _text(vr, text, codec, b"\0" if vr == "UI" else b" ")


def _local(text: str, codec: str) -> bytes:
    return gb18030.encode(text) if codec == "gb18030" else text.encode(codec)
