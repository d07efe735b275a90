"""The bytes of one object while it arrives: in memory up to a few MiB, beyond that in a file of the journal's folder."""

from __future__ import annotations

import hashlib
import mmap
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from dicom_node.archive.header import Header, read_header
from dicom_node.archive.journal import BLOCK, LARGEST_META, JournalWriter, meta_of, new_buffer, sync_folder, unavailable
from dicom_node.archive.part10 import preface
from dicom_node.upper_layer.messages import Command
from telemed.kernel.clock import Clock

_STAGE = 1 << 20


class Parcel:
    """One object at a time; `room` and `advance` take its data set, `keep` makes it durable.

    The preface is guessed from the command's UIDs and stands before the data from the start, so that nothing is moved:
    only senders that announce other UIDs than those of their object pay for a copy.
    """

    def __init__(self, folder: Path, journal: JournalWriter, clock: Clock) -> None:
        self._folder = folder
        self._journal = journal
        self._clock = clock
        self._buffer = new_buffer(BLOCK + max(journal.largest_content, _STAGE) + LARGEST_META + BLOCK)
        self._view = memoryview(self._buffer)
        self._preface = b""
        #: Bytes of the data set so far.
        self.size = 0
        #: Bytes of preface and data set that lie in the buffer, behind its first block.
        self._filled = 0
        self._spill: _Spill | None = None

    def begin(self, command: Command, syntax: str) -> None:
        """Make room for the object that *command* announces."""
        self.discard()
        self._preface = preface(_text(command.sop_class_uid), _text(command.sop_instance_uid), syntax)
        self._view[BLOCK : BLOCK + len(self._preface)] = self._preface
        self.size, self._filled = 0, len(self._preface)

    def room(self, wanted: int) -> memoryview:
        """Return memory for some of the next *wanted* bytes; nothing is lost that `advance` was told of."""
        if self._spill is None and self._filled + wanted > self._journal.largest_content:
            self._spill = _Spill(self._folder)
            self._flush()
        elif self._spill is not None and self._filled >= _STAGE:
            self._flush()
        limit = self._journal.largest_content if self._spill is None else _STAGE
        begin = BLOCK + self._filled
        return self._view[begin : begin + min(wanted, limit - self._filled)]

    def advance(self, count: int) -> None:
        """Count *count* bytes more that now stand where `room` said."""
        self.size += count
        self._filled += count

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
            self._flush()
            file, digest, header = self._spill.finish(self._preface, syntax)
            size = self.size + len(preface(header.sop_class_uid, header.sop_instance_uid, syntax))
            meta = meta_of(
                header, institution=institution, syntax=syntax, source=source, at=at, file=file, digest=digest, size=size
            )
            self._journal.write(self._buffer, 0, hashlib.sha256().digest(), meta)
            self._spill = None  # it is the journal's now
            return
        header = self._header(syntax)
        with self._view[BLOCK : BLOCK + self._filled] as content:
            digest_of = hashlib.sha256(content).digest()
        meta = meta_of(header, institution=institution, syntax=syntax, source=source, at=at)
        self._journal.write(self._buffer, self._filled, digest_of, meta)

    def _header(self, syntax: str) -> Header:
        begin = BLOCK + len(self._preface)
        with self._view[begin : begin + self.size] as data:
            header = read_header(data, syntax)
        right = preface(header.sop_class_uid, header.sop_instance_uid, syntax)
        if right != self._preface:
            self._buffer.move(BLOCK + len(right), begin, self.size)
            self._buffer[BLOCK : BLOCK + len(right)] = right
            self._preface, self._filled = right, len(right) + self.size
        return header

    def _flush(self) -> None:
        assert self._spill is not None
        with self._view[BLOCK : BLOCK + self._filled] as staged:
            self._spill.write(staged)
        self._filled = 0


class _Spill:
    """The file of a long object. A disk that fails is told of at the end: until then the sender keeps on sending."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{uuid4().hex}.part10"
        self._digest = hashlib.sha256()
        self._failed: OSError | None = None
        self._descriptor = -1
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except OSError as error:
            self._failed = error

    def write(self, content: memoryview) -> None:
        """Append *content*."""
        if self._failed is not None:
            return
        self._digest.update(content)
        try:
            while content:
                content = content[os.write(self._descriptor, content) :]
        except OSError as error:
            self._failed = error
            self.remove()

    def finish(self, guessed: bytes, syntax: str) -> tuple[str, str, Header]:
        """Make the file durable behind its right preface; return its name, its sha256 as hex, and its header."""
        if self._failed is not None:
            raise unavailable(self._failed)
        with (
            mmap.mmap(self._descriptor, 0, prot=mmap.PROT_READ) as mapped,
            memoryview(mapped) as whole,
            whole[len(guessed) :] as data,
        ):
            header = read_header(data, syntax)
            right = preface(header.sop_class_uid, header.sop_instance_uid, syntax)
            if right != guessed:
                return self._again(right, data, header)
        return *self.durably(), header

    def _again(self, right: bytes, data: memoryview, header: Header) -> tuple[str, str, Header]:
        """Write the file once more, behind another preface: the sender announced other UIDs than its object has."""
        other = _Spill(self._path.parent)
        other.write(memoryview(right))
        for begin in range(0, len(data), _STAGE):
            other.write(data[begin : begin + _STAGE])
        self.remove()
        name, digest = other.durably()
        return name, digest, header

    def durably(self) -> tuple[str, str]:
        """Close the file once it survives a power cut; return its name and its sha256 as hex."""
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
        return self._path.name, self._digest.hexdigest()

    def remove(self) -> None:
        """Close and delete it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _text(uid: bytes) -> str:
    return uid.strip(b"\0 ").decode("ascii", "replace").encode("ascii", "replace").decode()
