"""The connection of an association on which only questions are asked: whole messages in, answers out (PS3.8 9.3, PS3.7 6.3).

No byte is read before the length that announces it is checked, nothing may take for ever, and answers wait for their reader
in the socket, not in memory.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress

from dicom_node.services.exchange import Caller, NobodyReadsError
from dicom_node.services.identifier import MAXIMUM_BYTES
from dicom_node.upper_layer.messages import (
    ABORT,
    C_CANCEL_RQ,
    C_FIND_RQ,
    COMMAND,
    LAST,
    P_DATA_TF,
    RELEASE_RP,
    RELEASE_RQ,
    Command,
    Malformed,
    parse_command,
)
from dicom_node.upper_layer.negotiation import Proposal

#: What is longer than an identifier may be is still read, to be refused in DICOM's words, but not much more.
LONGEST = 2 * MAXIMUM_BYTES
_AT_ONCE = 64 << 10
_SECONDS_IDLE, _SECONDS_PER_MESSAGE, _SECONDS_WITHOUT_READING = 60.0, 30.0, 60.0


class Link:
    """The connection of one association: PDUs in, PDUs out."""

    def __init__(self, connection: socket.socket, caller: Caller, proposal: Proposal) -> None:
        self.caller = caller
        self.proposal = proposal
        self.leaving = False
        #: Since when the peer is waited for; None while it is being answered.
        self.silent_since: float | None = time.monotonic()
        self._connection = connection
        self._unread = bytearray()
        self._unsent = bytearray()
        self._cancelled = b""
        self._input = select.poll()
        self._input.register(connection, select.POLLIN)

    def messages(self) -> Iterator[Message]:
        """Yield each request until the peer releases, aborts or leaves."""
        while not self.leaving:
            message = self._message()
            self.silent_since, self._cancelled = None, b""
            if message is not None:
                yield message
            self.silent_since = time.monotonic()

    def cancelled(self) -> bytes:
        """Return the Message ID that the last C-CANCEL named, after a look at what has come meanwhile."""
        if not self.leaving and self._has_come() and self._message() is not None:
            raise Malformed("a request before the last one was answered")
        return self._cancelled

    def send(self, pdus: bytes, *, at_once: bool = True) -> None:
        """Send *pdus*, or put them together with those that follow; NobodyReadsError when nobody takes them."""
        self._unsent += pdus
        if at_once or len(self._unsent) >= _AT_ONCE:
            self._connection.settimeout(_SECONDS_WITHOUT_READING)
            try:
                self._connection.sendall(self._unsent)
            except TimeoutError:
                raise NobodyReadsError from None
            self._unsent.clear()

    def hang_up(self) -> None:
        """End the connection, whoever waits for what."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._connection.close()

    def _has_come(self) -> bool:
        decrypted = isinstance(self._connection, ssl.SSLSocket) and self._connection.pending() > 0
        return bool(self._unread) or decrypted or bool(self._input.poll(0))

    def _message(self) -> Message | None:
        """Read one message whole; None when it was a C-CANCEL, or the peer leaves."""
        deadline = time.monotonic() + _SECONDS_IDLE
        message = Message()
        while (pdu := self._pdu(deadline)) is not None:
            if not message.size:
                deadline = time.monotonic() + _SECONDS_PER_MESSAGE
            if not message.is_whole_with(pdu, self.proposal.contexts):
                continue
            if message.command.field != C_CANCEL_RQ:
                return message
            self._cancelled = message.command.message_id
            return None
        return None

    def _pdu(self, deadline: float) -> bytes | None:
        """Return the content of the next P-DATA-TF; None when the peer leaves instead, which it is answered."""
        if not self._read(6, deadline):
            return None
        kind, length = self._unread[0], int.from_bytes(self._unread[2:6], "big")
        if kind == RELEASE_RQ:
            self._read(len(RELEASE_RP), deadline)  # bytes left unread would take the answer with them
            self.leaving = True
            self.send(RELEASE_RP)
        elif kind == ABORT:
            self.leaving = True
        elif kind != P_DATA_TF or not 6 <= length <= LONGEST:
            raise Malformed(f"a PDU of type {kind:#x} and {length} bytes")
        if self.leaving or not self._read(6 + length, deadline):
            return None
        content = bytes(self._unread[6 : 6 + length])
        del self._unread[: 6 + length]
        return content

    def _read(self, count: int, deadline: float) -> bool:
        """Read until *count* bytes are there; False when the peer has left."""
        while len(self._unread) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Malformed("a PDU that did not arrive in time")
            self._connection.settimeout(left)
            try:
                some = self._connection.recv(_AT_ONCE)
            except TimeoutError:
                continue
            if not some:
                self.leaving = True
                return False
            self._unread += some
        return True


class Message:
    """A DIMSE message while it arrives: a command and, after it, its data set."""

    command: Command

    def __init__(self) -> None:
        self.size = 0
        self.context = 0
        self.data_set = bytearray()
        self._command = bytearray()
        self._has_command = False

    def is_whole_with(self, pdu: bytes, contexts: Container[int]) -> bool:
        """Add the content of a P-DATA-TF, whose context is one of *contexts*; tell whether nothing is missing now."""
        self.size += len(pdu)
        if self.size > LONGEST:
            raise Malformed("a question longer than any")
        for context, control, content in _items(pdu):
            if context not in contexts or context != (self.context or context):
                raise Malformed("a presentation context that was not agreed, or another within a message")
            self.context = context
            (self._command if control & COMMAND else self.data_set).extend(content)
            if control & LAST and self._ends(control):
                return True
        return False

    def _ends(self, control: int) -> bool:
        if control & COMMAND:
            self.command, self._has_command = parse_command(bytes(self._command)), True
            return self.command.field != C_FIND_RQ
        if not self._has_command:
            raise Malformed("a data set that no command announced")
        return True


def _items(pdu: bytes) -> Iterable[tuple[int, int, bytes]]:
    """Yield context, message control header and content of each item of a P-DATA-TF (PS3.8 9.3.5)."""
    at = 0
    while at < len(pdu):
        if len(pdu) - at < 6:
            raise Malformed("a P-DATA-TF that ends within an item")
        length, context, control = struct.unpack_from(">IBB", pdu, at)
        if not 2 <= length <= len(pdu) - at - 4:
            raise Malformed("an item longer than its P-DATA-TF")
        yield context, control, pdu[at + 6 : at + 4 + length]
        at += 4 + length
