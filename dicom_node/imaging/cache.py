"""What was asked for lately, kept up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class RecentlyUsed(Generic[Value]):
    """Values by key, the longest unused dropped once all together weigh more than *limit*. Safe between threads."""

    def __init__(self, limit: int) -> None:
        """Hold at most *limit*, in the unit of the weights given to put()."""
        self._limit = limit
        self._weight = 0
        self._held: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """Return what *key* holds, or None."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Value, weight: int) -> None:
        """Keep *value*, unless it alone would push out more than a quarter of the rest."""
        if weight > self._limit // 4:
            return
        with self._lock:
            previous = self._held.pop(key, None)
            self._weight += weight - (previous[1] if previous else 0)
            self._held[key] = (value, weight)
            while self._weight > self._limit:
                _, (_, dropped) = self._held.popitem(last=False)
                self._weight -= dropped
