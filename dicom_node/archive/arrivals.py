"""How far filing is behind what was acknowledged, for those who ask for what has just come."""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from datetime import datetime, timedelta

#: A count that is wrong, whatever made it so, holds nothing up for longer.
LONGEST_BEHIND = timedelta(minutes=1)


class Tally:
    """A number that one process raises and the main one reads, in memory they share: neither has to tell the other."""

    def __init__(self, descriptor: int | None = None) -> None:
        """Begin at 0, or look at the tally behind another process's *descriptor*."""
        self.descriptor = os.memfd_create("tally") if descriptor is None else descriptor
        weakref.finalize(self, os.close, self.descriptor)
        os.ftruncate(self.descriptor, mmap.PAGESIZE)
        self._number = memoryview(mmap.mmap(self.descriptor, mmap.PAGESIZE)).cast("Q")

    def add(self) -> None:
        """Raise it by one; one thread at a time."""
        self._number[0] += 1

    @property
    def value(self) -> int:
        """The number."""
        return self._number[0]


class Arrivals:
    """Compares how many objects are durable in the journal with how many of them can be found in the index."""

    def __init__(self) -> None:
        self._tallies: list[Tally] = []
        self._before = self._filed = self._waiting = 0
        self._newest_filed: datetime | None = None
        self._stalled = False
        self._changed = threading.Condition()

    def follow(self, tally: Tally) -> None:
        """Count what *tally* counts: objects that are durable, each before its sender hears of it."""
        with self._changed:
            self._tallies.append(tally)

    def ended(self, tally: Tally, announced: int) -> None:
        """Follow *tally* no more: of its objects *announced* are filed one by one, the others have been filed by another way."""
        with self._changed:
            self._tallies.remove(tally)
            self._before += announced
            self._changed.notify_all()

    def filed(self, count: int, newest: datetime | None = None) -> None:
        """Count *count* more that can be found, the *newest* of them received then."""
        with self._changed:
            self._filed += count
            self._newest_filed = newest or self._newest_filed
            self._changed.notify_all()

    def stall(self, *, stalled: bool) -> None:
        """While *stalled*, the disk or the database is away: nobody waits in vain."""
        with self._changed:
            self._stalled = stalled
            self._changed.notify_all()

    @property
    def pending(self) -> int:
        """How many cannot be found yet."""
        with self._changed:
            return self._durable() - self._filed

    def filed_until(self, now: datetime) -> datetime:
        """Return until when all that was acknowledged can be found: *now* unless filing is behind."""
        with self._changed:
            if self._durable() <= self._filed:
                return now
            earliest = now - LONGEST_BEHIND
            return min(max(self._newest_filed or earliest, earliest), now)

    @property
    def are_awaited(self) -> bool:
        """Whether somebody waits: then nothing is put off."""
        return self._waiting > 0

    def wait(self, seconds: float) -> None:
        """Return once all that is durable now can be found; after *seconds* in any case."""
        with self._changed:
            latest = self._durable()
            self._waiting += 1
            self._changed.wait_for(lambda: self._filed >= min(latest, self._durable()) or self._stalled, seconds)
            self._waiting -= 1

    def _durable(self) -> int:
        return self._before + sum(tally.value for tally in self._tallies)
