"""Small data sets of our own, from keyword and value straight to bytes (PS3.5 7.1): thousands of them answer one query.

pydicom makes an object of every element on the way, which costs a query of a thousand studies more than the search does.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

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


@lru_cache(maxsize=4096)
def _meaning(keyword: str) -> tuple[int, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag), dictionary_VR(tag).partition(" or ")[0]


def _data_set(values: Values, codec: str, syntax: UID) -> bytes:
    order = "<" if syntax.is_little_endian else ">"
    elements = sorted(((*_meaning(keyword), value) for keyword, value in values.items()), key=lambda element: element[0])
    return b"".join(_element(tag, vr, _value(vr, value, codec, order, syntax), order, syntax) for tag, vr, value in elements)


def _element(tag: int, vr: str, value: bytes, order: str, syntax: UID) -> bytes:
    group, number = tag >> 16, tag & 0xFFFF
    if syntax.is_implicit_VR:
        return struct.pack(f"{order}HHI", group, number, len(value)) + value
    if vr in _LONG:
        return struct.pack(f"{order}HH2sHI", group, number, vr.encode(), 0, len(value)) + value
    return struct.pack(f"{order}HH2sH", group, number, vr.encode(), len(value)) + value


def _value(vr: str, value: Any, codec: str, order: str, syntax: UID) -> bytes:  # noqa: ANN401 - see Values
    if vr == "SQ":
        items = (_data_set(item, codec, syntax) for item in value or ())
        return b"".join(struct.pack(f"{order}HHI", _ITEM >> 16, _ITEM & 0xFFFF, len(item)) + item for item in items)
    several: Sequence[Any] = value if isinstance(value, list | tuple) else () if value in (None, "") else (value,)
    if vr in _NUMBERS:
        return struct.pack(f"{order}{len(several)}{_NUMBERS[vr]}", *several)
    text = "\\".join(format_number_as_ds(float(one)) if vr == "DS" else str(one) for one in several)
    raw = _local(text, codec) if vr in _LOCAL else text.encode("ascii", "replace")
    return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)


def _local(text: str, codec: str) -> bytes:
    return gb18030.encode(text) if codec == "gb18030" else text.encode(codec)
