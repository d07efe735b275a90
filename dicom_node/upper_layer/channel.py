"""What the main process and the receiving ones say to each other, over a pair of sockets.

A message is its kind, a head in JSON, and a body. When one end dies, however it dies, the other sees the end of file.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

_HEAD = struct.Struct("<c?II")
_AT_ONCE = 64 << 10
_DESCRIPTORS = 16


class Kind(Enum):
    """From the receiving process: READY, ASKED, DURABLE, CLOSED, ENDED, LOGGED. To it: the others."""

    READY = b"H"
    #: An association request, with its connection: number, address, then the PDU.
    ASKED = b"A"
    #: Records are durable: their places, then the meta of each.
    DURABLE = b"D"
    #: Nothing more will be announced of a segment.
    CLOSED = b"Z"
    #: An association is over: number.
    ENDED = b"E"
    #: Whether all that was announced so far is in the archive; answered by FILED with the same number.
    FENCE = b"W"
    FILED = b"w"
    #: The answer to CROWDED, with its number: who was hung up on has been told of by ENDED before.
    YIELDED = b"Y"
    #: A line for the log: level, from, message.
    LOGGED = b"L"
    #: An association to be served, with its connection: number, whose it is, and what is to be sent.
    ACCEPTED = b"C"
    #: Answers to ASKED: number, and what is to be sent; HANDED_OVER when somebody else serves the connection.
    REJECTED = b"R"
    HANDED_OVER = b"T"
    #: A segment may be used again.
    FREED = b"F"
    #: Whether the archive is away: a full journal then stays full.
    STALLED = b"S"
    #: A caller finds no place: hang up on whoever lags most, of one address or of all.
    CROWDED = b"X"
    #: Accept no more, and end within so many seconds.
    STOP = b"Q"


#: What came with a connection comes without one where no descriptor was free for it: the connection is lost.
Message = tuple[Kind, dict[str, Any], bytes, socket.socket | None]


class Channel:
    """One end; several threads may send, one receives.

    It is a stream, read in large pieces: whoever sends must not wait until the other end's thread has its turn for each
    message, which in a busy interpreter comes 5 ms apart. Descriptors arrive in the order of the messages that carry them.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = threading.Lock()
        self._received = bytearray()
        self._connections: deque[socket.socket | None] = deque()

    def send(self, kind: Kind, head: Mapping[str, Any], body: bytes = b"", connection: socket.socket | None = None) -> None:
        """Send a message; OSError when the other end is gone."""
        plain = json.dumps(head).encode()
        message = _HEAD.pack(kind.value, connection is not None, len(plain), len(body)) + plain + body
        with self._sending:
            if connection is not None:
                sent = socket.send_fds(self._end, [message], [connection.fileno()])
                message = message[sent:]
            self._end.sendall(message)

    def receive(self) -> Iterator[Message]:
        """Yield the messages until the other end is gone."""
        while True:
            try:
                piece, descriptors, flags, _ = socket.recv_fds(self._end, _AT_ONCE, _DESCRIPTORS)
            except OSError:
                return
            if not piece:
                return
            self._connections.extend(socket.socket(fileno=descriptor) for descriptor in descriptors)
            if flags & socket.MSG_CTRUNC:  # its place is kept: the connections that follow are other messages'
                self._connections.append(None)
            self._received += piece
            yield from self._whole()

    def _whole(self) -> Iterator[Message]:
        """Yield the messages that are there in whole."""
        begin = 0
        while len(self._received) - begin >= _HEAD.size:
            kind, carries, head_bytes, body_bytes = _HEAD.unpack_from(self._received, begin)
            body_at = begin + _HEAD.size + head_bytes
            if len(self._received) < body_at + body_bytes:
                break
            head = json.loads(self._received[begin + _HEAD.size : body_at])
            body = bytes(self._received[body_at : body_at + body_bytes])
            begin = body_at + body_bytes
            yield Kind(kind), head, body, self._connections.popleft() if carries else None
        del self._received[:begin]

    def close(self) -> None:
        """Let the other end know that nobody listens any more."""
        with self._sending:
            with suppress(OSError):
                self._end.shutdown(socket.SHUT_RDWR)
            self._end.close()
