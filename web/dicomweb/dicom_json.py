"""A stored data set as the DICOM JSON Model (PS3.18 Annex F), names right whatever their character set says.

The work walks a stranger's file to its depth: run `metadata_of` and `bulk_value_of` by `Confinement.run`.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dicom_node.archive.charset import charsets_of, decode, person_name
from dicom_node.imaging.elements import FileSource, open_data_set, top_level
from dicom_node.imaging.layout import PIXEL_KEYWORDS
from telemed.kernel.errors import Invalid, NotFound

#: Binary values up to this many bytes stand in the answer itself; longer ones are fetched by their own address.
INLINE_BYTES = 512
#: Look-up tables (LUT Data, palettes) stand in the answer however long: without them no client draws the image right.
_TABLES = frozenset({"00283006", "00281201", "00281202", "00281203", "00281221", "00281222", "00281223"})
_TABLE_BYTES = 2 << 16
MAXIMUM_DEPTH = 64

_TEXT = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_SINGLE = frozenset({"LT", "ST", "UT", "UR"})
_ASCII = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI", "UR"})
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
#: What is swapped as a whole where the file is big endian (PS3.5 section 7.3).
_WORD_BYTES = {"OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2}
_INTEGERS = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
_NUMBERS = _INTEGERS | {"DS", "FD", "FL"}
_FORMATS = {"FL": "f", "FD": "d", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")

Element = dict[str, Any]


@dataclass(frozen=True)
class _Place:
    """Where in the data set the walk is: the path of bulk addresses, the character sets in force, the depth."""

    bulk: str
    charsets: tuple[str, ...]
    depth: int


def metadata_of(paths: Sequence[Path], bulk: str) -> list[bytes | None]:
    """Return each file's metadata as JSON text, None for one that cannot be read.

    *bulk* stands before the path of each BulkDataURI: ``{bulk}7FE00010``, ``{bulk}54000100/0/54001010``.
    """
    return [_metadata(path, bulk) for path in paths]


def _metadata(path: Path, bulk: str) -> bytes | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stranger's file is described as it is, not commented
            data_set = dcmread(path, stop_before_pixels=True)
            found = _encoded(data_set, _Place(bulk, (), 0))
        syntax = str(data_set.file_meta.get("TransferSyntaxUID", ""))
        found["00083002"] = {"vr": "UI", "Value": [syntax]}
        found["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
        found.update(_pixels(path, bulk))
        return json.dumps(dict(sorted(found.items())), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
            "utf-8", "replace"
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever one file provokes must not hide the series' other images
        return None


def _pixels(path: Path, bulk: str) -> dict[str, Element]:
    with FileSource(path) as file:
        _, source, offset, encoding = open_data_set(file)
        for element in top_level(source, offset, encoding):
            if element.tag in PIXEL_KEYWORDS:
                vr = {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(element.tag) or (element.vr.decode("ascii", "replace") or "OW")
                return {f"{element.tag:08X}": {"vr": vr, "BulkDataURI": f"{bulk}{element.tag:08X}"}}
    return {}


def _encoded(data_set: Dataset, place: _Place) -> dict[str, Element]:
    if place.depth > MAXIMUM_DEPTH:
        raise Invalid(f"the data set nests sequences deeper than {MAXIMUM_DEPTH} levels", code="unreadable")
    stated = _raw(data_set, BaseTag(0x00080005))
    charsets = charsets_of(stated) if stated is not None else place.charsets
    place = _Place(place.bulk, charsets, place.depth)
    return {f"{int(tag):08X}": element for tag, element in _elements(data_set, place)}


def _raw(data_set: Dataset, tag: BaseTag) -> bytes | None:
    if tag not in data_set:
        return None
    value = data_set.get_item(tag).value
    if isinstance(value, bytes):
        return value
    # pydicom reads this one element itself; put it back as it stood.
    return "\\".join([value] if isinstance(value, str) else [str(one) for one in value or []]).encode("ascii", "replace")


def _elements(data_set: Dataset, place: _Place) -> Iterator[tuple[BaseTag, Element]]:
    for tag in list(data_set.keys()):
        if tag.group in (0x0002, 0xFFFC) or tag.element == 0:
            continue
        item = data_set.get_item(tag)
        vr = _vr_of(item, tag)
        raw = item.value if isinstance(item, RawDataElement) else None
        address = f"{place.bulk}{int(tag):08X}"
        if vr == "SQ":
            yield tag, _sequence(data_set[tag], address, place)
        elif isinstance(raw, bytes) and (vr in _TEXT or vr == "PN"):
            yield tag, _text(raw, vr, place.charsets)
        elif vr in _BINARY:
            yield tag, _binary(_little(item, vr), vr, address)
        elif isinstance(raw, bytes) and (vr in _ASCII or vr in _NUMBERS):
            values = _split(raw, vr, little=item.is_little_endian) if isinstance(item, RawDataElement) else []
            yield tag, _listing(vr, values)
        else:
            yield tag, _plain(data_set, tag, address)


def _vr_of(item: DataElement | RawDataElement, tag: BaseTag) -> str:
    vr = item.VR
    if vr in (None, "UN") and tag.is_private_creator:
        return "LO"
    if vr is None or (vr == "UN" and not tag.is_private):
        try:
            vr = dictionary_VR(tag)
        except KeyError:
            vr = "UN"
    if vr == "UN" and item.value is not None and not isinstance(item.value, bytes):
        return "SQ"  # of undefined length, which pydicom has already read
    return str(vr)


def _split(raw: bytes, vr: str, *, little: bool) -> list[Any]:
    """Part a value into its values, by the encoding of its VR (PS3.5 section 6.2); much quicker than pydicom's way."""
    if vr in _FORMATS:
        form = _FORMATS[vr]
        size = struct.calcsize(f"<{form}")
        count = len(raw) // size
        return [_value(one, vr) for one in struct.unpack(f"{'<' if little else '>'}{count}{form}", raw[: count * size])]
    text = raw.decode("ascii", "replace").rstrip("\0 ")
    pieces = [text] if vr == "UR" else text.split("\\")
    return [_value(one.strip(" \0"), vr) for one in pieces]


def _listing(vr: str, values: list[Any]) -> Element:
    return {"vr": vr, "Value": values} if any(one is not None for one in values) else {"vr": vr}


def _sequence(element: DataElement, bulk: str, place: _Place) -> Element:
    items = element.value or []
    values = [_encoded(item, _Place(f"{bulk}/{number}/", place.charsets, place.depth + 1)) for number, item in enumerate(items)]
    return {"vr": "SQ", "Value": values} if values else {"vr": "SQ"}


def _text(raw: bytes, vr: str, charsets: tuple[str, ...]) -> Element:
    if vr == "PN":
        name = person_name(raw, charsets)
        groups = dict(zip(_GROUPS, (name.alphabetic, name.ideographic, name.phonetic), strict=True))
        value = {group: text for group, text in groups.items() if text}
        return {"vr": vr, "Value": [value]} if value else {"vr": vr}
    text = decode(raw, charsets).value
    values = [text.rstrip()] if vr in _SINGLE else [one.strip(" ") for one in text.split("\\")]
    return {"vr": vr, "Value": [one or None for one in values]} if any(values) else {"vr": vr}


def _little(item: DataElement | RawDataElement, vr: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return a binary value in little endian (PS3.18 Annex F.2.7), whatever the file is in."""
    value, size = item.value, _WORD_BYTES.get(vr, 1)
    if isinstance(item, RawDataElement) and not item.is_little_endian and isinstance(value, bytes) and size > 1:
        whole = len(value) // size * size
        return np.frombuffer(value[:whole], f"u{size}").byteswap().tobytes() + value[whole:]
    return value


def _binary(value: Any, vr: str, address: str) -> Element:  # noqa: ANN401 - whatever the file holds
    if not isinstance(value, bytes | bytearray) or not value:
        return {"vr": vr}
    if len(value) > (_TABLE_BYTES if address[-8:] in _TABLES else INLINE_BYTES):
        return {"vr": vr, "BulkDataURI": address}
    return {"vr": vr, "InlineBinary": base64.b64encode(value).decode("ascii")}


def _plain(data_set: Dataset, tag: BaseTag, address: str) -> Element:
    """Encode what pydicom has read already, or what it must: where the VR depends on other elements (PS3.5 Annex A.1)."""
    vr = str(data_set.get_item(tag).VR or "UN")[:2]
    try:
        element = data_set[tag]
    except (ValueError, TypeError, NotImplementedError, AttributeError, ArithmeticError):
        return {"vr": vr}  # a number that is none: the element was there, its value says nothing
    vr, value = str(element.VR)[:2], element.value
    if vr in _BINARY or isinstance(value, bytes):
        return _binary(value, "OW" if vr not in _BINARY else vr, address)
    return _listing(vr, [_value(one, vr) for one in _listed(value, vr)])


def _listed(value: Any, vr: str) -> list[Any]:  # noqa: ANN401 - whatever pydicom made of it
    if value is None or value == "":
        return []
    if vr in _SINGLE or isinstance(value, str | bytes | int | float):
        return [value]
    return list(value) if hasattr(value, "__iter__") else [value]


def _value(value: Any, vr: str) -> Any:  # noqa: ANN401 - JSON's own types
    if value is None or value == "":
        return None
    if vr == "AT":
        return f"{int(value):08X}"
    if vr in _ASCII | _TEXT:
        return str(value).strip(" \0")
    if vr == "PN":
        return {"Alphabetic": str(value)}
    try:
        number = int(value) if vr in _INTEGERS else float(value)
    except (TypeError, ValueError, OverflowError):
        return None  # an IS of "1A": a client that takes the element for a number would lose the whole answer
    # Annex F.2.5: what is not finite has no place in JSON numbers.
    return number if math.isfinite(number) else str(number)


def bulk_value_of(path: Path, steps: Sequence[int]) -> bytes:
    """Return the bytes of one element: *steps* alternate tag and item number, as in the path of its BulkDataURI.

    Raises
    ------
    NotFound
        when there is no such binary element.
    """
    *items, last = steps
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = dcmread(path, stop_before_pixels=True)
        for tag, number in zip(items[::2], items[1::2], strict=True):
            sequence = data_set[tag].value if tag in data_set and data_set[tag].VR == "SQ" else []
            if number >= len(sequence):
                raise NotFound("this object has no such bulk data", code="bulk-data")
            data_set = sequence[number]
        item = data_set.get_item(last) if last in data_set else None
        value = None if item is None else _little(item, _vr_of(item, BaseTag(last)))
    if not isinstance(value, bytes):
        raise NotFound("this object has no such bulk data", code="bulk-data")
    return value
