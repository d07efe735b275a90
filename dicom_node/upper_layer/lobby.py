"""Connections that have not asked for anything yet: they wait in one thread, cheaply, and not for long.

Silent, half-open and dripping peers cost a descriptor and at most one association request each; the oldest give way
when there are too many. What a request announces is checked before any of it is read.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from dicom_node.upper_layer.messages import ABORTED, ASSOCIATE_RQ

log = logging.getLogger(__name__)

#: 128 contexts with 10 transfer syntaxes each are below 70 KB.
MAX_REQUEST = 128 << 10
SECONDS_TO_ASK = 20.0
MAX_WAITING = 512
MAX_WAITING_PER_ADDRESS = 384

#: A connection, the address of its peer, and its whole A-ASSOCIATE-RQ.
OnAsked = Callable[[socket.socket, str, bytes], None]


@dataclass
class _Guest:
    connection: socket.socket
    address: str
    deadline: float
    request: bytearray = field(default_factory=bytearray)


class Lobby:
    """Accepts from *listener* and calls *asked* with each complete request, in its own thread."""

    def __init__(self, listener: socket.socket, asked: OnAsked) -> None:
        self._listener = listener
        self._asked = asked
        self._guests: dict[int, _Guest] = {}
        self._poll = select.epoll()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Serve until `stop`, or until the listener is closed."""
        self._listener.settimeout(0)
        listening = self._listener.fileno()
        # One connection wakes one of the processes that share the listener, not all of them to find it taken.
        self._poll.register(listening, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        while not self._stopping.is_set():
            for descriptor, _ in self._poll.poll(0.2):
                if descriptor == listening:
                    if not self._accept():
                        return
                elif descriptor in self._guests:
                    self._listen_to(self._guests[descriptor])
            self._send_away_the_late()

    def stop(self) -> None:
        """Accept no more and hang up on whoever waits."""
        self._stopping.set()

    def clear(self) -> None:
        """Hang up on whoever waits; `run` has returned."""
        for guest in list(self._guests.values()):
            self._hang_up(guest)
        self._poll.close()

    def _accept(self) -> bool:
        try:
            connection, address = self._listener.accept()
        except BlockingIOError:  # another process was faster
            return True
        except OSError as error:
            if self._listener.fileno() < 0 or error.errno in (9, 22):  # EBADF, EINVAL: it was closed, here or elsewhere
                return False
            log.warning("a connection could not be accepted: %s", error)
            time.sleep(0.05)  # out of descriptors: the late ones make room
            return True
        guest = _Guest(connection, str(address[0]), time.monotonic() + SECONDS_TO_ASK)
        same = [other for other in self._guests.values() if other.address == guest.address]
        if len(same) >= MAX_WAITING_PER_ADDRESS:
            self._hang_up(same[0])
        elif len(self._guests) >= MAX_WAITING:
            self._hang_up(next(iter(self._guests.values())))
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._guests[connection.fileno()] = guest
        self._poll.register(connection, select.EPOLLIN)
        self._listen_to(guest)  # what it asks has mostly come with it
        return True

    def _listen_to(self, guest: _Guest) -> None:
        try:
            while (left := wanted(guest.request)) > 0:
                some = guest.connection.recv(left)
                if not some:
                    return self._hang_up(guest)
                guest.request += some
        except BlockingIOError:
            return None
        except OSError:
            return self._hang_up(guest)
        except ValueError as error:
            log.warning("a connection from %s was ended: %s", guest.address, error)
            with suppress(OSError):
                guest.connection.send(ABORTED)
            return self._hang_up(guest)
        self._forget(guest)
        guest.connection.settimeout(None)
        return self._asked(guest.connection, guest.address, bytes(guest.request))

    def _send_away_the_late(self) -> None:
        now = time.monotonic()
        for guest in [guest for guest in self._guests.values() if guest.deadline < now]:
            self._hang_up(guest)

    def _forget(self, guest: _Guest) -> None:
        self._poll.unregister(guest.connection)
        del self._guests[guest.connection.fileno()]

    def _hang_up(self, guest: _Guest) -> None:
        self._forget(guest)
        guest.connection.close()


def wanted(request: bytearray) -> int:
    """Return how many bytes of an A-ASSOCIATE-RQ are still to come; ValueError when it cannot become one."""
    if request and request[0] != ASSOCIATE_RQ:
        raise ValueError(f"a PDU of type {request[0]:#x} came before any association")
    if len(request) < 6:
        return 6 - len(request)
    length = int.from_bytes(request[2:6], "big")
    if length > MAX_REQUEST:
        raise ValueError(f"an association request of {length} bytes was announced")
    return 6 + length - len(request)
