"""A thread that looks again and again, and outlives what goes wrong while it looks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from telemed.kernel.errors import Unavailable

log = logging.getLogger(__name__)


class Watch:
    """Calls *look* every *every_s* seconds in a thread called *name*, from start() to stop().

    An error ends the look, never the watch: what it was about is stored, and is met again at the next look.
    """

    def __init__(self, name: str, look: Callable[[], object], *, every_s: float) -> None:
        self.name = name
        self._look = look
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether a long look should end early."""
        return self._stop.is_set()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 10) -> None:
        """Finish the look at hand and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._look()
            except Unavailable as error:
                log.warning("%s waits: %s", self.name, error.sentence)
            except Exception:
                log.exception("%s failed and looks again", self.name)
