"""The main process's side of the hot path: it starts the receiving processes, answers them, and files what they keep."""

from __future__ import annotations

import fcntl
import itertools
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dicom_node.access import Access, Reject
from dicom_node.archive.archive import Archive
from dicom_node.archive.arrivals import Tally
from dicom_node.archive.filing import Filing
from dicom_node.archive.journal import JournalReader, Place
from dicom_node.services.exchange import Caller
from dicom_node.upper_layer.channel import Channel, Kind
from dicom_node.upper_layer.messages import ABORTED, Malformed
from dicom_node.upper_layer.negotiation import Negotiation, Proposal, rejection
from dicom_node.upper_layer.questions import Questions
from telemed.kernel.errors import TelemedError, Unavailable

log = logging.getLogger(__name__)

_SECONDS_TO_BEGIN = 30
_SECONDS_FOR_THE_FORMER = 15
_BEFORE_ANOTHER_S = 1.0
#: How many objects may be acknowledged and not filed for a sender's release still to wait until they are.
_LONG_LINE = 16
_SECONDS_TO_YIELD = 1.0

#: Takes a connection, its peer's address, and the request that was read from it already.
HandOver = Callable[[socket.socket, str, bytes], None]


@dataclass(frozen=True)
class Limits:
    """How much the hot path takes: processes, associations in all and of one address, bytes of an object and of the journal."""

    processes: int = 1
    associations: int = 128
    associations_per_address: int = 96
    object_bytes: int = 4 << 30
    segment_bytes: int = 64 << 20
    segments: int = 8


@dataclass
class _Receiver:
    name: str
    process: subprocess.Popen[bytes]
    channel: Channel
    tally: Tally
    #: How many of the objects that *tally* counts it has announced.
    announced: int = 0
    ready: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    #: The addresses of its associations, by number.
    addresses: dict[int, str] = field(default_factory=dict)


class Processes:
    """The receiving processes before *archive*; *folder* holds the journal, on the file system of the archive's blobs."""

    def __init__(
        self,
        archive: Archive,
        access: Access,
        folder: Path,
        *,
        limits: Limits,
        negotiation: Negotiation,
        questions: Questions,
        hand_over: HandOver,
    ) -> None:
        self._archive = archive
        self._access = access
        self._folder = folder
        self._limits = limits
        self._hand_over = hand_over
        self._negotiation = negotiation
        self._questions = questions
        self._journal = JournalReader(folder)
        self._filing = Filing(archive, self._journal, stalled=self._tell_stalled)
        self._receivers: dict[str, _Receiver] = {}
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._is_stalled = False
        self._listener: socket.socket | None = None
        self._numbers = itertools.count(1)
        self._admitted: dict[tuple[str, str, str], str] = {}
        self._asked: dict[int, threading.Event] = {}

    def start(self, listener: socket.socket) -> None:
        """File what a former run left in the journal, then begin to accept from *listener*.

        What cannot be filed now, because the disk is full, say, is filed as soon as it can be.

        Raises
        ------
        Unavailable
            when a former run still writes to the journal, or the processes do not start.
        """
        self._stopping.clear()
        self._listener = listener
        self._await_the_former()
        self._filing.take_over()
        try:
            count = self._filing.replay()
        except (Unavailable, OSError) as error:
            log.warning("what was acknowledged before the last end is filed later: %s", error)
            self._filing.stall()
        else:
            if count:
                log.info("filed from the journal: %d objects that were acknowledged before the last end", count)
        self._filing.start()
        self._answering = ThreadPoolExecutor(4, thread_name_prefix="negotiation")
        begun = [self._begin(f"receiver-{number}") for number in range(self._limits.processes)]
        for receiver in begun:
            threading.Thread(target=self._attend, args=(receiver,), name=receiver.name, daemon=True).start()
        deadline = time.monotonic() + _SECONDS_TO_BEGIN
        for receiver in begun:
            if not receiver.ready.wait(max(deadline - time.monotonic(), 0)):
                self.stop(0)
                raise Unavailable("the processes that receive DICOM objects did not start", code="port")

    def stop(self, seconds: float) -> None:
        """Accept no more, let associations end within *seconds*, and file what they brought."""
        self._stopping.set()
        with self._changing:
            receivers = list(self._receivers.values())
        for receiver in receivers:
            with suppress(OSError):
                receiver.channel.send(Kind.STOP, {"seconds": seconds})
        deadline = time.monotonic() + seconds + 5
        for receiver in receivers:
            if not receiver.ended.wait(max(deadline - time.monotonic(), 0)):
                receiver.process.kill()
                receiver.ended.wait(5)
        self._answering.shutdown(wait=False, cancel_futures=True)
        if self._filing.stop():
            for segment in self._journal.segments():
                self._journal.remove(segment)
        self._journal.close()

    @property
    def associations(self) -> int:
        """How many associations the receiving processes serve."""
        with self._changing:
            return sum(len(receiver.addresses) for receiver in self._receivers.values())

    def _await_the_former(self) -> None:
        """Wait until no process of a former run can write to the journal any more."""
        deadline = time.monotonic() + _SECONDS_FOR_THE_FORMER
        lock = os.open(self._folder / "lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    if time.monotonic() > deadline:
                        raise Unavailable(
                            "processes of a former run still write to the journal: end them first", code="journal"
                        ) from None
                    time.sleep(0.05)
                else:
                    return
        finally:
            os.close(lock)

    def _begin(self, name: str) -> _Receiver:
        assert self._listener is not None
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        tally = Tally()
        settings = {
            "folder": str(self._folder.absolute()),
            "name": name,
            "listener": self._listener.fileno(),
            "channel": theirs.fileno(),
            "tally": tally.descriptor,
            "maximum_object_bytes": self._limits.object_bytes,
            "segment_bytes": self._limits.segment_bytes,
            "segments": self._limits.segments,
        }
        command = [sys.executable, "-m", "dicom_node.upper_layer.reception", json.dumps(settings)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
        inherited = (self._listener.fileno(), theirs.fileno(), tally.descriptor)
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, pass_fds=inherited, stdin=subprocess.DEVNULL, env=environment
            )
        self._archive.arrivals.follow(tally)
        receiver = _Receiver(name, process, Channel(ours), tally)
        with self._changing:
            self._receivers[name] = receiver
        return receiver

    def _attend(self, receiver: _Receiver | None) -> None:
        """Serve *receiver*, and the one that takes its place, until we stop."""
        while receiver is not None:
            try:
                self._listen_to(receiver)
            except Exception:  # it would be heard no more, and accept for ever what nobody answers
                log.exception("%s is ended: what it said could not be dealt with", receiver.name)
                receiver.process.kill()
            receiver = self._after(receiver)

    def _listen_to(self, receiver: _Receiver) -> None:
        for kind, head, body, connection in receiver.channel.receive():
            if kind is Kind.DURABLE:
                self._announced(receiver, head["at"], memoryview(body))
            elif kind is Kind.CLOSED:
                self._filing.announce_closed(head["segment"], partial(self._freed, receiver, head["segment"]))
            elif kind is Kind.ASKED:
                self._answering.submit(self._answer, receiver, head, body, connection)
            elif kind is Kind.ENDED:
                with self._changing:
                    receiver.addresses.pop(head["number"], None)
            elif kind is Kind.FENCE:
                self._fence(receiver, head["number"])
            elif kind is Kind.YIELDED:
                self._yielded(head["number"])
            elif kind is Kind.LOGGED:
                logging.getLogger(head["from"]).log(head["level"], "%s: %s", receiver.name, head["message"])
            elif kind is Kind.READY:
                self._begun(receiver)

    def _announced(self, receiver: _Receiver, places: list[list[Any]], metas: memoryview) -> None:
        for place in itertools.starmap(Place, places):
            self._filing.announce(place, bytes(metas[: place.meta_bytes]))
            metas = metas[place.meta_bytes :]
        receiver.announced += len(places)

    def _begun(self, receiver: _Receiver) -> None:
        with suppress(OSError):
            receiver.channel.send(Kind.STALLED, {"stalled": self._is_stalled})
        receiver.ready.set()

    def _after(self, receiver: _Receiver) -> _Receiver | None:
        """Return another in place of one that died, None when we stop: what it had made durable and not announced is filed first.

        Where none can begin, because there is no memory or no descriptor, it begins as soon as it can.
        """
        receiver.process.wait()
        receiver.channel.close()
        with self._changing:
            self._receivers.pop(receiver.name, None)
        if not self._stopping.is_set():
            log.error("%s ended (%s); its journal is filed and another begins", receiver.name, receiver.process.returncode)
            self._file_left(receiver.name)
        self._archive.arrivals.ended(receiver.tally, receiver.announced)
        another = None
        while another is None and not self._stopping.wait(_BEFORE_ANOTHER_S):
            try:
                another = self._begin(receiver.name)
            except OSError as error:
                log.error("another %s cannot begin yet: %s", receiver.name, error)  # noqa: TRY400 - said in one sentence
        receiver.ended.set()
        return another

    def _file_left(self, name: str) -> None:
        """Have the segments filed that the receiver called *name* left, and wait until they are."""
        # By their names: a folder is not listed without a free descriptor.
        segments = (f"{name}.{number}.segment" for number in range(self._limits.segments))
        left = [segment for segment in segments if (self._journal.folder / segment).exists()]
        freed = [threading.Event() for _ in left]
        for segment, event in zip(left, freed, strict=True):
            self._filing.announce_closed(segment, event.set, refile=True)
        for event in freed:
            while not event.wait(_BEFORE_ANOTHER_S) and not self._stopping.is_set():
                pass

    def _tell_stalled(self, stalled: bool) -> None:  # noqa: FBT001 - it is the news itself
        with self._changing:
            self._is_stalled = stalled
            receivers = list(self._receivers.values())
        for receiver in receivers:
            with suppress(OSError):
                receiver.channel.send(Kind.STALLED, {"stalled": stalled})

    def _fence(self, receiver: _Receiver, number: int) -> None:
        told = partial(self._tell_filed, receiver, number)
        if self._archive.arrivals.pending > _LONG_LINE:
            told()
        else:
            self._filing.fence(told)

    def _tell_filed(self, receiver: _Receiver, number: int) -> None:
        with suppress(OSError):
            receiver.channel.send(Kind.FILED, {"number": number})

    def _freed(self, receiver: _Receiver, segment: str) -> None:
        with suppress(OSError):
            receiver.channel.send(Kind.FREED, {"segment": segment})

    def _answer(self, receiver: _Receiver, head: dict[str, Any], request: bytes, connection: socket.socket | None) -> None:
        if connection is None:
            log.warning("a connection from %s was sent away: no descriptor is free for it", head["address"])
            self._reject(receiver, head["number"])
            return
        try:
            self._decide(receiver, head["number"], head["address"], request, connection)
        except OSError:
            log.info("%s ended while it asked", receiver.name)
        except Exception:
            log.exception("an association request could not be answered")
            self._reject(receiver, head["number"])

    def _reject(self, receiver: _Receiver, number: int) -> None:
        with suppress(OSError):
            receiver.channel.send(Kind.REJECTED, {"number": number}, rejection(Reject.TEMPORARILY_CONGESTED))

    def _decide(self, receiver: _Receiver, number: int, address: str, request: bytes, connection: socket.socket) -> None:
        try:
            proposal = self._negotiation.read(request)
        except Malformed as error:
            log.warning("a connection from %s was ended: %s", address, error)
            connection.close()
            receiver.channel.send(Kind.REJECTED, {"number": number}, ABORTED)
            return
        if proposal is None:
            self._hand_over(connection, address, request)
            receiver.channel.send(Kind.HANDED_OVER, {"number": number})
            return
        admitted = self._admit(proposal.calling_aet, proposal.called_aet, address)
        if not isinstance(admitted, Reject):
            if self._is_served(connection, address, proposal, admitted):
                receiver.channel.send(Kind.HANDED_OVER, {"number": number})
                return
            admitted = Reject.TEMPORARILY_CONGESTED
            log.warning("%r from %s was sent away: there are as many associations as may be", proposal.calling_aet, address)
        connection.close()
        receiver.channel.send(Kind.REJECTED, {"number": number}, rejection(admitted))

    def _is_served(self, connection: socket.socket, address: str, proposal: Proposal, institution: str) -> bool:
        """Give *connection* to who serves it; False when there are too many already."""
        if proposal.asks:
            return self._questions.take(connection, Caller(proposal.calling_aet, address, institution), proposal)
        head = {"institution": institution, "source": proposal.calling_aet, "contexts": proposal.contexts}
        placed = self._place(connection, address, head, proposal.acceptance)
        if not placed:
            self._ask_for_a_place(address)
            placed = self._place(connection, address, head, proposal.acceptance)
        if placed:
            connection.close()
        return placed

    def _place(self, connection: socket.socket, address: str, head: dict[str, Any], acceptance: bytes) -> bool:
        """Give an association to the receiver that serves the fewest, whoever accepted it; False when there are too many."""
        with self._changing:
            counts = self._counts()
            if counts.total() >= self._limits.associations or counts[address] >= self._limits.associations_per_address:
                return False
            receiver = min(self._receivers.values(), key=lambda one: len(one.addresses))
            number = next(self._numbers)
            receiver.addresses[number] = address
        try:
            receiver.channel.send(Kind.ACCEPTED, {"number": number, **head}, acceptance, connection)
        except OSError:
            with self._changing:
                receiver.addresses.pop(number, None)
            return False
        return True

    def _admit(self, calling: str, called: str, address: str) -> str | Reject:
        """Ask who calls; while the database is away, what it said last still holds."""
        key = calling, called, address
        try:
            admitted = self._access.admit(calling, called, address)
        except TelemedError as error:
            log.warning("who calls cannot be looked up: %s", error.sentence)
            return self._admitted.get(key, Reject.TEMPORARILY_CONGESTED)
        if isinstance(admitted, Reject):
            self._admitted.pop(key, None)
        else:
            self._admitted[key] = admitted
        return admitted

    def _ask_for_a_place(self, address: str) -> None:
        """Let whoever lags most give way: of *address* if it has all of its places, of any address if all are taken."""
        with self._changing:
            whose = address if self._counts()[address] >= self._limits.associations_per_address else ""
            asked = [(next(self._numbers), threading.Event(), receiver) for receiver in self._receivers.values()]
        for number, answered, receiver in asked:
            self._asked[number] = answered
            with suppress(OSError):
                receiver.channel.send(Kind.CROWDED, {"number": number, "address": whose})
        deadline = time.monotonic() + _SECONDS_TO_YIELD
        for number, answered, _ in asked:
            answered.wait(max(deadline - time.monotonic(), 0))
            self._asked.pop(number, None)

    def _yielded(self, number: int) -> None:
        answered = self._asked.get(number)
        if answered is not None:
            answered.set()

    def _counts(self) -> Counter[str]:
        return Counter(where for one in self._receivers.values() for where in one.addresses.values())
