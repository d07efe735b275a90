"""What was worth making, kept on disk up to a number of bytes: transcoded frames and objects, the longest unused going first."""

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


class Shelf:
    """Files by key in *folder*, which is emptied at the start: after a crash nobody could tell a torn file from a whole one.

    Safe between threads of one process. Two that want the same at once wait for one another, so that it is made once.
    """

    _LOCKS = 64

    def __init__(self, folder: Path, limit: int) -> None:
        """Keep at most *limit* bytes in *folder*."""
        self._folder = folder
        self._limit = limit
        self._weight = 0
        self._held: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()
        self._making = [threading.Lock() for _ in range(self._LOCKS)]
        self._numbers = itertools.count()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def get(self, key: str, make: Callable[[BinaryIO], None]) -> BinaryIO:
        """Return the file under *key*, open for reading, which *make* writes when it is not there."""
        name = hashlib.sha256(key.encode()).hexdigest()
        path = self._folder / name
        with self._making[int(name[:2], 16) % self._LOCKS]:
            with self._lock:
                if name in self._held:
                    self._held.move_to_end(name)
                    return path.open("rb")
            unfinished = self._folder / f"{next(self._numbers)}.unfinished"
            try:
                with unfinished.open("wb") as out:
                    make(out)
                file = unfinished.open("rb")
                self._keep(name, unfinished.replace(path).stat().st_size)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
        return file

    def _keep(self, name: str, size: int) -> None:
        with self._lock:
            self._held[name] = size
            self._weight += size
            while self._weight > self._limit and len(self._held) > 1:
                dropped, weight = self._held.popitem(last=False)
                self._weight -= weight
                with contextlib.suppress(FileNotFoundError):
                    (self._folder / dropped).unlink()
