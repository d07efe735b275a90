"""What was worth making, kept on disk up to a number of bytes, the longest unused going first.

It holds frames and objects in another transfer syntax, and pictures.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from telemed.kernel.errors import Unavailable

#: What a file counts at the least: a small one, too, takes a block and an inode of the disk, and its name some memory.
LEAST = 16 << 10


class Shelf:
    """Files by key in *folder*, which is emptied at the start: after a crash nobody could tell a torn file from a whole one.

    Safe between threads of one process. Two that want the same at once wait for one another, so that it is made once.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        """Keep at most *limit* bytes in *folder*, each file counted as LEAST at the least, or one file that is larger alone."""
        self._folder = folder
        self._limit = limit
        self._weight = 0
        self._held: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._numbers = itertools.count()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def get(self, key: str, make: Callable[[BinaryIO], None]) -> BinaryIO:
        """Return the file under *key*, open for reading, which *make* writes when it is not there.

        Raises
        ------
        Unavailable
            code "out-of-space" when it cannot be written.
        """
        name = _name_of(key)
        with self._lock:
            making = self._making.setdefault(name, threading.Lock())
        with making:
            try:
                return self._found(name) or self._made(self._folder / name, make)
            finally:
                with self._lock:
                    self._making.pop(name, None)

    def find(self, key: str) -> BinaryIO | None:
        """Return the file under *key*, open for reading; None when it is not there."""
        return self._found(_name_of(key))

    def _found(self, name: str) -> BinaryIO | None:
        with self._lock:
            if name not in self._held:
                return None
            try:
                file = (self._folder / name).open("rb")
            except FileNotFoundError:  # somebody made room on the disk; it is made again
                self._weight -= self._held.pop(name)
                return None
            self._held.move_to_end(name)
            return file

    def _made(self, path: Path, make: Callable[[BinaryIO], None]) -> BinaryIO:
        unfinished = self._folder / f"{next(self._numbers)}.unfinished"
        try:
            with unfinished.open("wb") as out:
                make(out)
            file = unfinished.open("rb")
            self._keep(path.name, unfinished.replace(path).stat().st_size)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise Unavailable(
                "the cache of frames and pictures cannot be written; look at the disk", code="out-of-space"
            ) from error
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        return file

    def _keep(self, name: str, size: int) -> None:
        size = max(size, LEAST)
        with self._lock:
            self._weight += size - self._held.get(name, 0)
            self._held[name] = size
            while self._weight > self._limit and len(self._held) > 1:
                dropped, weight = self._held.popitem(last=False)
                self._weight -= weight
                with contextlib.suppress(FileNotFoundError):
                    (self._folder / dropped).unlink()


def _name_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
