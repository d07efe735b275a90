"""Documents carried in DICOM: Encapsulated PDF, CDA and their kin (PS3.3 C.24.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dicom_node.imaging.elements import UNDEFINED, Element, FileSource, open_data_set, top_level
from telemed.kernel.errors import Invalid, NotFound

MAXIMUM_DOCUMENT_BYTES = 256 << 20
_DOCUMENT, _MEDIA_TYPE, _LENGTH = 0x00420011, 0x00420012, 0x00420015
#: What the sender's label may say; anything else is answered as plain bytes, so that a browser never runs it.
MEDIA_TYPES = frozenset({"application/pdf", "text/xml", "model/stl", "model/obj", "model/mtl"})


@dataclass(frozen=True)
class Document:
    """The bytes as they were encapsulated, without padding when the object says their length."""

    data: bytes
    media_type: str


def document_of(path: Path) -> Document:
    """Return the document in the file at *path*; NotFound when there is none."""
    found: dict[int, Element] = {}
    with FileSource(path) as file:
        _, source, offset, encoding = open_data_set(file)
        for element in top_level(source, offset, encoding):
            if element.tag > _LENGTH:
                break
            found[element.tag] = element
        element = found.get(_DOCUMENT, Element(0, b"", 0, UNDEFINED))
        if element.length == UNDEFINED:
            raise NotFound("this object carries no document", code="no-document")
        if element.length > MAXIMUM_DOCUMENT_BYTES:
            raise Invalid(f"the document is larger than {MAXIMUM_DOCUMENT_BYTES >> 20} MiB; it is not opened", code="too-large")
        data = source.at(element.offset, element.length)
        label, exact = found.get(_MEDIA_TYPE), found.get(_LENGTH)
        media_type = source.at(label.offset, min(label.length, 64)).decode("ascii", "replace").strip("\0 ") if label else ""
        if exact is not None and exact.length == 4:
            length = int.from_bytes(source.at(exact.offset, 4), "big" if encoding.big else "little")
            data = data[:length] if len(data) - 1 <= length <= len(data) else data
    return Document(data, media_type if media_type in MEDIA_TYPES else "application/octet-stream")
