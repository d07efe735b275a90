"""The bytes of one object while it arrives: in memory up to a few MiB, beyond that in a file of the journal's folder."""

from __future__ import annotations

import hashlib
import mmap
import os
import queue
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

from dicom_node.archive.disk import BLOCK, open_direct, padded, sync_folder, unavailable
from dicom_node.archive.header import Header, Identity, read_header, read_identity
from dicom_node.archive.journal import LARGEST_META, JournalWriter, OwnFile, meta_of, new_buffer
from dicom_node.archive.part10 import preface
from dicom_node.upper_layer.messages import Command
from telemed.kernel.clock import Clock

#: A long object passes through so many pieces of memory of this size, which together take what the journal takes at the most.
_STAGE, _STAGES = 1 << 20, 4


class Parcel:
    """One object at a time; `room` and `advance` take its data set, `keep` makes it durable.

    The preface is guessed from the command's UIDs and stands before the data from the start, so that nothing is moved:
    only senders that announce other UIDs than those of their object pay for a copy.
    """

    def __init__(self, folder: Path, journal: JournalWriter, clock: Clock) -> None:
        self._folder = folder
        self._journal = journal
        self._clock = clock
        self._buffer = new_buffer(BLOCK + _STAGE * _STAGES + LARGEST_META + BLOCK)
        self._view = memoryview(self._buffer)
        self._announced = Identity("", "")
        self._preface = b""
        #: Bytes of the data set so far.
        self.size = 0
        #: Bytes of preface and data set: they lie in the buffer, behind its first block, or have passed there on to _spill.
        self._filled = 0
        self._spill: _Spill | None = None

    def begin(self, command: Command, syntax: str) -> None:
        """Make room for the object that *command* announces."""
        self.discard()
        self._announced = Identity(_text(command.sop_class_uid), _text(command.sop_instance_uid))
        self._preface = preface(*self._announced, syntax)
        self._view[BLOCK : BLOCK + len(self._preface)] = self._preface
        self.size, self._filled = 0, len(self._preface)

    def room(self, wanted: int) -> memoryview:
        """Return memory for some of the next *wanted* bytes; nothing is lost that `advance` was told of."""
        if self._spill is None and self._filled + wanted > self._journal.largest_content:
            self._spill = _Spill(self._folder)
            for whole in range(self._filled // _STAGE):
                self._spill.take_stage()
                self._spill.hand_over(self._stage_before((whole + 1) * _STAGE))
            self._spill.take_stage()
        if self._spill is None:
            begin, limit = BLOCK + self._filled, self._journal.largest_content - self._filled
        else:
            begin, limit = BLOCK + self._filled % (_STAGE * _STAGES), _STAGE - self._filled % _STAGE
        return self._view[begin : begin + min(wanted, limit)]

    def advance(self, count: int) -> None:
        """Count *count* bytes more that now stand where `room` said."""
        self.size += count
        self._filled += count
        if self._spill is not None and self._filled % _STAGE == 0:
            self._spill.hand_over(self._stage_before(self._filled))
            self._spill.take_stage()

    def _stage_before(self, end: int) -> memoryview:
        begin = BLOCK + (end - _STAGE) % (_STAGE * _STAGES)
        return self._view[begin : begin + _STAGE]

    def discard(self) -> None:
        """Forget the object, if one is half there."""
        spill, self._spill = self._spill, None
        if spill is not None:
            spill.remove()

    def close(self) -> None:
        """Give the memory back."""
        self.discard()
        self._view.release()
        self._buffer.close()

    def keep(self, syntax: str, *, institution: str, source: str) -> None:
        """Make the object durable.

        Raises
        ------
        Invalid
            when it is no object that can be filed.
        Unavailable
            code "out-of-space"; nothing is kept.
        """
        at = self._clock.now()
        if self._spill is not None:
            count = self._filled % _STAGE
            begin = BLOCK + (self._filled - count) % (_STAGE * _STAGES)
            with self._view[begin : begin + padded(count)] as rest:
                self._spill.end(rest, count)
            self._spill, header = self._spill.finish(self._preface, syntax)
            own = self._spill.durably()
            uid = header.sop_instance_uid
            meta = meta_of(uid, institution=institution, syntax=syntax, source=source, at=at, long=(own, header))
            self._journal.write(self._buffer, 0, meta)
            self._spill = None  # it is the journal's now
            return
        uid = self._identified(syntax)
        meta = meta_of(uid, institution=institution, syntax=syntax, source=source, at=at, data_at=len(self._preface))
        self._journal.write(self._buffer, self._filled, meta)

    def _identified(self, syntax: str) -> str:
        """Return the object's SOP Instance UID once it stands behind its right preface; the rest is read by who files it."""
        begin = BLOCK + len(self._preface)
        with self._view[begin : begin + self.size] as data:
            identity = read_identity(data, syntax)
        if identity != self._announced:
            right = preface(*identity, syntax)
            self._buffer.move(BLOCK + len(right), begin, self.size)
            self._buffer[BLOCK : BLOCK + len(right)] = right
            self._preface, self._filled = right, len(right) + self.size
        return identity.sop_instance_uid


class _Spill:
    """The file of a long object, written by a thread of its own while the bytes before are hashed and the next arrive.

    A disk that fails is told of at the end: until then the sender keeps on sending.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{uuid4().hex}.part10"
        self._digest, self._size = hashlib.sha256(), 0
        self._failed: OSError | None = None
        self._descriptor = -1
        try:
            self._descriptor = open_direct(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except OSError as error:
            self._failed = error
        self._free = threading.Semaphore(_STAGES)
        self._handed_over: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="spilling", daemon=True)
        self._writer.start()

    def take_stage(self) -> None:
        """Wait until another stage may be filled."""
        self._free.acquire()

    def hand_over(self, stage: memoryview) -> None:
        """Hash a full stage, and let it be written; it may be taken again once it is."""
        self._digest.update(stage)
        self._handed_over.put(stage)

    def _write(self) -> None:
        while (stage := self._handed_over.get()) is not None:
            with stage:
                self._put(stage, len(stage))
            self._free.release()

    def _await_writer(self) -> None:
        self._handed_over.put(None)
        self._writer.join()

    def end(self, blocks: memoryview, count: int) -> None:
        """Append the last *count* bytes, which stand at the beginning of *blocks*, once all that was handed over is written."""
        self._await_writer()
        self.append(blocks, count)
        if self._failed is None:
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError as error:
                self._fail(error)

    def append(self, blocks: memoryview, count: int) -> None:
        """Append *count* bytes, which stand at the beginning of *blocks*: only the last ones may be no whole blocks."""
        self._digest.update(blocks[:count])
        self._put(blocks, count)

    def _put(self, blocks: memoryview, count: int) -> None:
        if self._failed is not None:
            return
        position = self._size
        self._size += count
        try:
            while blocks:
                done = os.pwritev(self._descriptor, [blocks], position)
                blocks, position = blocks[done:], position + done
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._failed = error
        self.remove()

    def finish(self, guessed: bytes, syntax: str) -> tuple[_Spill, Header]:
        """Return the file, or another in its place, that begins with the right preface, and its header."""
        if self._failed is not None:
            raise unavailable(self._failed)
        with (
            mmap.mmap(self._descriptor, 0, prot=mmap.PROT_READ) as mapped,
            memoryview(mapped) as whole,
            whole[len(guessed) :] as data,
        ):
            # Its pages are not in memory, and only the first and the last are wanted: not megabytes read ahead of each.
            mapped.madvise(mmap.MADV_RANDOM)
            header = read_header(data, syntax, forget=partial(mapped.madvise, mmap.MADV_DONTNEED))
            right = preface(header.sop_class_uid, header.sop_instance_uid, syntax)
            return self if right == guessed else self._again(right, data), header

    def _again(self, right: bytes, data: memoryview) -> _Spill:
        """Write the file once more, behind another preface: the sender announced other UIDs than its object has."""
        with new_buffer(BLOCK + _STAGE) as stage, memoryview(stage) as view:
            other = _Spill(self._path.parent)
            view[: len(right)] = right
            filled, begin = len(right), 0
            while begin < len(data):
                some = min(_STAGE - filled, len(data) - begin)
                view[filled : filled + some] = data[begin : begin + some]
                begin, filled = begin + some, filled + some
                if filled == _STAGE:
                    other.append(view[:_STAGE], _STAGE)
                    filled = 0
            other.end(view[: padded(filled)], filled)
        self.remove()
        return other

    def durably(self) -> OwnFile:
        """Close the file once it survives a power cut; return what the journal says of it."""
        try:
            if self._failed is not None:
                raise self._failed
            os.fdatasync(self._descriptor)
            sync_folder(self._path.parent)
        except OSError as error:
            self.remove()
            raise unavailable(error) from error
        os.close(self._descriptor)
        self._descriptor = -1
        return OwnFile(self._path.name, self._size, self._digest.hexdigest())

    def remove(self) -> None:
        """Close and delete it."""
        if threading.current_thread() is not self._writer:
            self._await_writer()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _text(uid: bytes) -> str:
    return uid.strip(b"\0 ").decode("ascii", "replace").encode("ascii", "replace").decode()
