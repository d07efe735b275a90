"""The few PDUs and command sets of the data phase, as bytes (PS3.8 9.3, PS3.7 6.3 and 9.3)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

ASSOCIATE_RQ, P_DATA_TF, RELEASE_RQ, ABORT = 0x01, 0x04, 0x05, 0x07
#: Bits of a message control header, PS3.8 E.2.
COMMAND, LAST = 0x01, 0x02

RELEASE_RP = b"\x06\0\0\0\0\4\0\0\0\0"
#: By the service provider, reason not specified (PS3.8 9.3.8).
ABORTED = b"\x07\0\0\0\0\4\0\0\2\0"

C_STORE_RQ, C_FIND_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0020, 0x0030, 0x0FFF
_RESPONSE = 0x8000
_DATA_SET, _NO_DATA_SET = 0x0001, 0x0101
_MAX_COMMENT = 64  # VR LO of (0000,0902), default character repertoire
_MAX_UID = 66
#: Length, context and control header of an item.
_ITEM_HEAD = 6


class Malformed(Exception):
    """The peer broke the protocol: the association is over."""


@dataclass(frozen=True)
class Command:
    """A request: its field, its raw Message ID, and the Affected UIDs as they came, to be echoed.

    The Message ID of a C-CANCEL is that of the request which is to end.
    """

    field: int
    message_id: bytes
    sop_class_uid: bytes
    sop_instance_uid: bytes


def parse_command(raw: bytes) -> Command:
    """Read a command set, always implicit VR little endian (PS3.7 6.3.1), or raise Malformed."""
    values: dict[int, bytes] = {}
    position = 0
    while position + 8 <= len(raw):
        group, element, length = struct.unpack_from("<HHI", raw, position)
        position += 8
        if group != 0 or length > len(raw) - position:
            raise Malformed("a command set with an element that does not fit")
        values[element] = raw[position : position + length]
        position += length
    if position != len(raw):
        raise Malformed("a command set that ends within an element")
    field = _short(values, 0x0100)
    message_id = _two(values, 0x0120 if field == C_CANCEL_RQ else 0x0110)
    return Command(field, message_id, _uid(values, 0x0002), _uid(values, 0x1000))


def _two(values: Mapping[int, bytes], element: int) -> bytes:
    value = values.get(element, b"")
    if len(value) != 2:
        raise Malformed(f"a command set without a usable (0000,{element:04X})")
    return value


def _short(values: Mapping[int, bytes], element: int) -> int:
    return int.from_bytes(_two(values, element), "little")


def _uid(values: Mapping[int, bytes], element: int) -> bytes:
    value = values.get(element, b"")
    if len(value) > _MAX_UID:
        raise Malformed(f"a command set whose (0000,{element:04X}) is no UID")
    return value


def response(context: int, to: Command, status: int, comment: str = "") -> bytes:
    """Return the whole P-DATA-TF that answers *to*; the comment is cut to what an Error Comment holds."""
    return p_data(context, answer_to(to, status, comment))


def answer_to(to: Command, status: int, comment: str = "", *, with_data: bool = False) -> bytes:
    """Return the command set that answers *to*, and says whether a data set follows it."""
    elements = _element(0x0002, to.sop_class_uid) if to.sop_class_uid else b""
    elements += _element(0x0100, struct.pack("<H", to.field | _RESPONSE)) + _element(0x0120, to.message_id)
    elements += _element(0x0800, struct.pack("<H", _DATA_SET if with_data else _NO_DATA_SET))
    elements += _element(0x0900, struct.pack("<H", status))
    if comment:
        elements += _element(0x0902, comment.encode("ascii", "replace")[:_MAX_COMMENT])
    if to.sop_instance_uid:
        elements += _element(0x1000, to.sop_instance_uid)
    return _element(0x0000, struct.pack("<I", len(elements))) + elements


def p_data(context: int, command: bytes, data_set: bytes = b"", most: int = 0) -> bytes:
    """Return a message as P-DATA-TF: one PDU that holds both (PS3.8 9.3.5), or several where the peer takes *most* bytes of each.

    *most* is the Maximum Length the peer has named, 0 where it named none.
    """
    items = [(COMMAND | LAST, command), *([(LAST, data_set)] if data_set else [])]
    if not most or sum(len(content) + _ITEM_HEAD for _, content in items) <= most:
        return _pdu(b"".join(_item(context, control, content) for control, content in items))
    size = max(most - _ITEM_HEAD, 1)
    return b"".join(
        _pdu(_item(context, control if at + size >= len(content) else control & ~LAST, content[at : at + size]))
        for control, content in items
        for at in range(0, len(content), size)
    )


def _item(context: int, control: int, content: bytes) -> bytes:
    return struct.pack(">IBB", len(content) + 2, context, control) + content


def _pdu(items: bytes) -> bytes:
    return struct.pack(">BBI", P_DATA_TF, 0, len(items)) + items


def _element(number: int, value: bytes) -> bytes:
    if len(value) % 2:
        value += b" " if number == 0x0902 else b"\0"
    return struct.pack("<HHI", 0, number, len(value)) + value
