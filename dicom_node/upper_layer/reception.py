"""One receiving process: it accepts connections, asks the main process about each, and keeps the objects that come.

Run as ``python -m dicom_node.upper_layer.reception SETTINGS`` with two inherited descriptors: the listening socket and
its end of the channel. It ends when the main process says so, or is gone.
"""

from __future__ import annotations

import fcntl
import gc
import itertools
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from dicom_node.archive.arrivals import Tally
from dicom_node.archive.journal import JournalWriter, Place
from dicom_node.services.status import PROCESSING_FAILURE, SUCCESS, status_of
from dicom_node.upper_layer.channel import Channel, Kind
from dicom_node.upper_layer.lobby import Lobby
from dicom_node.upper_layer.messages import ABORTED, Command, Malformed
from dicom_node.upper_layer.parcel import Parcel
from dicom_node.upper_layer.receiving import Accepted, Receiving
from telemed.kernel.clock import SystemClock
from telemed.kernel.errors import TelemedError

log = logging.getLogger(__name__)

_STACK_BYTES = 512 << 10
_SECONDS_TO_ANSWER = 30
_SECONDS_TO_FILE = 1.0
#: What becomes durable within so short a time is announced together.
_TOGETHER_S = 0.02
_LONGEST_LINE = 8000
#: Who is so far behind gives way when there are too many.
_LAG_S = 2.0


class Reception:
    """The process's objects and its associations, one thread each."""

    def __init__(self, listener: socket.socket, channel: Channel, settings: dict[str, Any]) -> None:
        self._channel = channel
        self._folder = Path(settings["folder"])
        self._maximum_object_bytes: int = settings["maximum_object_bytes"]
        self._journal = JournalWriter(
            self._folder,
            settings["name"],
            announce=self._durable,
            announce_closed=self._closed,
            segment_bytes=settings["segment_bytes"],
            segments=settings["segments"],
        )
        self._tally = Tally(settings["tally"])
        self._unannounced: list[tuple[Place, bytes]] = []
        self._noted, self._telling = threading.Condition(), threading.Lock()
        self._clock = SystemClock()
        self._lobby = Lobby(listener, self._asked)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, socket.socket] = {}
        self._serving: dict[int, socket.socket] = {}
        self._receivings: dict[int, Receiving] = {}
        self._changed = threading.Condition()
        self._parcels: list[Parcel] = []
        self._fences: dict[int, threading.Event] = {}

    def run(self) -> None:
        """Serve until told to stop."""
        threading.Thread(target=self._obey, name="channel", daemon=True).start()
        threading.Thread(target=self._announce, name="announcing", daemon=True).start()
        self._channel.send(Kind.READY, {})
        self._lobby.run()
        self._lobby.clear()
        threading.Event().wait()  # the channel's thread ends the process

    def _obey(self) -> None:
        """Do what the main process says; without it, or unable to, end: the main process begins another."""
        try:
            self._listen()
        except Exception:
            log.exception("what the main process said could not be done")
        os._exit(0)

    def _listen(self) -> None:
        for kind, head, body, connection in self._channel.receive():
            if kind is Kind.ACCEPTED and connection is not None:
                self._accepted(connection, head, body)
            elif kind is Kind.ACCEPTED:
                log.warning("the association of %s was lost: no descriptor is free for it", head["source"])
                self._tell(Kind.ENDED, {"number": head["number"]})
            elif kind is Kind.FREED:
                self._journal.freed(head["segment"])
            elif kind is Kind.FILED:
                self._filed(head["number"])
            elif kind is Kind.STALLED:
                self._journal.stall(stalled=head["stalled"])
            elif kind is Kind.CROWDED:
                self._make_room(head["address"])
                self._tell(Kind.YIELDED, {"number": head["number"]})
            elif kind is Kind.STOP:
                threading.Thread(target=self._stop, args=(head["seconds"],), name="stop", daemon=True).start()
            else:
                self._answered(kind, head, body)

    def _tell(self, kind: Kind, head: dict[str, Any], body: bytes = b"") -> None:
        """Tell the main process, unless it is gone: then we end, too, and its next start files all that is durable."""
        with suppress(OSError):
            self._channel.send(kind, head, body)

    def _durable(self, place: Place, meta: bytes) -> None:
        """Count a record at once, and announce it soon: a burst's in a few messages, which leaves the processors to receiving."""
        with self._noted:
            self._tally.add()
            self._unannounced.append((place, meta))
            self._noted.notify()

    def _closed(self, segment: str) -> None:
        self._announce_all()
        self._tell(Kind.CLOSED, {"segment": segment})

    def _announce(self) -> None:
        while True:
            with self._noted:
                self._noted.wait_for(lambda: self._unannounced)
            self._announce_all()
            time.sleep(_TOGETHER_S)

    def _announce_all(self) -> None:
        """Announce what is durable so far, before anything else that the caller tells."""
        with self._telling:
            with self._noted:
                records, self._unannounced = self._unannounced, []
            if records:
                places = [[place.segment, place.offset, place.content_bytes, place.meta_bytes] for place, _ in records]
                self._tell(Kind.DURABLE, {"at": places}, b"".join(meta for _, meta in records))

    def _asked(self, connection: socket.socket, address: str, request: bytes) -> None:
        number = next(self._numbers)
        with self._changed:
            self._waiting[number] = connection
        self._channel.send(Kind.ASKED, {"number": number, "address": address}, request, connection)

    def _accepted(self, connection: socket.socket, head: dict[str, Any], answer: bytes) -> None:
        number, contexts = head["number"], {int(context): syntax for context, syntax in head["contexts"].items()}
        with self._changed:
            self._serving[number] = connection
        accepted = Accepted(head["institution"], head["source"], contexts)
        serving = threading.Thread(
            target=self._serve, args=(number, connection, accepted, answer), name=f"association-{number}", daemon=True
        )
        try:
            serving.start()
        except RuntimeError as error:
            log.warning("the association of %s was lost: %s", accepted.source, error)
            self._end(number, connection)

    def _answered(self, kind: Kind, head: dict[str, Any], answer: bytes) -> None:
        with self._changed:
            connection = self._waiting.pop(head["number"], None)
        if connection is None:  # answered before: somebody else serves it, or could not after all
            return
        if kind is Kind.REJECTED:
            with suppress(OSError):
                connection.settimeout(1)
                connection.sendall(answer)
        connection.close()

    def _serve(self, number: int, connection: socket.socket, accepted: Accepted, answer: bytes) -> None:
        parcel: Parcel | None = None

        def keep(parcel: Parcel, _command: Command, syntax: str) -> tuple[int, str]:
            return self._keep(parcel, syntax, accepted)

        try:
            parcel = self._take_parcel()
            connection.settimeout(_SECONDS_TO_ANSWER)
            connection.sendall(answer)
            fence = partial(self._await_filing, number)
            receiving = Receiving(connection, accepted, parcel, keep, fence, maximum_object_bytes=self._maximum_object_bytes)
            with self._changed:
                self._receivings[number] = receiving
            receiving.run()
        except Malformed as error:
            log.warning("the association of %s was aborted: %s", accepted.source, error)
        except OSError as error:
            log.info("the association of %s ended: %s", accepted.source, error)
        except Exception:
            log.exception("the association of %s failed", accepted.source)
            with suppress(OSError):
                connection.sendall(ABORTED)
        finally:
            connection.close()
            if parcel is not None:
                self._give_back(parcel)
            self._end(number, connection)

    def _end(self, number: int, connection: socket.socket) -> None:
        """Give the place of an association back."""
        connection.close()
        with self._changed:
            self._serving.pop(number, None)
            self._receivings.pop(number, None)
            self._changed.notify_all()
        self._tell(Kind.ENDED, {"number": number})

    def _make_room(self, address: str) -> None:
        """Hang up on the association, of *address* or of any, that lags most; on none while all of them keep pace."""
        with self._changed:
            found = [
                (receiving.lag_s, number)
                for number, receiving in self._receivings.items()
                if address in ("", _address_of(self._serving[number]))
            ]
            lag_s, number = max(found, default=(0.0, 0))
            if lag_s < _LAG_S:
                return
            del self._receivings[number]
            with suppress(OSError):
                self._serving[number].shutdown(socket.SHUT_RDWR)
        log.warning("an association that was silent for %.0f s gave way to another", lag_s)
        self._tell(Kind.ENDED, {"number": number})

    def _await_filing(self, number: int) -> None:
        """Wait a moment until what came can be found: who has released and then asks for it is not told that it is absent.

        It is durable whatever comes; an archive that is busy or away keeps nobody longer than this, and where the line is long
        it is whoever asks that waits.
        """
        passed = self._fences[number] = threading.Event()
        self._announce_all()
        self._channel.send(Kind.FENCE, {"number": number})
        passed.wait(_SECONDS_TO_FILE)
        self._fences.pop(number, None)

    def _filed(self, number: int) -> None:
        passed = self._fences.get(number)
        if passed is not None:
            passed.set()

    def _keep(self, parcel: Parcel, syntax: str, accepted: Accepted) -> tuple[int, str]:
        """Return status and comment of the C-STORE-RSP; success only of what is durable."""
        try:
            parcel.keep(syntax, institution=accepted.institution, source=accepted.source)
        except TelemedError as error:
            log.warning("an object from %s was not stored: %s", accepted.source, error.sentence)
            return status_of(error), error.sentence
        except Exception:
            log.exception("storing an object from %s failed", accepted.source)
            return PROCESSING_FAILURE, "the server failed to store the object; its log says why"
        finally:
            parcel.discard()
        return SUCCESS, ""

    def _take_parcel(self) -> Parcel:
        with self._changed:
            if self._parcels:
                return self._parcels.pop()
        return Parcel(self._folder, self._journal, self._clock)

    def _give_back(self, parcel: Parcel) -> None:
        parcel.discard()
        with self._changed:
            self._parcels.append(parcel)

    def _stop(self, seconds: float) -> None:
        """Let the associations end within *seconds*, abort what is left, and end."""
        self._lobby.stop()
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._serving and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            rest = list(self._serving.values())
        for connection in rest:
            with suppress(OSError):
                connection.send(ABORTED, socket.MSG_DONTWAIT)
                connection.shutdown(socket.SHUT_RDWR)
        with self._changed:
            self._changed.wait_for(lambda: not self._serving, 2)
        self._journal.close()
        self._channel.close()
        os._exit(0)


def _address_of(connection: socket.socket) -> str:
    try:
        return str(connection.getpeername()[0])
    except OSError:
        return ""


class _ToTheMainProcess(logging.Handler):
    """Lets the main process write our lines: there is one log."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line; nobody is left to hear that it could not be sent."""
        with suppress(OSError):
            line = self.format(record)[:_LONGEST_LINE]
            self._channel.send(Kind.LOGGED, {"level": record.levelno, "from": record.name, "message": line})


def main(arguments: list[str]) -> None:
    """Run with the settings, as JSON, that `processes` gives."""
    settings = json.loads(arguments[0])
    for number in (signal.SIGINT, signal.SIGTERM):  # the main process ends us; a terminal or an init tells all at once
        signal.signal(number, signal.SIG_IGN)
    threading.stack_size(_STACK_BYTES)
    lock = os.open(Path(settings["folder"]) / "lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    fcntl.flock(lock, fcntl.LOCK_SH)
    channel = Channel(socket.socket(fileno=settings["channel"]))
    logging.basicConfig(level=logging.INFO, handlers=[_ToTheMainProcess(channel)])
    gc.freeze()  # what is loaded stays: it need not be looked through again and again
    Reception(socket.socket(fileno=settings["listener"]), channel, settings).run()


if __name__ == "__main__":
    main(sys.argv[1:])
