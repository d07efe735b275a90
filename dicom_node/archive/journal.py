"""The ingest journal: an object and its index record in one durable write, before its sender hears of success.

A segment is a preallocated file, written by one process and read by the main one. Its first block holds a nonce that
every record of this use of the segment repeats: neither a record of an earlier use nor bytes that somebody sends on
purpose can be taken for one of ours. A record is a head of one block, the Part 10 bytes, and what they do not say, as JSON;
it begins at a multiple of BLOCK. Writes are direct and synchronous where the file system can (O_DIRECT, O_DSYNC).

The head carries a CRC-32C of the content: enough to know a torn record from a whole one, at a tenth of the time of the
SHA-256 that names the object in the archive, which is computed when it is filed. A long object has a file of its own, and its
record says the SHA-256, computed while it arrived, and the header.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import google_crc32c

from dicom_node.archive.disk import BLOCK, open_direct, padded, sync_folder, unavailable
from dicom_node.archive.header import Header
from telemed.kernel.clock import rfc3339
from telemed.kernel.errors import Unavailable

#: An object longer than this is written to a file of its own as it arrives; its record only names that file.
LARGEST_RECORD = 4 << 20
#: What the index must know of one object is bounded by the header's own limits, far below this.
LARGEST_META = 128 << 10

_SEGMENT_MARK, _RECORD_MARK = b"TLMSEG_2", b"TLMREC_2"
_SEGMENT_HEAD = struct.Struct("<8s16s")
_RECORD_HEAD = struct.Struct("<8s16sQII")
_CHECK = struct.Struct("<I")
_NONCE_BYTES = 16
_SUMMED_AT_ONCE = 64 << 10
#: A view that google_crc32c takes as it is: of a memoryview it wants a copy.
_Summed = ctypes.c_ubyte * _SUMMED_AT_ONCE
_READ_AT_ONCE = 1 << 20
_REMEMBERED = 64


@dataclass(frozen=True)
class Place:
    """Where a record lies: the segment's file name, its first byte there, and how long content and meta are."""

    segment: str
    offset: int
    content_bytes: int
    meta_bytes: int


@dataclass(frozen=True)
class Record:
    """A record as read back: *meta* is the JSON of the index."""

    meta: bytes
    content: memoryview


@dataclass(frozen=True)
class OwnFile:
    """The file in the journal's folder that holds a long object: its name, its bytes, and their SHA-256.

    *digest* is empty in the journal of a version that kept a checksum there.
    """

    name: str
    size: int
    digest: str

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> OwnFile:
        """Read again what `meta_of` wrote."""
        return cls(plain["name"], plain["size"], plain.get("digest", ""))


class Altered(Exception):
    """What was written does not read back: neither the disk's nor the database's to mend by waiting."""


def new_buffer(capacity: int) -> mmap.mmap:
    """Return memory that a direct write can start from: whole pages, not yet touched.

    Huge ones where there are any: for a direct write the kernel has to find every single page.
    """
    buffer = mmap.mmap(-1, padded(capacity), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel built without them
        buffer.madvise(mmap.MADV_HUGEPAGE)
    return buffer


def checksum(content: memoryview) -> int:
    """Return the CRC-32C of *content*, which is writable memory."""
    check, begin, last = 0, 0, len(content) - _SUMMED_AT_ONCE
    while begin <= last:
        check = google_crc32c.extend(check, _Summed.from_buffer(content, begin))
        begin += _SUMMED_AT_ONCE
    return int(google_crc32c.extend(check, bytes(content[begin:])))


def meta_of(
    sop_instance_uid: str,
    *,
    institution: str,
    syntax: str,
    source: str,
    at: datetime,
    data_at: int = 0,
    long: tuple[OwnFile, Header] | None = None,
) -> bytes:
    """Return what the index must know of one object beside the data set, which begins at *data_at* of the content.

    A *long* object is read no more: its file and its header are told.
    """
    told = (
        f'{_common(institution, syntax, source)}, "instance": "{sop_instance_uid}", "at": "{rfc3339(at)}", "data_at": {data_at}'
    )
    if long is not None:
        told += f', "own": {json.dumps(asdict(long[0]))}, "header": {json.dumps(long[1].as_json(), ensure_ascii=False)}'
    return (told + "}").encode("utf-8", "surrogatepass")


@lru_cache(_REMEMBERED)
def _common(institution: str, syntax: str, source: str) -> str:
    """Return the beginning of the meta of all that an association brings; what follows are words that JSON takes as they are."""
    return json.dumps({"institution": institution, "syntax": syntax, "source": source}, ensure_ascii=False)[:-1]


class _Segment:
    """One file and what is written to it."""

    def __init__(self, path: Path, size: int) -> None:
        self.name = path.name
        self.size = size
        self.nonce = b""
        self.end = 0
        self.pending = 0
        self.closed = False
        existed = path.exists()
        self.descriptor = open_direct(path, os.O_RDWR | os.O_CREAT | os.O_DSYNC)
        try:
            os.posix_fallocate(self.descriptor, 0, size)
            os.fsync(self.descriptor)
            sync_folder(path.parent)
        except OSError:
            os.close(self.descriptor)
            if not existed:
                path.unlink(missing_ok=True)
            raise

    def begin(self) -> None:
        """Use it from its start, under a new nonce."""
        self.nonce = os.urandom(_NONCE_BYTES)
        head = _SEGMENT_HEAD.pack(_SEGMENT_MARK, self.nonce)
        _write_block(self.descriptor, head + _CHECK.pack(zlib.crc32(head)))
        self.end, self.pending, self.closed = BLOCK, 0, False


class JournalWriter:
    """One process's side: it writes records into its own segments, at most *segments* of *segment_bytes* each.

    *announce* is called with place and meta of each durable record before `write` returns; *announce_closed* with a
    segment's file name once nothing more will be announced of it. Both from the writing threads.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        announce: Callable[[Place, bytes], None],
        announce_closed: Callable[[str], None],
        segment_bytes: int = 64 << 20,
        segments: int = 8,
        wait_s: float = 5,
    ) -> None:
        self._announce, self._announce_closed = announce, announce_closed
        self._size, self._wait_s = padded(max(segment_bytes, 1 << 20)), wait_s
        #: The longest content that `write` takes.
        self.largest_content = min(LARGEST_RECORD, self._size - LARGEST_META - 3 * BLOCK)
        self._free = {folder / f"{name}.{number}.segment": None for number in range(segments)}
        self._opened: dict[Path, _Segment] = {}
        self._open: _Segment | None = None
        self._changed = threading.Condition()
        self._stalled = False

    def stall(self, *, stalled: bool) -> None:
        """While *stalled*, nothing becomes free soon: a full journal refuses at once instead of waiting a moment."""
        with self._changed:
            self._stalled = stalled
            self._changed.notify_all()

    def write(self, buffer: mmap.mmap, content_bytes: int, meta: bytes) -> None:
        """Make a record durable; its content lies in *buffer* behind one free block, with room for *meta* behind.

        Raises
        ------
        Unavailable
            code "out-of-space": the disk is full or fails, or the journal stayed full; nothing is kept.
        """
        used = BLOCK + content_bytes + len(meta)
        total = padded(used)
        buffer[BLOCK + content_bytes : used] = meta
        buffer[used:total] = bytes(total - used)
        with memoryview(buffer) as view, view[BLOCK : BLOCK + content_bytes] as content:
            check = checksum(content)
        segment, offset = self._reserve(total)
        written = False
        try:
            head = _RECORD_HEAD.pack(_RECORD_MARK, segment.nonce, content_bytes, len(meta), check)
            head += _CHECK.pack(zlib.crc32(meta))
            buffer[: len(head) + _CHECK.size] = head + _CHECK.pack(zlib.crc32(head))
            with memoryview(buffer) as view, view[:total] as record:
                if os.pwritev(segment.descriptor, [record], offset) != total:
                    raise OSError(errno.EIO, "short write")  # noqa: TRY301 - it joins the disk's own errors
            written = True
            self._announce(Place(segment.name, offset, content_bytes, len(meta)), meta)
        except OSError as error:
            raise unavailable(error) from error
        finally:
            self._finish(segment, written=written)

    def freed(self, name: str) -> None:
        """Use the segment *name* again: all of it is in the archive."""
        with self._changed:
            path = next(path for path in self._opened if path.name == name)
            self._free[path] = None
            self._changed.notify_all()

    def close(self) -> None:
        """Write no more; announce the segment in use as closed."""
        with self._changed:
            closed = self._close_open()
        for name in closed:
            self._announce_closed(name)

    def _reserve(self, total: int) -> tuple[_Segment, int]:
        deadline = time.monotonic() + self._wait_s
        closed: list[str] = []
        try:
            with self._changed:
                while (segment := self._open) is None or segment.end + total > segment.size:
                    closed += self._close_open()
                    in_vain = not self._free and (self._stalled or not self._changed.wait(deadline - time.monotonic()))
                    if in_vain:
                        raise Unavailable(
                            "the archive cannot keep up or its database is away: send again later", code="out-of-space"
                        )
                    if self._free and self._open is None:
                        self._open = self._next()
                offset = segment.end
                segment.end += total
                segment.pending += 1
                return segment, offset
        except OSError as error:
            raise unavailable(error) from error
        finally:
            for name in closed:
                self._announce_closed(name)

    def _next(self) -> _Segment:
        # One that was used before: the disk has noted of its blocks that they are written.
        path = next((path for path in self._free if path in self._opened), next(iter(self._free)))
        segment = self._opened.get(path) or _Segment(path, self._size)
        self._opened[path] = segment  # first: where a disk fails it is asked again, and opened once
        segment.begin()
        del self._free[path]
        return segment

    def _close_open(self) -> list[str]:
        """Take the segment in use out of use; return its name if all its writes have ended."""
        segment, self._open = self._open, None
        if segment is None:
            return []
        segment.closed = True
        return [] if segment.pending else [segment.name]

    def _finish(self, segment: _Segment, *, written: bool) -> None:
        with self._changed:
            segment.pending -= 1
            if not written and segment is self._open:  # a disk that failed here is asked for another place
                self._open, segment.closed = None, True
            closed = segment.closed and segment.pending == 0
        if closed:
            self._announce_closed(segment.name)


class JournalReader:
    """The main process's side: it reads single records, whole segments after a crash, and frees them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._descriptors: dict[str, int] = {}
        self._buffer = new_buffer(BLOCK + LARGEST_RECORD + LARGEST_META + BLOCK)

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def content(self, place: Place) -> memoryview:
        """Return the Part 10 bytes of a record as they are, valid until the next call; they begin a page of memory."""
        return self._read(place.segment, place.offset, padded(BLOCK + place.content_bytes))[BLOCK : BLOCK + place.content_bytes]

    def intact(self, place: Place) -> memoryview:
        """Return the same as `content`.

        Raises
        ------
        Altered
            when these are not the bytes that were written.
        """
        content = self.content(place)
        mark, _, content_bytes, _, check = _RECORD_HEAD.unpack_from(self._buffer)
        if (mark, content_bytes, check) != (_RECORD_MARK, place.content_bytes, checksum(content)):
            raise Altered(f"the record at {place.offset} of {place.segment} has changed")
        return content

    def pieces(self, own: OwnFile) -> Iterator[memoryview]:
        """Yield the bytes of a long object, each piece valid until the next one is asked for."""
        descriptor = open_direct(self.folder / own.name, os.O_RDONLY)
        try:
            view, begin, some = memoryview(self._buffer)[:_READ_AT_ONCE], 0, _READ_AT_ONCE
            while some == _READ_AT_ONCE:
                some = os.preadv(descriptor, [view], begin)
                yield view[:some]
                begin += some
        finally:
            os.close(descriptor)

    def segments(self) -> list[str]:
        """Name the segments that are there."""
        return sorted(path.name for path in self.folder.glob("*.segment"))

    def rename(self, segment: str, name: str) -> str:
        """Give *segment*, which nobody writes to, another name, and return that."""
        (self.folder / segment).replace(self.folder / name)
        return name

    def is_strange(self, segment: str) -> bool:
        """Tell whether *segment* begins neither as ours does nor with nothing: damaged, or written by another version."""
        with (self.folder / segment).open("rb") as file:
            head = file.read(BLOCK)
        ours = head.startswith(_SEGMENT_MARK) and _is_checked(head, _SEGMENT_HEAD.size)
        return not ours and any(head)

    def records(self, segment: str) -> Iterator[tuple[Place, Record]]:
        """Yield every whole record of *segment*; torn ones and those of earlier uses are stepped over.

        The content is valid until the next one is asked for.
        """
        size = (self.folder / segment).stat().st_size // BLOCK * BLOCK
        head = bytes(self._read(segment, 0, BLOCK)) if size else b""
        mark, nonce = _SEGMENT_HEAD.unpack_from(head) if head else (b"", b"")
        if mark != _SEGMENT_MARK or not _is_checked(head, _SEGMENT_HEAD.size):
            return
        offset = BLOCK
        while offset < size:
            place, record = self._record(segment, offset, nonce, size)
            if record is None or place is None:
                offset += BLOCK
            else:
                yield place, record
                offset += padded(BLOCK + place.content_bytes + place.meta_bytes)

    def _record(self, segment: str, offset: int, nonce: bytes, size: int) -> tuple[Place | None, Record | None]:
        head = bytes(self._read(segment, offset, BLOCK)[: _RECORD_HEAD.size + 2 * _CHECK.size])
        mark, theirs, content_bytes, meta_bytes, check = _RECORD_HEAD.unpack_from(head)
        if mark != _RECORD_MARK or theirs != nonce or not _is_checked(head, _RECORD_HEAD.size + _CHECK.size):
            return None, None
        place = Place(segment, offset, content_bytes, meta_bytes)
        if content_bytes > LARGEST_RECORD or meta_bytes > LARGEST_META:
            return None, None
        total = padded(BLOCK + content_bytes + meta_bytes)
        if offset + total > size:
            return None, None
        whole = self._read(segment, offset, total)
        content = whole[BLOCK : BLOCK + content_bytes]
        meta = bytes(whole[BLOCK + content_bytes : BLOCK + content_bytes + meta_bytes])
        if _CHECK.unpack_from(head, _RECORD_HEAD.size)[0] != zlib.crc32(meta) or checksum(content) != check:
            return None, None
        return place, Record(meta, content)

    def free(self, segment: str) -> None:
        """Forget what is in *segment*, durably: its records are in the archive."""
        descriptor = open_direct(self.folder / segment, os.O_RDWR | os.O_DSYNC)
        try:
            _write_block(descriptor, b"")
        finally:
            os.close(descriptor)

    def remove(self, segment: str) -> None:
        """Delete a freed segment whose process has ended."""
        descriptor = self._descriptors.pop(segment, None)
        if descriptor is not None:
            os.close(descriptor)
        (self.folder / segment).unlink(missing_ok=True)

    def _read(self, segment: str, offset: int, count: int) -> memoryview:
        descriptor = self._descriptors.get(segment)
        if descriptor is None:
            descriptor = self._descriptors[segment] = open_direct(self.folder / segment, os.O_RDONLY)
        view = memoryview(self._buffer)[:count]
        done = 0
        while done < count:
            some = os.preadv(descriptor, [view[done:]], offset + done)
            if some == 0:
                raise OSError(errno.EIO, "the journal's segment is shorter than it was")
            done += some
        return view


def _is_checked(head: bytes, count: int) -> bool:
    return bool(_CHECK.unpack_from(head, count)[0] == zlib.crc32(head[:count]))


def _write_block(descriptor: int, content: bytes) -> None:
    with new_buffer(BLOCK) as block:
        block[: len(content)] = content
        with memoryview(block) as view:
            if os.pwritev(descriptor, [view], 0) != BLOCK:
                raise OSError(errno.EIO, "short write")
