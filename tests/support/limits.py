"""What a machine may have run out of, by the system's own limits: processes feel what they would feel there."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path


@contextmanager
def limited(what: int, most: int, pid: int = 0) -> Iterator[None]:
    """Let the process *pid*, or this one, have no more than *most* of *what* (setrlimit(2))."""
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)


def full_disk() -> AbstractContextManager[None]:
    """Let this process write nothing into any file."""
    return limited(resource.RLIMIT_FSIZE, 0)


def no_descriptor(pid: int) -> AbstractContextManager[None]:
    """Let the process *pid* open nothing more, as if others had taken the rest."""
    taken = {int(descriptor.name) for descriptor in Path(f"/proc/{pid}/fd").iterdir()}
    return limited(resource.RLIMIT_NOFILE, next(number for number in range(1 << 16) if number not in taken), pid)
