"""A storage SCU on a bare socket (PS3.7, PS3.8): it sends what no toolkit would, and reads the answer."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"

ASSOCIATE_RQ, ASSOCIATE_AC, P_DATA, RELEASE_RQ, ABORT = 0x01, 0x02, 0x04, 0x05, 0x07
COMMAND, LAST = 0x01, 0x02


@dataclass(frozen=True)
class Answer:
    """The status of a response, and its Error Comment."""

    status: int
    comment: str


def pdu(kind: int, content: bytes, length: int | None = None) -> bytes:
    """Return a PDU (PS3.8 9.3); *length* lies about it."""
    return struct.pack(">BBI", kind, 0, len(content) if length is None else length) + content


def pdv(content: bytes, control: int, length: int | None = None) -> bytes:
    """Return a presentation data value item in context 1 (PS3.8 9.3.5.1); *length* lies about it."""
    return struct.pack(">IBB", len(content) + 2 if length is None else length, 1, control) + content


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def associate_rq(called: str, calling: str, sop_class: str, syntax: str) -> bytes:
    """Return the content of an A-ASSOCIATE-RQ that proposes one context (PS3.8 9.3.2)."""
    context = b"\1\0\0\0" + _item(0x30, sop_class.encode()) + _item(0x40, syntax.encode())
    user = _item(0x51, struct.pack(">I", 1 << 16)) + _item(0x52, b"1.2.826.0.1.3680043.8.1055.1")
    items = _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, context) + _item(0x50, user)
    return struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32) + items


def _element(number: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHI", 0, number, len(value)) + value


def _command(sop_class: str, sop_instance: str | None, field: int) -> bytes:
    elements = _element(0x0002, sop_class.encode()) + _element(0x0100, struct.pack("<H", field))
    elements += _element(0x0110, b"\1\0")
    if sop_instance is not None:
        elements += _element(0x0700, b"\0\0")
    elements += _element(0x0800, struct.pack("<H", 0x0101 if sop_instance is None else 1))
    if sop_instance is not None:
        elements += _element(0x1000, sop_instance.encode())
    return _element(0x0000, struct.pack("<I", len(elements))) + elements


def find_rq(sop_class: str) -> bytes:
    """Return the command set of a C-FIND-RQ."""
    elements = _element(0x0002, sop_class.encode()) + _element(0x0100, b"\x20\0") + _element(0x0110, b"\1\0")
    elements += _element(0x0700, b"\0\0") + _element(0x0800, b"\1\0")
    return _element(0x0000, struct.pack("<I", len(elements))) + elements


def store_rq(sop_class: str, sop_instance: str) -> bytes:
    """Return the command set of a C-STORE-RQ."""
    return _command(sop_class, sop_instance, 0x0001)


class RawAssociation:
    """An open association with one presentation context."""

    def __init__(
        self,
        port: int,
        *,
        sop_class: str = CT_IMAGE,
        syntax: str = EXPLICIT,
        calling: str = "LIANHUA",
        called: str = "TELEMED",
        address: str = "127.0.0.1",
    ) -> None:
        self._sop_class = sop_class
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(address, 0))
        self.socket.sendall(pdu(ASSOCIATE_RQ, associate_rq(called, calling, sop_class, syntax)))
        kind, _ = self.receive()
        if kind != ASSOCIATE_AC:
            self.socket.close()
            raise AssertionError(f"the association was not accepted (PDU type {kind})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def receive(self) -> tuple[int, bytes]:
        """Return the next PDU's type and content; type 0 when the other end has hung up."""
        try:
            head = self._exactly(6)
            kind, length = struct.unpack(">BxI", head)
            return kind, self._exactly(length)
        except (EOFError, ConnectionResetError):
            return 0, b""

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            some = self.socket.recv(count - len(received))
            if not some:
                raise EOFError
            received += some
        return received

    def store(self, data: bytes, sop_instance: str = "1.2.3") -> Answer:
        """Send *data* as the data set of a C-STORE-RQ and return what is answered."""
        return self.stream((data[at : at + 60_000] for at in range(0, len(data), 60_000)), sop_instance)

    def stream(self, pieces: Iterable[bytes], sop_instance: str) -> Answer:
        """Send a data set in *pieces*, each a PDU of its own and none of them kept."""
        self.socket.sendall(pdu(P_DATA, pdv(store_rq(self._sop_class, sop_instance), COMMAND | LAST)))
        for piece in pieces:
            self.socket.sendall(pdu(P_DATA, pdv(piece, 0)))
        self.socket.sendall(pdu(P_DATA, pdv(b"", LAST)))
        return self._answer()

    def echo(self) -> Answer:
        """Send a C-ECHO-RQ and return what is answered."""
        self.socket.sendall(pdu(P_DATA, pdv(_command(VERIFICATION, None, 0x0030), COMMAND | LAST)))
        return self._answer()

    def find(self, identifier: bytes) -> int:
        """Send a C-FIND-RQ with *identifier* and return how many matches came."""
        self.socket.sendall(pdu(P_DATA, pdv(find_rq(self._sop_class), COMMAND | LAST) + pdv(identifier, LAST)))
        matches = 0
        while True:
            kind, content = self.receive()
            assert kind == P_DATA, f"instead of a response came a PDU of type {kind}"
            while content:
                length, control = struct.unpack_from(">IxB", content)
                if control & COMMAND:
                    status = _answer_in(content[6 : 4 + length]).status
                    if status not in (0xFF00, 0xFF01):
                        assert status == 0, f"the query failed with {status:#06x}"
                        return matches
                    matches += 1
                content = content[4 + length :]

    def release(self) -> None:
        """End the association in order."""
        self.socket.sendall(pdu(RELEASE_RQ, bytes(4)))
        self.receive()

    def _answer(self) -> Answer:
        kind, content = self.receive()
        assert kind == P_DATA, f"instead of a response came a PDU of type {kind}"
        return _answer_in(content[6:])


def _answer_in(command: bytes) -> Answer:
    at, values = 0, {}
    while at < len(command):
        _, number, length = struct.unpack_from("<HHI", command, at)
        values[number] = command[at + 8 : at + 8 + length]
        at += 8 + length
    return Answer(struct.unpack("<H", values[0x0900])[0], values.get(0x0902, b"").decode("ascii").strip(" \0"))


def is_answering(port: int) -> bool:
    """Tell whether a C-ECHO on a new association is answered with Success."""
    with RawAssociation(port, sop_class=VERIFICATION, syntax=IMPLICIT) as association:
        return association.echo().status == 0
