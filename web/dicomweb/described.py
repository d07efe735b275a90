"""Objects that come as DICOM JSON metadata and bulk data (PS3.18 sections 8.7.3.5 and 10.5.1), put together as files.

The first part of the request describes the instances, the others are their bulk data: each is found by its Content-Location,
which is the BulkDataURI that names it. Several with the same one are the frames of compressed pixel data, in their order.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID
from pydicom.valuerep import DSfloat

from dicom_node.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.imaging.elements import EXPLICIT_LITTLE
from telemed.kernel.errors import Invalid
from web.dicomweb.accept import parsed
from web.dicomweb.multipart import Event, PartBegun, PartData, PartEnded

#: All of a request is in memory before its instances are put together; larger ones come as files.
MAXIMUM_BYTES, MAXIMUM_METADATA_BYTES = 256 << 20, 8 << 20
_AVAILABLE_SYNTAX = 0x00083002  # said of what is answered, no attribute of an instance


@dataclass(frozen=True)
class Identifiers:
    """What an object says it is; empty where it does not."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""


@dataclass(frozen=True)
class Described:
    """One instance as a request describes it: its JSON, and the addresses of its bulk data."""

    said: Identifiers
    metadata: bytes
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Bulk:
    """The bulk data of one address: the transfer syntax it is in (empty when uncompressed), and its parts."""

    transfer_syntax_uid: str
    parts: tuple[bytes, ...]


async def received(events: AsyncIterator[Event]) -> tuple[bytes, dict[str, Bulk]]:
    """Read a request to its end: the metadata and, by address, the bulk data.

    Raises
    ------
    Invalid
        when it is larger than this may be.
    """
    metadata: bytes | None = None
    bulk: dict[str, Bulk] = {}
    headers: Mapping[str, str] = {}
    part, whole = bytearray(), 0
    async for event in events:
        match event:
            case PartBegun(begun):
                headers, part = begun, bytearray()
            case PartData(data):
                whole += len(data)
                part += data
                if whole > MAXIMUM_BYTES or (metadata is None and len(part) > MAXIMUM_METADATA_BYTES):
                    raise Invalid("metadata and bulk data of one request are too large; send DICOM files", code="too-large")
            case PartEnded() if metadata is None:
                metadata = bytes(part)
            case PartEnded():
                address, before = headers.get("content-location", ""), bulk.get(headers.get("content-location", ""))
                kind = next(parsed(headers.get("content-type", "")), None)
                syntax = (kind.transfer_syntax or "") if kind is not None else ""
                bulk[address] = Bulk(
                    "" if syntax == EXPLICIT_LITTLE else syntax, (*(before.parts if before else ()), bytes(part))
                )
    return metadata or b"", bulk


def described(metadata: bytes) -> list[Described]:
    """Read the metadata of a request: an array of instances. It parses a stranger's text: run it by `Confinement.run`."""
    try:
        instances = json.loads(metadata)
    except (ValueError, RecursionError) as error:
        raise Invalid("the metadata cannot be read as JSON", code="unparsable") from error
    if not isinstance(instances, list) or not all(isinstance(one, dict) for one in instances):
        raise Invalid("the metadata is an array of instances in the DICOM JSON Model", code="unparsable")
    return [Described(_said(one), json.dumps(one).encode(), tuple(_addresses(one))) for one in instances]


def _said(instance: Mapping[str, Any]) -> Identifiers:
    def uid(tag: str) -> str:
        element = instance.get(tag)
        values = element.get("Value") if isinstance(element, dict) else None
        return values[0][:64] if isinstance(values, list) and values and isinstance(values[0], str) else ""

    return Identifiers(uid("00080016"), uid("00080018"), uid("0020000D"))


def _addresses(instance: object) -> list[str]:
    found, left = [], [instance]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += one.values()
            if isinstance(one.get("BulkDataURI"), str):
                found.append(one["BulkDataURI"])
        elif isinstance(one, list):
            left += one
    return found


def assembled(metadata: bytes, bulk: Mapping[str, Bulk]) -> bytes:
    """Return the instance as a Part 10 file; run it by `Confinement.run`.

    It is written in Explicit VR Little Endian, or in the transfer syntax of its compressed bulk data, and in UTF-8.

    Raises
    ------
    Invalid
        when an element cannot be written, or names bulk data that has not come.
    """
    syntaxes = {one.transfer_syntax_uid for one in bulk.values()} - {""}
    if len(syntaxes) > 1:
        raise Invalid("its bulk data is in several transfer syntaxes", code="unreadable")

    def value_at(_tag: str, _vr: str, address: str) -> bytes:
        if address not in bulk:
            raise Invalid(f"its bulk data {address[:200]!r} is no part of the request", code="unreadable")
        found = bulk[address]
        return encapsulate(_even(found.parts)) if found.transfer_syntax_uid else b"".join(found.parts)

    data_set = Dataset.from_json(metadata.decode(), value_at)
    for tag in [tag for tag in data_set.keys() if tag.group in (0x0000, 0x0002) or tag == _AVAILABLE_SYNTAX]:  # noqa: SIM118 - see pydicom
        del data_set[tag]
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.walk(_shortened)
    if syntaxes and "PixelData" in data_set:
        data_set["PixelData"].is_undefined_length = True
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data_set.SOPClassUID, data_set.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntaxes.pop() if syntaxes else EXPLICIT_LITTLE)
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(IMPLEMENTATION_CLASS_UID), IMPLEMENTATION_VERSION_NAME
    data_set.file_meta, data_set.preamble = meta, bytes(128)
    out = io.BytesIO()
    dcmwrite(out, data_set, enforce_file_format=True)
    return out.getvalue()


def _even(parts: Sequence[bytes]) -> list[bytes]:
    return [part + b"\0" * (len(part) % 2) for part in parts]


def _shortened(_data_set: Dataset, element: DataElement) -> None:
    """Let numbers fit into the 16 characters of a DS, which JSON does not know of."""
    if element.VR == "DS":
        for one in element.value if element.VM > 1 else [element.value]:
            if isinstance(one, DSfloat):
                one.auto_format = True
