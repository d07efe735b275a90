"""The identifier of a query (PS3.4 C.4): its keys as text, read in whatever character set it states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from dicom_node.archive.charset import charsets_of, decode
from dicom_node.archive.scan import scan
from dicom_node.services.encoding import UTF_8
from telemed.kernel.errors import Invalid

#: 2,000 UIDs are below 130 KB.
MAXIMUM_BYTES = 1 << 20
MAXIMUM_KEYS = 256
#: What is so short is remembered.
_SHORT = 4096

_NOT_KEYS = frozenset({"SpecificCharacterSet", "QueryRetrieveLevel", "TimezoneOffsetFromUTC"})


@dataclass(frozen=True)
class Keys:
    """What is asked for: each keyword with its matching key as text, and each sequence with the keys of its one item.

    *unknown* counts the keys that no dictionary has. *charset* is the Specific Character Set to answer in.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    sequences: Mapping[str, Keys] = field(default_factory=dict)
    level: str = ""
    charset: str = UTF_8
    unknown: int = 0


def read_keys(data: BytesIO, syntax: UID) -> Keys:
    """Read an encoded identifier.

    Raises
    ------
    Invalid
        code "identifier" when it is too long, nested too deeply or no data set.
    """
    raw = data.getvalue()
    return _read_once(raw, syntax) if len(raw) <= _SHORT else _read(raw, syntax)


def _read(raw: bytes, syntax: UID) -> Keys:
    return _keys(read_small(BytesIO(raw), syntax), ())


#: A modality asks for the same worklist every few seconds.
_read_once = lru_cache(maxsize=256)(_read)


def read_small(data: BytesIO, syntax: UID, *, most: int = MAXIMUM_BYTES) -> Dataset:
    """Read a data set that a request carries: at most *most* bytes, and never trusted; Invalid when it cannot be read."""
    if data.getbuffer().nbytes > most:
        raise Invalid(f"the data set is longer than {most} bytes", code="identifier")
    if syntax.is_deflated:
        raise Invalid("a deflated data set is not taken here", code="identifier")
    with data.getbuffer() as received:
        scan(received, str(syntax), frozenset())  # pydicom takes a truncated key for an empty one, which matches everything
    data.seek(0)
    try:
        return read_dataset(data, syntax.is_implicit_VR, syntax.is_little_endian)
    except (RecursionError, ValueError, TypeError, OSError, EOFError, KeyError, NotImplementedError, AttributeError) as error:
        raise Invalid(f"the data set cannot be read: {type(error).__name__}", code="identifier") from None


def _keys(data_set: Dataset, charsets: tuple[str, ...]) -> Keys:
    stated = raw_value(data_set, 0x00080005)
    charsets = charsets_of(stated) if stated else charsets
    texts: dict[str, str] = {}
    sequences: dict[str, Keys] = {}
    unknown = 0
    if len(data_set) > MAXIMUM_KEYS:
        raise Invalid(f"an identifier may have at most {MAXIMUM_KEYS} keys", code="identifier")
    for tag in sorted(tag for tag in data_set.keys() if tag.element):  # noqa: SIM118 - a data set is iterated by element; element 0 is a group length
        keyword = "" if tag.is_private else keyword_for_tag(tag)
        if not keyword:
            unknown += 1
        elif dictionary_VR(tag) == "SQ":
            items = _items(data_set, tag)
            sequences[keyword] = _keys(items[0], charsets) if items else Keys()
        elif keyword not in _NOT_KEYS:
            texts[keyword] = text_of(data_set, tag, charsets)
    return Keys(texts, sequences, text_of(data_set, 0x00080052, ()).upper(), _answered_in(charsets), unknown)


def text_of(data_set: Dataset, tag: int, charsets: tuple[str, ...]) -> str:
    """Return an element's value as text, its values parted by backslashes; empty when it is absent."""
    element = data_set.get_item(Tag(tag), keep_deferred=True)
    if element is None:
        return ""
    if isinstance(element, RawDataElement):
        raw = element.value or b""
        vr = dictionary_VR(tag) if keyword_for_tag(tag) else "UN"
        if vr in {"US", "SS", "UL", "SL"}:
            size = 2 if vr in {"US", "SS"} else 4
            order = "little" if element.is_little_endian else "big"
            return str(int.from_bytes(raw[:size], order, signed=vr in {"SS", "SL"})) if len(raw) >= size else ""
        return decode(raw, charsets).value
    return str(element.value or "")


def raw_value(data_set: Dataset, tag: int) -> bytes:
    """Return the bytes of an element as they came; empty when it is absent."""
    element = data_set.get_item(Tag(tag), keep_deferred=True)
    value = None if element is None else element.value
    return value if isinstance(value, bytes) else str(value or "").encode("ascii", "replace")


def _items(data_set: Dataset, tag: int) -> list[Dataset]:
    try:
        value = data_set[tag].value
    except (RecursionError, ValueError, TypeError, OSError, EOFError, KeyError, NotImplementedError, AttributeError) as error:
        raise Invalid(f"a sequence of the data set cannot be read: {type(error).__name__}", code="identifier") from None
    return list(value) if value else []


def items_of(data_set: Dataset, keyword_tag: int) -> Iterator[Dataset]:
    """Yield the items of a sequence; none when it is absent."""
    if keyword_tag in data_set:
        yield from _items(data_set, keyword_tag)


def _answered_in(charsets: tuple[str, ...]) -> str:
    """Return what to answer in: UTF-8, but GB18030 or GBK to those who speak that."""
    return next((charset for charset in charsets if charset in ("GB18030", "GBK")), UTF_8)
