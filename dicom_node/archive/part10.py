"""The file format of PS3.10: the preface we write before a received data set, and the one we find in a given file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from telemed.kernel.errors import Invalid

#: Ours, derived from a UUID as PS3.5 B.2 allows; the version name tells which preface was written.
IMPLEMENTATION_CLASS_UID = "2.25.268413219301863240561246330316829716293"
IMPLEMENTATION_VERSION_NAME = "TELEMED_1"

_PREAMBLE = 128
_MARK = bytes(_PREAMBLE) + b"DICM"
_REMEMBERED = 64
_LONG_VRS = (b"OB", b"UN", b"OW", b"SQ", b"UT")
_MAX_META = 1 << 20
#: What a file without a Transfer Syntax UID most often is; the scan looks for itself whether VRs are explicit.
_UNSTATED_SYNTAX = "1.2.840.10008.1.2"
_EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass(frozen=True)
class Preface:
    """What stands before the data set of a file: its transfer syntax, and its length in bytes.

    A length of 0 says that there is none: the file is a bare data set, as old equipment and some exports write it.
    """

    transfer_syntax_uid: str
    length: int


def preface(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and File Meta Information (PS3.10 7.1).

    It depends on nothing but its arguments, so that the same data set received twice makes the same file.
    """
    before, behind = _around(sop_class_uid, transfer_syntax_uid)
    elements = before + _element(0x0003, b"UI", _uid(sop_instance_uid)) + behind
    return _MARK + _element(0x0000, b"UL", struct.pack("<I", len(elements))) + elements


@lru_cache(_REMEMBERED)
def _around(sop_class_uid: str, transfer_syntax_uid: str) -> tuple[bytes, bytes]:
    """Return the elements before and behind the instance's UID: the same for all that one device sends."""
    before = _element(0x0001, b"OB", b"\0\1") + _element(0x0002, b"UI", _uid(sop_class_uid))
    behind = (
        _element(0x0010, b"UI", _uid(transfer_syntax_uid))
        + _element(0x0012, b"UI", _uid(IMPLEMENTATION_CLASS_UID))
        + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode().ljust(len(IMPLEMENTATION_VERSION_NAME) + 1 & ~1))
    )
    return before, behind


def _uid(uid: str) -> bytes:
    raw = uid.encode("ascii")
    return raw + b"\0" * (len(raw) % 2)


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    if vr in _LONG_VRS:
        return struct.pack("<HH2sHI", 2, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value


def read_preface(data: memoryview) -> Preface:
    """Find where the data set of a Part 10 file begins.

    The group length is not believed: elements of group 0002 are walked until another group comes.

    Raises
    ------
    Invalid
        code "unreadable", with a sentence fit for whoever chose the file.
    """
    if len(data) == 0:
        raise Invalid("the file is empty", code="unreadable")
    if bytes(data[:2]) == b"\x08\x00":
        return Preface(_EXPLICIT if data[4:6].tobytes().isupper() else _UNSTATED_SYNTAX, 0)
    if bytes(data[_PREAMBLE : _PREAMBLE + 4]) != b"DICM":
        raise Invalid("this is not a DICOM file: the mark DICM is missing at byte 128", code="unreadable")
    position, syntax = _PREAMBLE + 4, _UNSTATED_SYNTAX
    while bytes(data[position : position + 2]) == b"\x02\x00":
        header = bytes(data[position : position + 12])
        if len(header) < 8:
            break
        long = header[4:6] in _LONG_VRS
        length = struct.unpack_from("<I", header, 8)[0] if long and len(header) == 12 else struct.unpack_from("<H", header, 6)[0]
        begin = position + (12 if long else 8)
        if begin + length > min(len(data), _PREAMBLE + _MAX_META):
            raise Invalid("the file is truncated or damaged in its File Meta Information", code="unreadable")
        if header[2:4] == b"\x10\x00":
            syntax = bytes(data[begin : begin + length]).decode("ascii", "replace").strip("\0 ") or _UNSTATED_SYNTAX
        position = begin + length
    return Preface(syntax[:64], position)
