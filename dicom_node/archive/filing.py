"""From the ingest journal into the archive: plain files, rows in batches, then the segment is free again.

Every step may be repeated: a crash between any two of them finds the records still in their segment, and what is known
already is not new a second time. Rows are committed as soon as the bytes have a name; the segment is given back only when
one sync has made all of its files durable, so a power cut in between costs nothing but the work.

What is acknowledged is safe already: filing lets a burst go by, for a second at most, and nobody who asks for what has
just come waits for that (`arrivals`). The bytes are read back and checked against the journal's CRC-32C, get the SHA-256
that names them, have their header read, which receiving only walked through, and are written, both ways beside the page
cache: nobody needs them again soon. A long object's record says its SHA-256 and its header already: its file gets a second
name, and is read only when it is in doubt.
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
from dicom_node.archive.disk import sync_folder, unavailable
from dicom_node.archive.header import Header, read_header
from dicom_node.archive.indexing import Received
from dicom_node.archive.journal import Altered, JournalReader, OwnFile, Place
from telemed.kernel.database import new_id
from telemed.kernel.errors import Unavailable

log = logging.getLogger(__name__)

#: Objects of one transaction: many cost little more than one, but nobody else can write meanwhile.
_AT_ONCE = 256
#: What comes within so short a time of the one before is filed with it, and the first of them waits no longer than that:
#: a burst is received before it is filed.
_GAP_S, _LONGEST_S = 0.05, 1.0
#: So many full segments end a burst: their processes have 8 each, and need them again.
_FULL_SEGMENTS = 4
_TRY_AGAIN_S = 0.5
#: Where a record is put that the index refuses for a reason nobody foresaw: acknowledged, so never thrown away.
ASIDE = "aside"


_NOTHING = memoryview(b"")


@dataclass(frozen=True)
class Filed:
    """One record on its way: where it lies, and what it says for the index.

    *header* is None where it is read from the data set, which begins at *data_at* of the content; a long object's record says it,
    and any of a former version.
    """

    place: Place
    institution: str
    sop_instance_uid: str
    data_at: int
    syntax: str
    source: str
    at: datetime
    header: Header | None
    own: OwnFile | None

    @classmethod
    def of(cls, place: Place, meta: bytes) -> Filed:
        """Read *meta* again."""
        told = json.loads(meta.decode("utf-8", "surrogatepass"))
        header = Header.from_json(told["header"]) if "header" in told else None
        return cls(
            place,
            told["institution"],
            told["instance"] if header is None else header.sop_instance_uid,
            told.get("data_at", 0),
            told["syntax"],
            told["source"],
            datetime.fromisoformat(told["at"]),
            header,
            OwnFile.of(told["own"]) if "own" in told else None,
        )

    def received(self, digest: str, content: memoryview = _NOTHING) -> Received:
        """Say it to the index; *content* are the bytes where they lie in the record itself.

        They stand behind our own preface: *digest*, their own, is the data set's as well.
        """
        header = self.header or read_header(content[self.data_at :], self.syntax)
        size = self.place.content_bytes if self.own is None else self.own.size
        return Received(self.institution, header, self.syntax, digest, digest, size, self.source, self.at)


@dataclass(frozen=True)
class _Announced:
    """A record as it was announced: read only by the thread that files it."""

    place: Place
    meta: bytes


@dataclass(frozen=True)
class _Closed:
    """A segment of which all has been announced, or whose process died (*refile*), and whom to tell once it is free."""

    segment: str
    freed: Callable[[], None]
    refile: bool


#: A record; a full segment; whom to tell at once; the end.
_Item = _Announced | _Closed | Callable[[], None] | None


def waiting(journal: JournalReader) -> Iterator[tuple[Received, bool]]:
    """Yield every object that *journal* promises, filed already or not, and whether its bytes are there in whole.

    A long object's file goes when it is filed: then nobody knows its digest here, and it is empty.
    """
    for segment in journal.segments():
        for place, record in journal.records(segment):
            one = Filed.of(place, record.meta)
            if one.own is None:
                yield one.received(hashlib.sha256(record.content).hexdigest(), record.content), True
                continue
            try:
                digest = _digest(one.own, journal)
            except (Altered, FileNotFoundError):
                digest = ""
            yield one.received(digest), bool(digest)


def _digest(own: OwnFile, journal: JournalReader) -> str:
    """Return the sha256 of a long object's bytes; Altered when they are not those that were received."""
    digest = hashlib.sha256()
    for piece in journal.pieces(own):
        digest.update(piece)
    if own.digest not in ("", digest.hexdigest()):
        raise Altered(f"the file {own.name} of the journal has changed")
    return digest.hexdigest()


def set_aside(journal: JournalReader) -> list[str]:
    """Name what was acknowledged and could not be filed, as paths in the journal's folder."""
    return sorted(f"{ASIDE}/{file.name}" for file in (journal.folder / ASIDE).glob("*"))


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
        self._in_doubt = self._is_stalled = False
        self._left_over: list[Path] = []
        self._former: list[str] = []

    def take_over(self) -> None:
        """Give what a former run left names of its own, before anybody writes to the journal: `replay` files it.

        Unavailable when the disk does not let it.
        """
        self._archive.arrivals.filed(self._archive.arrivals.pending)
        self._left_over = list(self._journal.folder.glob("*.part10"))
        try:
            self._former = [self._journal.rename(segment, f"former-{new_id()}.segment") for segment in self._journal.segments()]
        except OSError as error:
            raise unavailable(error) from error

    def start(self) -> None:
        """Begin to file, in a thread of its own: first what `replay` could not, then what is announced."""
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

    def announce(self, place: Place, meta: bytes) -> None:
        """File the record at *place* soon."""
        self._queue.put(_Announced(place, meta))

    def announce_closed(self, segment: str, freed: Callable[[], None], *, refile: bool = False) -> None:
        """Free *segment* once all that was announced of it is filed, then call *freed*.

        *refile* when its process died: the last records may be durable and were never announced.
        """
        self._queue.put(_Closed(segment, freed, refile))

    def fence(self, passed: Callable[[], None]) -> None:
        """Call *passed* once everything announced so far is in the archive."""
        self._queue.put(passed)

    def replay(self) -> int:
        """File everything that `take_over` found and free it; return how many records there were.

        Raises
        ------
        Unavailable
            when the database or the disk is away: nothing is lost, it can be called again.
        """
        count = 0
        while self._former:
            segment = self._former[0]
            if self._journal.is_strange(segment):
                log.error("a segment of the journal cannot be read and is kept as %s", self._keep_strange(segment))
                self._left_over = []  # what it says of them nobody knows
            else:
                count += self._refile(segment)
                self._sync()
                self._journal.free(segment)
                self._journal.remove(segment)
            self._former.pop(0)
        for received_in_part in self._left_over:  # or acknowledged and filed
            received_in_part.unlink(missing_ok=True)
        self._left_over = []
        return count

    def _keep_strange(self, segment: str) -> str:
        """Put *segment* aside: acknowledged objects may lie in it."""
        folder = self._journal.folder / ASIDE
        folder.mkdir(exist_ok=True)
        target = folder / f"{new_id()}.segment"
        (self._journal.folder / segment).replace(target)
        sync_folder(folder)
        return f"{ASIDE}/{target.name}"

    def _refile(self, segment: str) -> int:
        """File every record of *segment* again; return how many there are.

        Of files that are there the disk itself is asked: what is read of them may be memory that never reached it.
        """
        count = 0
        records = (Filed.of(place, record.meta) for place, record in self._journal.records(segment))
        while batch := list(itertools.islice(records, _AT_ONCE)):
            self._file_batch(batch, anew=True)
            count += len(batch)
        return count

    def _run(self) -> None:
        if not self._persistently(self._replay_the_rest):
            return
        while True:
            records: list[Filed] = []
            for item in self._burst():
                if isinstance(item, _Announced):
                    records.append(Filed.of(item.place, item.meta))
                    continue
                if not self._file_all(records) or item is None:
                    return
                records = []
                if not isinstance(item, _Closed):
                    item()
                elif self._persistently(partial(self._free, item.segment, refile=item.refile)):
                    item.freed()
                else:
                    return
            if not self._file_all(records):
                return

    def _replay_the_rest(self) -> None:
        if count := self.replay():
            log.info("filed from the journal: %d objects that were acknowledged before the last end", count)

    def _burst(self) -> list[_Item]:
        """Return what is announced, and what follows it closely; nobody waits for that who asks for it."""
        items = [self._queue.get()]
        latest, full = time.monotonic() + _LONGEST_S, 0
        while full < _FULL_SEGMENTS:
            if isinstance(items[-1], _Closed) and not items[-1].refile:
                full += 1
            elif not isinstance(items[-1], _Announced):
                break
            left = 0 if self._archive.arrivals.are_awaited else min(latest - time.monotonic(), _GAP_S)
            try:
                items.append(self._queue.get(timeout=max(left, 0)))
            except queue.Empty:
                break
        return items

    def _file_all(self, records: Sequence[Filed]) -> bool:
        """File *records*; False when told to stop meanwhile."""
        for begin in range(0, len(records), _AT_ONCE):
            batch = records[begin : begin + _AT_ONCE]
            if not self._persistently(partial(self._file_batch, batch)):
                return False
            self._archive.arrivals.filed(len(batch), batch[-1].at)
        return True

    def _persistently(self, step: Callable[[], None]) -> bool:
        """Do *step* until the disk and the database let it; False when told to stop meanwhile."""
        while True:
            try:
                step()
            except (Unavailable, OSError) as error:
                log.warning("filing waits: %s", error)
                self.stall()
                if self._stopping.wait(_TRY_AGAIN_S):
                    return False
            else:
                self.stall(stalled=False)
                return True

    def stall(self, *, stalled: bool = True) -> None:
        """Say that the disk or the database is away, or back, to whom it concerns; once."""
        if stalled != self._is_stalled:
            self._is_stalled = stalled
            self._archive.arrivals.stall(stalled=stalled)
            self._stalled(stalled)

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
            log.exception("an acknowledged object could not be filed and is set aside as %s", self._set_aside(one))

    def _file(self, records: Sequence[Filed], *, anew: bool) -> None:
        there = self._archive.present((one.institution, one.sop_instance_uid) for one in records)
        left: list[Filed] = []
        received: list[Received] = []
        for one in records:
            known = (one.institution, one.sop_instance_uid) in there
            if one.own is not None and not self._file_of(one.own).exists():
                if not known:  # the disk failed under its record, and its sender was told so
                    log.error("the journal's file of an object that was not acknowledged is gone: %s", one.own.name)
                continue
            left.append(one)
            received.append(self._again(one, anew=anew) if known else self._place(one, anew=anew))
        self._archive.enter(received)
        for one in left:
            if one.own is not None:
                self._file_of(one.own).unlink()

    def _again(self, one: Filed, *, anew: bool) -> Received:
        """Give a name to bytes whose SOP Instance UID is known, unless they are kept already.

        Known under another digest says that the same data set came with another preface, and that file is kept.
        """
        if one.own is not None:
            received = one.received(self._digest_of(one.own, anew=anew))
        else:
            content = self._journal.intact(one.place)
            received = one.received(hashlib.sha256(content).hexdigest(), content)
        [kept] = self._archive.known([received])
        if kept is None or (kept == received.digest and anew):
            self._place(one, anew=anew)
        return received

    def _place(self, one: Filed, *, anew: bool) -> Received:
        """Give the bytes their name in the archive."""
        blobs = self._archive.blobs
        if one.own is not None:
            digest = self._digest_of(one.own, anew=anew)
            blobs.adopt(self._file_of(one.own), digest)
            return one.received(digest)
        content = self._journal.intact(one.place)
        received = one.received(hashlib.sha256(content).hexdigest(), content)
        if not (anew and blobs.is_on_disk(received.digest)):
            blobs.place(received.digest, content, anew=anew)
        return received

    def _digest_of(self, own: OwnFile, *, anew: bool) -> str:
        """Return the digest that a long object's record says, unless its file is in doubt; else that of the bytes."""
        return own.digest if own.digest and not anew else _digest(own, self._journal)

    def _file_of(self, own: OwnFile) -> Path:
        return self._journal.folder / own.name

    def _free(self, segment: str, *, refile: bool) -> None:
        if refile:
            self._refile(segment)
        self._sync()
        self._journal.free(segment)

    def _sync(self) -> None:
        """Make durable what was placed.

        A disk tells of its failure once, and means every file since the last success: all that the journal holds, of any
        segment, is placed again before the next success counts. On a disk that fails still, that would be in vain.
        """
        if self._in_doubt:
            self._archive.blobs.sync()
            for segment in self._journal.segments():
                self._refile(segment)
        self._in_doubt = True
        self._archive.blobs.sync()
        self._in_doubt = False

    def _set_aside(self, one: Filed) -> str:
        folder = self._journal.folder / ASIDE
        folder.mkdir(exist_ok=True)
        target = folder / f"{new_id()}.dcm"
        if one.own is not None:
            self._file_of(one.own).replace(target)
        else:
            _write_file(target, self._journal.content(one.place))
        return target.name


def _write_file(target: Path, content: memoryview) -> None:
    with target.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
