"""The record: a checksum and length, then numbered sections, each with a checksum of its own (EN 1064, 5.2 to 5.3)."""

import binascii
import struct

from ecg.errors import EcgError

MAX_SECTIONS = 64
USED = (1, 2, 3, 4, 5, 6, 7, 8, 10)  # the others are the makers' own business, and covered by the record's checksum
_RECORD_HEAD, _SECTION_HEAD, _POINTER = 6, 16, 10


def crc(data: bytes) -> int:
    """Return the CRC-CCITT of *data* as SCP-ECG wants it: polynomial 1021, begun with all ones."""
    return binascii.crc_hqx(data, 0xFFFF)


def sections(name: str, data: bytes) -> dict[int, bytes]:
    """Return the contents of the sections in USED by their number, without their heads.

    `EcgError` when the record is cut off, a section lies outside of it, or a checksum is not right.
    """
    stated, length = struct.unpack_from("<HI", data)
    if length > len(data):
        raise EcgError(f"{name} is cut off: {len(data)} of {length} bytes are there; send it again.")
    data = data[:length]
    if crc(data[2:]) != stated:
        raise EcgError(f"{name} fails its checksum; it was damaged on its way: send it again.")
    pointers = _section(name, data, 0, 7, struct.unpack_from("<I", data, _RECORD_HEAD + 4)[0])
    if len(pointers) // _POINTER > MAX_SECTIONS:
        raise EcgError(f"{name} announces {len(pointers) // _POINTER} sections; at most {MAX_SECTIONS} are read.")
    found = {}
    for at in range(0, len(pointers) - _POINTER + 1, _POINTER):
        number, size, index = struct.unpack_from("<HII", pointers, at)
        if size and number in USED and number not in found:
            found[number] = _section(name, data, number, index, size)
    return found


def _section(name: str, data: bytes, number: int, index: int, size: int) -> bytes:
    """Return the content of one section; *index* counts bytes from 1."""
    whole = data[index - 1 : index - 1 + size]
    if index < 1 or size < _SECTION_HEAD or len(whole) < size:
        raise EcgError(f"{name} says its section {number} has {size} bytes at {index}, outside of the file; send it again.")
    stated, owner = struct.unpack_from("<HH", whole)
    if owner != number:
        raise EcgError(f"{name} has section {owner} where section {number} should be; send it again.")
    if crc(whole[2:]) != stated:
        raise EcgError(f"{name} fails the checksum of its section {number}; it was damaged on its way: send it again.")
    return whole[_SECTION_HEAD:]
