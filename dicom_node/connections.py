"""The sockets under pynetdicom, guarded: no PDU is read before its length is, and none may take for ever.

pynetdicom 3.0 reads whatever length a stranger announces, in pieces of 4096 bytes, with no deadline of its own. Its
`AssociationSocket` and `RequestHandler` are meant to be replaced. Its two threads for each association look for work every
millisecond, so that a request waits three times on its way: here each is woken by what comes, and sleeps until then.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pynetdicom import association, transport
from pynetdicom.fsm import StateMachine

log = logging.getLogger(__name__)

#: An A-ASSOCIATE-RQ of 128 contexts with 38 syntaxes each is below 400 KB.
MAX_PDU_BEFORE_ACCEPTANCE = 1 << 20
#: We advertise 1 MiB; senders that ignore it are borne up to here.
MAX_PDU = 16 << 20
SECONDS_BEFORE_ACCEPTANCE = 30.0
#: A thin uplink brings 1 MiB in a minute; a sender of single bytes is cut off.
SECONDS_PER_PDU = 120.0
#: How long a thread sleeps before it looks after its timers.
_SECONDS_ASLEEP = 0.02


class ClosingSocket(transport.AssociationSocket):
    """A connection that is closed at its end, also when the peer has already reset it: pynetdicom's own is then left open."""

    def _shutdown_socket(self) -> None:
        connection = self.socket  # another thread may end it meanwhile, and forget it
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class GuardedSocket(ClosingSocket):
    """A connection whose PDUs and objects are bounded in bytes, and in time."""

    maximum_object_bytes = 4 << 30

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - handed through to pynetdicom
        super().__init__(*arguments, **named)
        self._bytes_of_object = 0
        self._unread = b""
        self._bell, self._ringing = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC), threading.Lock()
        if self.socket is not None:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def ready(self) -> bool:
        """Whether something can be read; where nothing can, wait a moment for that, or for something to send."""
        if self._unread:
            return True
        # Only while data are transferred (PS3.8 9.2, Sta6): at its end pynetdicom closes what is not ready at once.
        if self.assoc.dul.state_machine.current_state == "Sta6" and self.socket is not None and not self._has_buffered():
            waiting = select.poll()
            with suppress(OSError, ValueError):  # closed meanwhile: what follows says so
                waiting.register(self._bell, select.POLLIN)
                waiting.register(self.socket, select.POLLIN)
                if any(bell == self._bell for bell, _ in waiting.poll(_SECONDS_ASLEEP * 1000)):
                    os.eventfd_read(self._bell)
                    if self.assoc.dul._process_recv_primitive():  # noqa: SLF001 - else it sleeps before it looks there
                        return False  # it takes one event at a time
        return bool(super().ready)

    def _has_buffered(self) -> bool:
        """Whether TLS has decrypted what nobody has read: no poll would tell."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def ring(self) -> None:
        """Wake the thread that waits in `ready`: there is something to send."""
        with self._ringing:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def unread(self, received: bytes) -> None:
        """Let *received*, which somebody else read from the connection, be read here first."""
        self._unread = received

    def message_ended(self) -> None:
        """Begin to count anew: a whole DIMSE message has been received."""
        self._bytes_of_object = 0

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly *nr_bytes*, fewer only when the peer ends the connection.

        Raises
        ------
        OSError
            when the announced length, the object or the time exceeds its bound; the peer has been hung up on.
        """
        accepted = self.assoc.is_established
        self._bytes_of_object += nr_bytes
        if nr_bytes > (MAX_PDU if accepted else MAX_PDU_BEFORE_ACCEPTANCE):
            raise self._hung_up(f"a PDU of {nr_bytes} bytes was announced")
        if self._bytes_of_object > self.maximum_object_bytes:
            raise self._hung_up(f"an object of more than {self.maximum_object_bytes} bytes was sent")
        deadline = time.monotonic() + (SECONDS_PER_PDU if accepted else SECONDS_BEFORE_ACCEPTANCE)
        received = bytearray(nr_bytes)
        before, self._unread = self._unread[:nr_bytes], self._unread[nr_bytes:]
        received[: len(before)] = before
        view, count = memoryview(received), len(before)
        while count < nr_bytes:
            count += (some := self._some(view[count:], deadline))
            if not some:
                self._gone()
                break
        view.release()
        del received[count:]
        return received

    def _hung_up(self, why: str) -> OSError:
        """End the connection where the peer sees it: pynetdicom only notes that it is over."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
        self._gone()
        return OSError(why)

    def _shutdown_socket(self) -> None:
        super()._shutdown_socket()
        with self._ringing:
            if self._bell >= 0:
                os.close(self._bell)
                self._bell = -1

    def _gone(self) -> None:
        """Wake an acceptor that still waits for an A-ASSOCIATE-RQ: pynetdicom would hold its place until the time is up."""
        if not self.assoc.is_established:
            waiting: Any = self.assoc.dul.to_user_queue
            waiting.put(None)  # what the wait returns when its time is up

    def _some(self, view: memoryview, deadline: float) -> int:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._hung_up("a PDU did not arrive in time")
        if self.socket is None:
            raise OSError("the connection was closed meanwhile")
        self.socket.settimeout(left)
        some = self.socket.recv_into(view)
        if hasattr(socket, "TCP_QUICKACK"):  # Linux forgets it after each ACK: a sender with Nagle on stalls 40 ms without
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return some


class GuardedStates(StateMachine):
    """The state machine of PS3.8 9.2: what pynetdicom's has no answer for ends the association, not its thread."""

    def do_action(self, event: str) -> None:
        """Do what *event* asks for in this state."""
        try:
            super().do_action(event)
        except Exception as error:  # noqa: BLE001 - a PDU before its time, an answer to somebody who is gone: whatever it was
            log.warning("an association was ended: %s", error)
            self.dul.assoc.is_aborted, self.dul.assoc.is_established = True, False
            self.dul.assoc._kill = True  # noqa: SLF001 - as pynetdicom's reactor does when it fails itself
            self.dul.kill_dul()
            if self.dul.socket is not None:
                self.dul.socket.close()


class Halt(threading.Event):
    """Where an association's thread halts while another sends on it.

    pynetdicom's passes one that comes just as it looks, and takes the answer that the other waits for, or answers after its
    release. Here it looks again once it has said that it goes on.
    """

    def __init__(self, halted: association.Association) -> None:
        super().__init__()
        self._halted = halted
        self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Return when nobody sends; whoever begins to from now on waits until the next halt."""
        while super().wait(timeout):
            self._halted._is_paused = False  # noqa: SLF001 - what whoever sends waits for
            if self.is_set():
                return True
            self._halted._is_paused = True  # noqa: SLF001
        return False


def guard(created: association.Association) -> None:
    """Let *created* neither pass a halt nor die of what it has no answer for."""
    created._reactor_checkpoint = Halt(created)  # noqa: SLF001 - pynetdicom has no other way in
    created.dul.state_machine = GuardedStates(created.dul)


class _Announced(queue.Queue[Any]):
    """A queue that says when something is put into it."""

    def __init__(self, announce: Callable[[], None]) -> None:
        super().__init__()
        self._announce = announce

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ANN401, FBT001, FBT002 - queue.Queue's
        """Put *item*, and announce it."""
        super().put(item, block, timeout)
        self._announce()


class _Awaited(queue.Queue[Any]):
    """A queue in which whoever looks waits a moment: pynetdicom looks in, sleeps, and looks in again."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ANN401, FBT001, FBT002 - queue.Queue's
        """Return the next item; Empty when none comes for a moment, or for *timeout* where that was asked for."""
        return super().get(timeout=timeout if block else _SECONDS_ASLEEP)


class GuardedHandler(transport.RequestHandler):
    """Puts a GuardedSocket under every association that comes in."""

    def _create_association(self) -> association.Association:
        read = self.server.requests.pop(self.request, b"") if isinstance(self.server, NodeServer) else b""
        created = super()._create_association()
        created.dul.event_queue.get_nowait()  # the replaced socket's "connected": ours says it again
        guarded = GuardedSocket(created, client_socket=self.request)
        if isinstance(self.server, NodeServer):
            guarded.maximum_object_bytes = self.server.maximum_object_bytes
            guarded.unread(read)
        created.dul.socket = guarded
        guard(created)
        messages = created.dimse.msg_queue = _Awaited()
        created.dul.to_provider_queue = _Announced(guarded.ring)
        # A release or an abort is looked for after each message: an empty one makes it look at once.
        created.dul.to_user_queue = _Announced(lambda: messages.put((None, None)))
        return created


class NodeServer(transport.ThreadedAssociationServer):
    """The listening socket; a waiting line long enough for a county's devices after a power cut.

    It accepts nothing itself: the upper layer does, and hands over what is for pynetdicom.
    """

    request_queue_size = 128
    daemon_threads = True
    maximum_object_bytes = GuardedSocket.maximum_object_bytes

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - handed through to pynetdicom
        super().__init__(*arguments, **named)
        self.requests: dict[socket.socket, bytes] = {}

    def take(self, connection: socket.socket, _address: str, request: bytes) -> None:
        """Serve *connection*, from which *request* has been read already."""
        try:
            address = connection.getpeername()
        except OSError:  # the peer did not wait
            connection.close()
            return
        self.requests[connection] = request
        try:
            self.process_request(connection, address)
        except BaseException:  # no thread can be begun
            del self.requests[connection]
            connection.close()
            raise

    def close(self) -> None:
        """Listen no more."""
        self.server_close()
        self.ae._servers.remove(self)  # noqa: SLF001 - as its own shutdown does, which waits for a loop we never ran
