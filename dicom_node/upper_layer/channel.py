"""What the main process and the receiving ones say to each other: a pair of sockets that keep messages whole.

A message is one byte that says its kind, and a body. When one end dies, however it dies, the other sees the end of file.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Mapping
from enum import Enum
from typing import Any

#: Larger than the longest association request we read, and its answer.
_LARGEST = 192 << 10


class Kind(Enum):
    """From the receiving process: READY, ASKED, DURABLE, CLOSED, ENDED, LOGGED. To it: the others."""

    READY = b"H"
    #: An association request, with its connection: number, address, then the PDU.
    ASKED = b"A"
    #: A record is durable: its place, digest and meta.
    DURABLE = b"D"
    #: Nothing more will be announced of a segment.
    CLOSED = b"Z"
    #: An association is over: number.
    ENDED = b"E"
    #: Whether all that was announced so far is in the archive; answered by FILED with the same number.
    FENCE = b"W"
    FILED = b"w"
    #: A line for the log: level, from, message.
    LOGGED = b"L"
    #: Answers to ASKED: number, and what is to be sent; HANDED_OVER when somebody else serves the connection.
    ACCEPTED = b"C"
    REJECTED = b"R"
    HANDED_OVER = b"T"
    #: A segment may be used again.
    FREED = b"F"
    #: Accept no more, and end within so many seconds.
    STOP = b"Q"


class Channel:
    """One end; several threads may send, one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = threading.Lock()

    def send(self, kind: Kind, head: Mapping[str, Any], body: bytes = b"", connection: socket.socket | None = None) -> None:
        """Send a message; OSError when the other end is gone."""
        plain = json.dumps(head).encode()
        message = kind.value + struct.pack("<I", len(plain)) + plain + body
        with self._sending:
            if connection is None:
                self._end.sendall(message)
            else:
                socket.send_fds(self._end, [message], [connection.fileno()])

    def receive(self) -> tuple[Kind, dict[str, Any], bytes, socket.socket | None] | None:
        """Return the next message, or None when the other end is gone."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._end, _LARGEST, 1)
        except OSError:
            return None
        connection = socket.socket(fileno=descriptors[0]) if descriptors else None
        if not message:
            return None
        (length,) = struct.unpack_from("<I", message, 1)
        return Kind(message[:1]), json.loads(message[5 : 5 + length]), message[5 + length :], connection

    def close(self) -> None:
        """Let the other end know that nobody listens any more."""
        with self._sending:
            try:
                self._end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self._end.close()
