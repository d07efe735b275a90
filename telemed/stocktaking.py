"""The worker that has the database take stock, so that searching a hundred thousand studies is planned as it should be."""

from __future__ import annotations

import logging
import threading

from telemed.kernel.database import Database
from telemed.kernel.errors import Unavailable

log = logging.getLogger(__name__)

#: The tables of a county grow by a few per cent a day; what is known of them need not be newer than this.
EVERY_S = 3600.0


class Stocktaking:
    """Takes stock at the start and every hour."""

    def __init__(self, database: Database, *, every_s: float = EVERY_S) -> None:
        self._database = database
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stocktaking", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float = 10) -> None:
        """Finish the work at hand and end."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._database.take_stock()
            except Unavailable as error:
                log.warning("the database did not take stock: %s", error.sentence)
            self._stopping.wait(self._every_s)
