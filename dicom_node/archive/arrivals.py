"""How far filing is behind what was acknowledged, for those who ask for what has just come."""

from __future__ import annotations

import threading


class Arrivals:
    """Counts the objects that are durable in the journal, and those of them that can be found in the index."""

    def __init__(self) -> None:
        self._announced = self._filed = self._waiting = 0
        self._stalled = False
        self._changed = threading.Condition()

    def announced(self) -> None:
        """Count one more that is to be filed."""
        with self._changed:
            self._announced += 1

    def filed(self, count: int) -> None:
        """Count *count* more that can be found."""
        with self._changed:
            self._filed += count
            self._changed.notify_all()

    def stall(self, *, stalled: bool) -> None:
        """While *stalled*, the disk or the database is away: nobody waits in vain."""
        with self._changed:
            self._stalled = stalled
            self._changed.notify_all()

    @property
    def pending(self) -> int:
        """How many cannot be found yet."""
        return self._announced - self._filed

    @property
    def are_awaited(self) -> bool:
        """Whether somebody waits: then nothing is put off."""
        return self._waiting > 0

    def wait(self, seconds: float) -> None:
        """Return once all that was announced so far can be found; after *seconds* in any case."""
        with self._changed:
            latest = self._announced
            self._waiting += 1
            self._changed.wait_for(lambda: self._filed >= latest or self._stalled, seconds)
            self._waiting -= 1
