"""The data phase of one association: P-DATA-TF from the socket into memory that a direct write starts from.

No byte is read before the length that announces it is checked, and nothing may take for ever: a PDU has its deadline,
a whole object too, and silence between objects another.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dicom_node.upper_layer.messages import (
    ABORT,
    ABORTED,
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_STORE_RQ,
    COMMAND,
    LAST,
    P_DATA_TF,
    RELEASE_RP,
    RELEASE_RQ,
    Command,
    Malformed,
    parse_command,
    response,
)
from dicom_node.upper_layer.parcel import Parcel

#: We advertise 1 MiB; senders that ignore it are borne up to here.
MAX_PDU = 16 << 20
MAX_COMMAND = 64 << 10
#: A thin uplink brings 1 MiB in a minute.
SECONDS_PER_PDU = 120.0
#: Within a message a peer may be silent for so long, and longer by what it has brought: a sender of single bytes is cut off.
SECONDS_OF_SILENCE = 25.0
BYTES_PER_SECOND = 4096
#: 4 GiB in this time is 600 KB/s: slower lines send no such objects.
SECONDS_PER_OBJECT = 2 * 3600.0
SECONDS_IDLE = 60.0
#: How often a thread that waits looks at its deadline, and counts what came: a peer that keeps pace never seems to lag by as much
#: as makes one give way (`reception`).
_LOOK_UP_S = 1

_PDU_HEAD, _PDV_HEAD = 6, 6


@dataclass(frozen=True)
class Accepted:
    """What was agreed for an association: whose it is, its source, and the transfer syntax of each context."""

    institution: str
    source: str
    contexts: Mapping[int, str]


#: Keeps one received object; returns status and comment of its C-STORE-RSP.
Keep = Callable[[Parcel, Command, str], tuple[int, str]]


class Receiving:
    """Serves one accepted association to its end; *parcel* takes the bytes of each object, *keep* makes it durable.

    *before_release* is called between the peer's release and our answer to it.
    """

    def __init__(
        self,
        connection: socket.socket,
        accepted: Accepted,
        parcel: Parcel,
        keep: Keep,
        before_release: Callable[[], None],
        *,
        maximum_object_bytes: int,
    ) -> None:
        self._connection = connection
        self._accepted = accepted
        self._parcel = parcel
        self._keep = keep
        self._before_release = before_release
        self._maximum = maximum_object_bytes
        #: The head of a PDU and that of an item in it; _ahead tells how many of these bytes have been read.
        self._head = memoryview(bytearray(_PDU_HEAD + _PDV_HEAD))
        self._ahead = 0
        self._allowed = self._deadline = self._latest = 0.0
        self._object_deadline = 0.0
        self._command = b""
        self._storing: tuple[int, Command] | None = None

    @property
    def lag_s(self) -> float:
        """How many seconds the peer is behind the pace that is asked of it; silence between messages counts in full."""
        return time.monotonic() + self._allowed - self._deadline

    def _allow(self, seconds: float, latest: float) -> None:
        """Expect the next bytes within *seconds*, and what they begin within *latest*."""
        now = time.monotonic()
        self._allowed, self._deadline, self._latest = seconds, now + seconds, now + latest

    def run(self) -> None:
        """Serve until the peer releases, aborts or leaves.

        Raises
        ------
        Malformed
            when the peer breaks the protocol or a bound; it has been told by an A-ABORT.
        OSError
            when the connection or the time ended.
        """
        self._connection.setblocking(True)  # noqa: FBT003 - the socket's own signature
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _LOOK_UP_S, 0))
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(SECONDS_PER_PDU), 0))
        try:
            while self._pdu():
                pass
        except Malformed:
            self._send(ABORTED)
            raise

    def _pdu(self) -> bool:
        """Take one PDU; tell whether another may follow."""
        in_message = self._storing is not None or bool(self._command)
        silence = SECONDS_OF_SILENCE if in_message else SECONDS_IDLE
        self._allow(silence, silence)
        if not self._fill(_PDU_HEAD):
            return False
        self._allow(SECONDS_OF_SILENCE, SECONDS_PER_PDU)
        kind, length = self._head[0], int.from_bytes(self._head[2:6], "big")
        if kind == RELEASE_RQ:
            self._before_release()
            self._send(RELEASE_RP)
            return False
        if kind == ABORT:
            return False
        if kind != P_DATA_TF or not _PDV_HEAD <= length <= MAX_PDU:
            raise Malformed(f"a PDU of type {kind:#x} and {length} bytes")
        left = length
        while left:
            if left < _PDV_HEAD:
                raise Malformed("a P-DATA-TF that ends within an item")
            if not self._fill(_PDU_HEAD + _PDV_HEAD):
                return False
            content = int.from_bytes(self._head[6:10], "big") - 2
            context, control = self._head[10], self._head[11]
            left -= _PDV_HEAD
            if not 0 <= content <= left:
                raise Malformed("an item longer than its P-DATA-TF")
            if context not in self._accepted.contexts:
                raise Malformed("a presentation context that was not agreed")
            left -= content
            self._pdv(context, control, content, ends_pdu=left == 0)
        return True

    def _pdv(self, context: int, control: int, content: int, *, ends_pdu: bool) -> None:
        if control & COMMAND:
            if self._storing is not None or len(self._command) + content > MAX_COMMAND:
                raise Malformed("a command within a data set, or longer than any")
            self._command += self._exactly(content, reads_ahead=ends_pdu)
            if not ends_pdu:
                self._ahead = _PDU_HEAD  # the PDU's own head stays; the item's is used up
            if control & LAST:
                command, self._command = parse_command(self._command), b""
                self._answer(context, command)
            return
        if self._storing is None or self._storing[0] != context:
            raise Malformed("a data set that no command announced")
        self._data(content, reads_ahead=ends_pdu and not control & LAST)
        if not ends_pdu:
            self._ahead = _PDU_HEAD
        if control & LAST:
            _, command = self._storing
            self._storing = None
            status, comment = self._keep(self._parcel, command, self._accepted.contexts[context])
            self._send(response(context, command, status, comment))

    def _answer(self, context: int, command: Command) -> None:
        if command.field == C_ECHO_RQ:
            self._send(response(context, command, 0))
        elif command.field == C_STORE_RQ:
            self._storing = context, command
            self._object_deadline = time.monotonic() + SECONDS_PER_OBJECT
            self._parcel.begin(command, self._accepted.contexts[context])
        elif command.field != C_CANCEL_RQ:
            raise Malformed(f"a command {command.field:#06x}, which was not agreed")

    def _data(self, count: int, *, reads_ahead: bool) -> None:
        """Read *count* bytes into the parcel, and with the last of them the head of the next PDU, which must follow."""
        if self._parcel.size + count > self._maximum:
            raise Malformed(f"an object of more than {self._maximum} bytes")
        self._latest = min(self._latest, self._object_deadline)
        self._ahead = 0
        while count:
            room = self._parcel.room(count)
            while room:
                taken = self._into(room, socket.MSG_WAITALL, reads_ahead=reads_ahead and len(room) == count)
                self._parcel.advance(taken)
                count -= taken
                room = room[taken:]

    def _fill(self, count: int) -> bool:
        """Read at least *count* bytes of the head; False when the peer has left between two messages.

        No PDU that another may follow is shorter than the whole head.
        """
        while self._ahead < count:
            done = self._receive([self._head[self._ahead :]])
            if not done:
                if self._ahead == 0 and self._storing is None:
                    return False
                raise ConnectionResetError("the peer left within a message")
            self._ahead += done
        return True

    def _exactly(self, count: int, *, reads_ahead: bool) -> bytes:
        """Read *count* bytes, and with the last of them the head of the next PDU if it is there."""
        received = bytearray(count)
        rest = memoryview(received)
        self._ahead = 0
        while rest:
            rest = rest[self._into(rest, reads_ahead=reads_ahead) :]
        return bytes(received)

    def _into(self, room: memoryview, how: int = 0, *, reads_ahead: bool) -> int:
        """Read into *room*, and beyond it into the head if it *reads_ahead*; return how many bytes of *room* that filled."""
        done = self._receive([room, self._head] if reads_ahead else [room], how)
        if not done:
            raise ConnectionResetError("the peer left within a message")
        taken = min(done, len(room))
        self._ahead = done - taken
        return taken

    def _receive(self, into: list[memoryview], how: int = 0) -> int:
        """Read what there is, at least a byte, before the deadline; 0 when the peer has left.

        The socket blocks, and gives up after _LOOK_UP_S by itself: a timeout of Python's would cost two calls more each time.
        With MSG_WAITALL for *how* it waits for all that *into* takes, and gives up with what has come: the thread sleeps on
        while the pieces of a PDU arrive.
        """
        while True:
            if time.monotonic() > self._deadline:
                raise Malformed("a PDU that did not arrive in time")
            try:
                done = self._connection.recvmsg_into(into, 0, how)[0]
            except BlockingIOError:
                continue
            self._deadline = min(self._deadline + done / BYTES_PER_SECOND, self._latest)
            # Asked for again each time: Linux forgets it, and a sender with Nagle on stalls 40 ms without.
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            return done

    def _send(self, pdu: bytes) -> None:
        self._connection.sendall(pdu)
