"""From the ingest journal into the archive: plain files, rows in batches, then the segment is free again.

Every step may be repeated: a crash between any two of them finds the records still in their segment, and what is known
already is not new a second time. Rows are committed as soon as the bytes have a name; the segment is given back only when
one sync has made all of its files durable, so a power cut in between costs nothing but the work.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from dicom_node.archive.archive import Archive
from dicom_node.archive.header import Header
from dicom_node.archive.indexing import Received
from dicom_node.archive.journal import JournalReader, Place
from telemed.kernel.errors import Unavailable

log = logging.getLogger(__name__)

_AT_ONCE = 256
#: Batches begin no faster than this: one transaction for many objects costs little more than for one.
_PACE_S = 0.1
_TRY_AGAIN_S = 0.5
#: Where a record is put that the index refuses for a reason nobody foresaw: acknowledged, so never thrown away.
ASIDE = "aside"


@dataclass(frozen=True)
class Filed:
    """One record on its way: where it lies, and what the index is told."""

    place: Place
    received: Received
    file: str

    @classmethod
    def of(cls, place: Place, digest: str, meta: bytes) -> Filed:
        """Read *meta* again; *digest* is the content's."""
        told = json.loads(meta.decode("utf-8", "surrogatepass"))
        file = told.get("file", "")
        digest, size = (told["digest"], told["size"]) if file else (digest, place.content_bytes)
        at, header = datetime.fromisoformat(told["at"]), Header.from_json(told["header"])
        # The content stands behind our own preface: its digest is the data set's as well.
        received = Received(told["institution"], header, told["syntax"], digest, digest, size, told["source"], at)
        return cls(place, received, file)


@dataclass(frozen=True)
class _Announced:
    """A record as it was announced: read only by the thread that files it."""

    place: Place
    digest: str
    meta: bytes


#: A record; a segment to be freed, whom to tell, and whether to file it again first; whom to tell at once; the end.
_Item = _Announced | tuple[str, Callable[[], None], bool] | Callable[[], None] | None


def waiting(journal: JournalReader) -> Iterator[tuple[Received, bool]]:
    """Yield every object that *journal* promises, filed already or not, and whether its bytes are there in whole."""
    for segment in journal.segments():
        for place, record in journal.records(segment):
            one = Filed.of(place, record.digest, record.meta)
            yield one.received, not one.file or _is_whole(journal.folder / one.file, one.received.digest)


def set_aside(journal: JournalReader) -> list[str]:
    """Name what was acknowledged and could not be filed, as paths in the journal's folder."""
    return sorted(f"{ASIDE}/{file.name}" for file in (journal.folder / ASIDE).glob("*.dcm"))


class Filing:
    """The thread that files what the node's processes announce, and what a crash left in the journal."""

    def __init__(self, archive: Archive, journal: JournalReader, *, stalled: Callable[[bool], None]) -> None:
        """Call *stalled* with True when the disk or the database is away, with False when both are back."""
        self._archive = archive
        self._stalled = stalled
        self._journal = journal
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._in_doubt = False

    def start(self) -> None:
        """Begin to file, in a thread of its own."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="filing", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 10) -> bool:
        """File what was announced, within *seconds*, and end; tell whether all of it is in the archive."""
        self._queue.put(None)
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        thread.join(seconds)
        self._stopping.set()
        thread.join(2 * _TRY_AGAIN_S + 1)
        return not thread.is_alive() and self._queue.empty()

    def announce(self, place: Place, digest: str, meta: bytes) -> None:
        """File the record at *place* soon."""
        self._queue.put(_Announced(place, digest, meta))

    def announce_closed(self, segment: str, freed: Callable[[], None], *, refile: bool = False) -> None:
        """Free *segment* once all that was announced of it is filed, then call *freed*.

        *refile* when its process died: the last records may be durable and were never announced.
        """
        self._queue.put((segment, freed, refile))

    def fence(self, passed: Callable[[], None]) -> None:
        """Call *passed* once everything announced so far is in the archive."""
        self._queue.put(passed)

    def replay(self) -> int:
        """File everything a former run left in the journal and free it; return how many records there were.

        Raises
        ------
        Unavailable
            when the database or the disk is away: nothing is lost, it can be called again.
        """
        count = 0
        for segment in self._journal.segments():
            count += self._refile(segment)
            self._sync()
            self._journal.free(segment)
            self._journal.remove(segment)
        for left_over in self._journal.folder.glob("*.part10"):  # received in part, or acknowledged and filed
            left_over.unlink()
        return count

    def _refile(self, segment: str) -> int:
        """File every record of *segment* again; return how many there are.

        Of files that are there the disk itself is asked: what is read of them may be memory that never reached it.
        """
        count = 0
        records = (Filed.of(place, record.digest, record.meta) for place, record in self._journal.records(segment))
        while batch := list(itertools.islice(records, _AT_ONCE)):
            self._file_batch(batch, anew=True)
            count += len(batch)
        return count

    def _run(self) -> None:
        next_at = 0.0
        while True:
            items = [self._queue.get()]
            self._take_more(items, next_at)
            next_at = time.monotonic() + _PACE_S
            records = [Filed.of(item.place, item.digest, item.meta) for item in items if isinstance(item, _Announced)]
            if records and not self._persistently(partial(self._file_batch, records)):
                return
            last = items[-1]
            if last is None:
                return
            if isinstance(last, tuple):
                segment, freed, refile = last
                if not self._persistently(partial(self._free, segment, refile=refile)):
                    return
                freed()
            elif callable(last):
                last()

    def _take_more(self, items: list[_Item], until: float) -> None:
        """Take what is announced too; wait for more only *until* then, and never when somebody waits for it."""
        while len(items) < _AT_ONCE and isinstance(items[-1], _Announced):
            try:
                items.append(self._queue.get(timeout=max(until - time.monotonic(), 0)))
            except queue.Empty:
                return

    def _persistently(self, step: Callable[[], None]) -> bool:
        """Do *step* until the disk and the database let it; False when told to stop meanwhile."""
        waiting = False
        while True:
            try:
                step()
            except (Unavailable, OSError) as error:
                log.warning("filing waits: %s", error)
                if not waiting:
                    self._stalled(True)  # noqa: FBT003 - it is the news itself
                waiting = True
                if self._stopping.wait(_TRY_AGAIN_S):
                    return False
            else:
                if waiting:
                    self._stalled(False)  # noqa: FBT003 - it is the news itself
                return True

    def _file_batch(self, records: Sequence[Filed], *, anew: bool = False) -> None:
        try:
            self._file(records, anew=anew)
        except (Unavailable, OSError):
            raise
        except Exception:
            log.exception("a batch of %d objects could not be filed; each is tried alone", len(records))
            for one in records:
                self._file_alone(one, anew=anew)

    def _file_alone(self, one: Filed, *, anew: bool) -> None:
        try:
            self._file([one], anew=anew)
        except (Unavailable, OSError):
            raise
        except Exception:
            log.exception("an acknowledged object could not be filed and is set aside as %s", one.received.digest)
            self._set_aside(one)

    def _file(self, records: Sequence[Filed], *, anew: bool) -> None:
        records = [one for one in records if self._is_there(one)]
        received = [one.received for one in records]
        for one, kept in zip(records, self._archive.known(received), strict=True):
            # Known under another digest: the same data set came with another preface, and that file is kept.
            if kept is None or (kept == one.received.digest and anew):
                self._place(one, anew=anew)
        self._archive.enter(received)
        for one in records:
            if one.file:
                (self._journal.folder / one.file).unlink(missing_ok=True)

    def _is_there(self, one: Filed) -> bool:
        """Tell whether it has its bytes: a long object's file is withdrawn when the disk failed under its record."""
        if not one.file or (self._journal.folder / one.file).exists() or self._archive.blobs.exists(one.received.digest):
            return True
        log.error("the journal's file of an object that was not acknowledged is gone: %s", one.received.digest)
        return False

    def _place(self, one: Filed, *, anew: bool) -> None:
        """Give the bytes their name in the archive."""
        blobs, digest, size = self._archive.blobs, one.received.digest, one.received.size
        if one.file:
            file = self._journal.folder / one.file
            if file.exists() and not blobs.exists(digest):
                blobs.adopt(file, digest)
        elif not (anew and blobs.is_on_disk(digest)):
            content = self._journal.content(one.place)
            blobs.place(digest, size, lambda descriptor: _write(descriptor, content), anew=anew)

    def _free(self, segment: str, *, refile: bool) -> None:
        if refile:
            self._refile(segment)
        self._sync()
        self._journal.free(segment)

    def _sync(self) -> None:
        """Make durable what was placed.

        A disk tells of its failure once, and means every file since the last success: all that the journal holds, of any
        segment, is placed again before the next success counts.
        """
        if self._in_doubt:
            for segment in self._journal.segments():
                self._refile(segment)
        self._in_doubt = True
        self._archive.blobs.sync()
        self._in_doubt = False

    def _set_aside(self, one: Filed) -> None:
        folder = self._journal.folder / ASIDE
        folder.mkdir(exist_ok=True)
        target = folder / f"{one.received.digest}.dcm"
        if one.file:
            (self._journal.folder / one.file).replace(target)
        else:
            _write_file(target, self._journal.content(one.place))


def _is_whole(file: Path, digest: str) -> bool:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == digest
    except FileNotFoundError:
        return False


def _write(descriptor: int, content: memoryview) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _write_file(target: Path, content: memoryview) -> None:
    with target.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
