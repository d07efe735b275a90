"""The pump: one thread reads the event log from its end and hands each event to the sockets allowed to see it."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import replace

from consult.access import CLINICAL
from consult.practitioners.model import Viewer
from consult.queue.views import blind_to_somebody
from dicom_node.archive.events import INSTANCE_STORED
from telemed.kernel.database import Database
from telemed.kernel.errors import Unavailable
from telemed.kernel.events import Event, EventLog
from web.security import SignedIn

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.5
#: Events waiting for one socket; a browser that falls further behind is sent away and resumes by its cursor.
MOST_WAITING = 1000
#: A study that is arriving is told of no more often than this per socket; the newest count is what matters.
COALESCE_S = 0.5
#: Resuming further back than this many positions is told to read everything anew instead.
MOST_REPLAYED = 5000
REPLAY_AT_ONCE = 500

#: What news says of who reads or has read; left out while somebody must be blind to that.
READERS = frozenset({"owner", "owner_name", "from", "assigned", "reader", "signed_by", "author", "compared_by"})

#: Close codes of our own (RFC 6455, 7.4.2: 4000-4999 are private).
SESSION_ENDED, TOO_SLOW = 4001, 4008


def may_see(viewer: Viewer, event: Event) -> bool:
    """Tell whether *event* is *viewer*'s business: of their institution, asked of it, or of a round it is invited to.

    What names no institution is nobody's here; the regulator and the administrator see figures, not events.
    """
    if not viewer.roles & CLINICAL:
        return False
    data, home = event.data, viewer.institution_id
    if home in {data.get("institution"), data.get("performer"), data.get("declined_by"), data.get("left")}:
        return True
    invited = data.get("invited")
    return isinstance(invited, list) and home in invited


class Listener:
    """One socket's share of the news; used on the event loop only."""

    def __init__(self, signed_in: SignedIn, position: int) -> None:
        """Listen for *signed_in*, from *position* of the log on."""
        self.signed_in = signed_in
        self.position = position
        self.waiting: asyncio.Queue[Event | int] = asyncio.Queue()
        self._held: dict[str, Event | None] = {}
        self._ended = False

    def offer(self, event: Event) -> None:
        """Take *event* if it may be seen; what arrives of one study is thinned out, never its last news."""
        if not may_see(self.signed_in.viewer, event):
            return
        if event.type != INSTANCE_STORED:
            self._put(event)
        elif event.subject in self._held:
            self._held[event.subject] = event
        else:
            self._put(event)
            self._hold(event.subject)

    def end(self, code: int) -> None:
        """Send the socket away with *code*, ahead of whatever still waits."""
        self._ended = True
        while not self.waiting.empty():
            self.waiting.get_nowait()
        self.waiting.put_nowait(code)

    def _put(self, event: Event) -> None:
        if self._ended:
            return
        if self.waiting.qsize() >= MOST_WAITING:
            self.end(TOO_SLOW)
        else:
            self.waiting.put_nowait(event)

    def _hold(self, study: str) -> None:
        self._held[study] = None
        asyncio.get_running_loop().call_later(COALESCE_S, self._release, study)

    def _release(self, study: str) -> None:
        newest = self._held.pop(study)
        if newest is not None:
            self._put(newest)
            self._hold(study)


class Hub:
    """Every open live socket, and the thread that feeds them."""

    def __init__(self, database: Database, events: EventLog) -> None:
        """Read *events* of *database*; nothing runs before start()."""
        self._database = database
        self._events = events
        self._listeners: set[Listener] = set()
        self._position = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read from the log's end, and to feed listeners on *loop*."""
        self._position = self._events.latest()
        self._thread = threading.Thread(target=self._pump, args=(loop, self._position), name="live-hub", daemon=True)
        self._thread.start()

    def stop(self, code: int) -> None:
        """Send every listener away and let the thread end."""
        self._stop.set()
        for listener in self._listeners:
            listener.end(code)

    def listen(self, signed_in: SignedIn) -> Listener:
        """Begin to listen; every event from now on that may be seen comes into the listener's queue."""
        listener = Listener(signed_in, self._position)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Stop listening."""
        self._listeners.discard(listener)

    def end(self, digest: str) -> None:
        """Send away every socket of the session or token kept under *digest*."""
        for listener in self._listeners:
            if listener.signed_in.digest == digest:
                listener.end(SESSION_ENDED)

    def missed(self, viewer: Viewer, after: int, until: int) -> list[Event] | None:
        """Return what *viewer* may see of after < position <= until; None when that is too far back. Blocks."""
        if after < 0 or until - after > MOST_REPLAYED:
            return None
        found: list[Event] = []
        while after < until:
            some = self._events.after(after, limit=REPLAY_AT_ONCE)
            if not some:
                break
            after = some[-1].position
            found += [event for event in some if event.position <= until and may_see(viewer, event)]
        return self._discreet(found)

    def _pump(self, loop: asyncio.AbstractEventLoop, position: int) -> None:
        while not self._stop.is_set():
            try:
                found = self._discreet(self._events.after(position))
            except Unavailable as error:
                log.warning("the live hub waits: %s", error.sentence)
                self._stop.wait(1)
                continue
            except Exception:
                log.exception("the live hub failed and looks again")
                self._stop.wait(1)
                continue
            if found:
                position = found[-1].position
                try:
                    loop.call_soon_threadsafe(self._publish, found)
                except RuntimeError:  # the loop has closed: the server has stopped
                    return
            else:
                self._events.wait(position, LOOK_AGAIN_S)

    def _discreet(self, found: list[Event]) -> list[Event]:
        """Return *found* without the readers of tasks to which somebody is blind: news goes to many at once."""
        tasks = {event.data["task_id"] for event in found if READERS & event.data.keys() and "task_id" in event.data}
        if not tasks:
            return found
        with self._database.reading() as db:
            hidden = blind_to_somebody(db, tasks)
        return [_nameless(event) if event.data.get("task_id") in hidden else event for event in found]

    def _publish(self, found: list[Event]) -> None:
        self._position = found[-1].position
        for listener in self._listeners:
            for event in found:
                listener.offer(event)


def _nameless(event: Event) -> Event:
    return replace(event, data={key: value for key, value in event.data.items() if key not in READERS})
