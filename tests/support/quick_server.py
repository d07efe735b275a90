"""A whole server whose clock runs quicker: python quick_server.py DATA DATABASE SPEED EPOCH, on free ports.

At EPOCH, in seconds since 1970, its clock and the machine's say the same; since then it has run SPEED times as fast.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from telemed import keeping
from telemed.config import Address, Config
from telemed.server import serve


@dataclass(frozen=True)
class QuickClock:
    """Tells the same moment in every process that was given the same two numbers."""

    speed: float
    epoch: float

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.epoch + (time.time() - self.epoch) * self.speed, UTC)


def main(data: Path, database_url: str, clock: QuickClock) -> int:
    keeping.SystemClock = lambda: clock
    nowhere = Address("127.0.0.1", 0)
    return serve(Config(data=data, database=database_url, http=nowhere, dicom=nowhere, node_processes=1))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], QuickClock(float(sys.argv[3]), float(sys.argv[4]))))
