"""Associations that were refused, in the audit trail: for each caller one record a minute, however often it knocks."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass

from telemed.kernel.audit import AuditRecord, Witness
from telemed.kernel.errors import Unavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """Who was refused, by the titles and the address it gave, and why in a few words; titles are empty before any was said."""

    calling_aet: str
    called_aet: str
    address: str
    why: str


class Refusals:
    """Counts refusals and lets *witness* write them once a minute; of more than MOST callers the others are counted together."""

    EVERY_S = 60.0
    MOST = 100
    _OTHERS = Refusal("", "", "", "further callers")

    def __init__(self, witness: Witness) -> None:
        """Count from nothing; nothing is written before start()."""
        self._witness = witness
        self._counts: Counter[Refusal] = Counter()
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, refusal: Refusal) -> None:
        """Count *refusal*, whose words are a stranger's; the first of a kind in each minute is in the log at once."""
        said = Refusal(_shown(refusal.calling_aet), _shown(refusal.called_aet), refusal.address, refusal.why)
        with self._changing:
            counted = said if said in self._counts or len(self._counts) < self.MOST else self._OTHERS
            self._counts[counted] += 1
            first = self._counts[counted] == 1
        if first:
            log.warning("refused %r, who called %r from %s: %s", said.calling_aet, said.called_aet, said.address, said.why)

    def start(self) -> None:
        """Begin writing, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 10) -> None:
        """Write what is left and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.wait(self.EVERY_S):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._changing:
            counts, self._counts = self._counts, Counter()
        for refusal, count in counts.items():
            detail = {"called": refusal.called_aet, "why": refusal.why, "times": count}
            record = AuditRecord(
                refusal.calling_aet, "AssociationRefused", "Association", refusal.address, outcome=4, detail=detail
            )
            try:
                self._witness.note(record)
            except Unavailable as error:
                log.warning("%d refusals of %s are not in the audit trail: %s", count, refusal.address, error.sentence)


def _shown(title: str) -> str:
    """Return an AE title as it can be kept anywhere: at most 16 characters, those that cannot be seen as question marks."""
    return "".join(character if character.isprintable() else "?" for character in title[:16])
