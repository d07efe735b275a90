"""Modalities that send at once, each on an association of its own, and write down exactly what they were told."""

from __future__ import annotations

import itertools
import random
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from conformance.bad_files import identified
from conformance.raw_scu import RawAssociation
from faults.account import Promises

_STUDY = itertools.count(1)


def an_object(uid: str, study: str, size: int, chance: random.Random) -> bytes:
    """Return a data set of about *size* bytes, all of them its own."""
    pixels = chance.randbytes(size & ~1)
    return identified(uid, struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, len(pixels)) + pixels, study=study)


class Clinic:
    """Sends objects of *sizes* bytes until it is told to stop or cut off."""

    def __init__(
        self, port: int, promises: Promises, chance: random.Random, *, sizes: tuple[int, ...], modalities: int = 3
    ) -> None:
        self._port, self._promises, self._sizes = port, promises, sizes
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(random.Random(chance.random()),), daemon=True) for _ in range(modalities)
        ]

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send inside the block; on leaving it what is under way is finished, or cut off."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(60)
            assert not any(thread.is_alive() for thread in self._threads), "a sender was kept waiting"

    def _send(self, chance: random.Random) -> None:
        with suppress(OSError, AssertionError), RawAssociation(self._port) as association:
            study = f"1.2.826.0.1.3680043.8.498.{next(_STUDY)}.{chance.getrandbits(40)}"
            for number in itertools.count(1):
                if self._stop.is_set():
                    return
                uid = f"{study}.1.{number}"
                data = an_object(uid, study, chance.choice(self._sizes), chance)
                self._promises.offer(uid, data)
                begun = time.monotonic()
                status = association.store(data, uid).status
                self._promises.answered(uid, status, time.monotonic() - begun)
                if status:
                    time.sleep(0.05)
