"""Reading and writing beside the page cache, and what a disk that fails means to a sender."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from telemed.kernel.errors import Unavailable

#: What direct reads and writes are multiples of, in the file and in memory.
BLOCK = 4096


def padded(count: int) -> int:
    """Round *count* bytes up to whole blocks."""
    return -(-count // BLOCK) * BLOCK


def open_direct(path: Path | str, flags: int) -> int:
    """Open without the page cache where the file system can do that; tmpfs, for one, cannot."""
    try:
        return os.open(path, flags | os.O_CLOEXEC | os.O_DIRECT, 0o640)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags | os.O_CLOEXEC, 0o640)


def write_direct(descriptor: int, content: memoryview) -> None:
    """Write *content*, which begins a page of memory, to a new file: its whole blocks directly, the rest through the cache."""
    whole = len(content) // BLOCK * BLOCK
    _write(descriptor, content[:whole])
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~os.O_DIRECT)
    _write(descriptor, content[whole:])


def _write(descriptor: int, content: memoryview) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unavailable(error: OSError) -> Unavailable:
    """Say to a sender what the disk said to us."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable("the disk of the archive is full: make room and send again", code="out-of-space")
    return Unavailable(f"the disk of the archive failed ({error.strerror}): send again", code="out-of-space")
