"""Content-addressed files: write, fsync, link, fsync the directory; never a peer's name in a path.

``<folder>/ab/cd/<sha256>.dcm`` is an ordinary DICOM file that any viewer opens. A name says what the content must be,
so a file that exists is complete, and the same content is kept once.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import re
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dicom_node.archive.disk import open_direct, unavailable, write_direct
from telemed.kernel.database import new_id
from telemed.kernel.errors import NotFound

#: Python has no name for syncfs, which reports a failed write since Linux 5.8.
_LIBC = ctypes.CDLL(None, use_errno=True)
_READ_AT_ONCE = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Disk(Protocol):
    """The few calls of the operating system that durability stands on, so that a test can let each of them fail."""

    def write(self, descriptor: int, data: memoryview) -> int: ...  # noqa: D102 - os.write
    def fsync(self, descriptor: int) -> None: ...  # noqa: D102 - os.fsync
    def sync_all(self, descriptor: int) -> None: ...  # noqa: D102 - syncfs
    def link(self, source: Path, target: Path) -> None: ...  # noqa: D102 - os.link


class SystemDisk:
    """The operating system's own."""

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of *data*."""
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        """Return once the file's content and size survive a power cut."""
        os.fsync(descriptor)

    def sync_all(self, descriptor: int) -> None:
        """Return once the whole file system of the descriptor survives a power cut: one commit for many new files."""
        if _LIBC.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def link(self, source: Path, target: Path) -> None:
        """Give the file its second name in one step; FileExistsError when the name is taken."""
        target.hardlink_to(source)


@dataclass(frozen=True)
class Blob:
    """A kept file: its sha256 as hex, and its bytes on disk."""

    digest: str
    size: int


class Blobs:
    """The files under *folder*.

    A file is written under ``incoming/``, made durable, and given its final name by a hard link. The incoming name goes
    only once the index row is committed: whatever is still there at a start was interrupted, and `recover` undoes it.
    """

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._disk = disk or SystemDisk()
        self._known: set[Path] = set()
        self._making = threading.Lock()
        self._incoming.mkdir(parents=True, exist_ok=True)
        # Open before anything is placed: to a descriptor opened later the system need not tell of a write that failed before.
        self._witness = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._witness)

    @property
    def folder(self) -> Path:
        """Where everything lies."""
        return self._folder

    @contextmanager
    def keeping(self, chunks: Iterable[bytes | memoryview]) -> Iterator[Blob]:
        """Keep the bytes of *chunks*, in order; inside the block they survive a power cut.

        A block that ends well makes it final. One that raises leaves the mark by which `recover` will find the blob:
        it is not removed at once, since the same content may just have been kept by another store.

        Raises
        ------
        Unavailable
            code "out-of-space" when the disk is full or fails; nothing is left behind that `recover` does not find.
        """
        mark = self._incoming / new_id()
        try:
            blob = self._write(mark, chunks)
            target = self.path(blob.digest)
            self._make_parent(target.parent)
            with suppress(FileExistsError):
                self._disk.link(mark, target)
        except OSError as error:
            mark.unlink(missing_ok=True)
            raise unavailable(error) from error
        try:
            self._sync_folder(target.parent)
        except OSError as error:
            raise unavailable(error) from error
        yield blob
        mark.unlink(missing_ok=True)

    def place(self, digest: str, content: memoryview, *, anew: bool = False) -> None:
        """Give the blob *digest* its file; only `sync` makes it durable.

        *content* begins a page of memory: its whole blocks go to the disk directly, for nobody reads them again soon.
        A file already there is kept, or replaced when *anew*: its content is in doubt.

        Raises
        ------
        Unavailable
            code "out-of-space"; nothing is left behind.
        """
        target, mark = self._name(digest), f"{self._incoming}/{new_id()}"
        try:
            if not anew and _size_of(target) == len(content):
                return
            descriptor = open_direct(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                write_direct(descriptor, content)
            finally:
                os.close(descriptor)
            _under_its_folder(target, os.rename, mark)
        except OSError as error:
            Path(mark).unlink(missing_ok=True)
            raise unavailable(error) from error

    def adopt(self, file: Path, digest: str) -> None:
        """Make *file*, whose content is durable, the blob *digest*, too; only `sync` makes its second name durable.

        Raises
        ------
        Unavailable
            code "out-of-space"; the file stays where it was.
        """
        try:
            with suppress(FileExistsError):
                _under_its_folder(self._name(digest), os.link, str(file))
        except OSError as error:
            raise unavailable(error) from error

    def sync(self) -> None:
        """Return once everything placed so far survives a power cut.

        Raises
        ------
        Unavailable
            when the disk failed: what was placed since the last time is in doubt, and must be placed anew.
        """
        try:
            self._disk.sync_all(self._witness)
        except OSError as error:
            raise unavailable(error) from error

    def recover(self, is_referenced: Callable[[str], bool]) -> int:
        """Undo what a crash left half-done, before anything is stored; return how many stores that were.

        *is_referenced* tells whether the index has a row for a digest: then the blob stays, and only its mark goes.
        """
        interrupted = 0
        for mark in sorted(self._incoming.iterdir()):
            if mark.stat().st_nlink > 1:
                with mark.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                if not is_referenced(digest):
                    self.path(digest).unlink(missing_ok=True)
            mark.unlink()
            interrupted += 1
        return interrupted

    def _write(self, temporary: Path, chunks: Iterable[bytes | memoryview]) -> Blob:
        digest, size = hashlib.sha256(), 0
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            for chunk in chunks:
                digest.update(chunk)
                rest = memoryview(chunk)
                size += len(rest)
                while rest:
                    rest = rest[self._disk.write(descriptor, rest) :]
            self._disk.fsync(descriptor)
        finally:
            os.close(descriptor)
        return Blob(digest.hexdigest(), size)

    def _make_parent(self, folder: Path) -> None:
        """Make the two levels of folders, each durable in the one above it."""
        if folder in self._known:
            return
        with self._making:
            for level in (folder.parent, folder):
                level.mkdir(exist_ok=True)
                self._sync_folder(level.parent)
            self._known.add(folder)

    def _sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._disk.fsync(descriptor)
        finally:
            os.close(descriptor)

    def path(self, digest: str) -> Path:
        """Return where the blob lies or would lie."""
        return Path(self._name(digest))

    def _name(self, digest: str) -> str:
        """Return the same as text: on the way of every object a Path costs more than some of the calls it is for."""
        if not _DIGEST.match(digest):
            raise NotFound("that is not the digest of an object", code="blob")
        return f"{self._folder}/{digest[:2]}/{digest[2:4]}/{digest}.dcm"

    def is_on_disk(self, digest: str) -> bool:
        """Tell whether the disk itself has the blob in whole, past what memory says of it; False where it cannot be asked."""
        found = hashlib.sha256()
        try:
            descriptor = os.open(self.path(digest), os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
            with mmap.mmap(-1, _READ_AT_ONCE) as buffer, os.fdopen(descriptor, "rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    found.update(buffer[:count])
        except OSError:
            return False
        return found.hexdigest() == digest

    def is_being_kept(self, digest: str) -> bool:
        """Tell whether its mark is still there: it is being stored, or was when the server ended."""
        return self.exists(digest) and self.path(digest).stat().st_nlink > 1

    def exists(self, digest: str) -> bool:
        """Tell whether the blob is kept."""
        return self.path(digest).is_file()

    def read(self, digest: str) -> bytes:
        """Return the blob's bytes, or raise NotFound."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            raise NotFound("the object's file is missing from the archive; run `telemed verify`", code="blob") from None

    def digests(self) -> Iterator[str]:
        """Name every kept blob, in order."""
        for path in sorted(self._folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*.dcm")):
            yield path.stem

    def is_whole(self, digest: str) -> bool:
        """Read the blob again and tell whether its content is still what its name says; NotFound when it is gone."""
        try:
            with self.path(digest).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == digest
        except FileNotFoundError:
            raise NotFound("the object's file is missing from the archive", code="blob") from None


def _under_its_folder(target: str, give_name: Callable[[str, str], None], file: str) -> None:
    try:
        give_name(file, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - see Blobs._name
        give_name(file, target)


def _size_of(file: str) -> int | None:
    try:
        return os.stat(file).st_size  # noqa: PTH116 - see Blobs._name
    except FileNotFoundError:
        return None
