"""What was promised, held against what is kept."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from dicom_node.archive.blobs import Blobs
from dicom_node.archive.part10 import read_preface
from dicom_node.archive.tables import conflict_table, instance_table
from dicom_node.archive.verification import differences
from telemed.kernel.database import Database

#: So many faults are done to one archive before it is put away for a fresh one: all of it is read again after each.
_TO_ONE_ARCHIVE = 10
COLUMNS = ("runs", "acknowledged", "refused", "lost", "altered", "torn", "doubled", "ready_s", "refused_s", "seconds")


@dataclass
class Promises:
    """What senders have offered, and what they were told of it: SOP Instance UID -> sha256 of the data set, or status."""

    offered: dict[str, str] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    #: The longest that a refusal took, in seconds.
    refused_s: float = 0.0
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, uid: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        with self._changing:
            self.offered[uid] = digest

    def answered(self, uid: str, status: int, seconds: float) -> None:
        with self._changing:
            if status == 0:
                self.acknowledged.add(uid)
            else:
                self.refused[uid] = status
                self.refused_s = max(self.refused_s, seconds)


@dataclass
class Account:
    """One kind of fault, over all of its runs; *tell* hears of each."""

    fault: str
    tell: Callable[[Account], None] = lambda _: None
    runs: int = 0
    lost: int = 0
    altered: int = 0
    torn: int = 0
    doubled: int = 0
    #: The longest that a node took from its start until it accepted.
    ready_s: float = 0.0
    promises: list[Promises] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def acknowledged(self) -> int:
        return sum(len(one.acknowledged) for one in self.promises)

    @property
    def refused(self) -> int:
        return sum(len(one.refused) for one in self.promises)

    @property
    def refused_s(self) -> float:
        """The longest that a refusal took."""
        return max((one.refused_s for one in self.promises), default=0.0)

    @property
    def harm(self) -> int:
        return self.lost + self.altered + self.torn + self.doubled

    def ran(self) -> None:
        """Count one run that ended as it should."""
        self.runs += 1
        self.seconds = time.monotonic() - self.begun
        self.tell(self)

    def turns(self, count: int) -> Iterator[range]:
        """Yield the numbers of *count* runs, in turns: each turn has an archive of its own."""
        for first in range(0, count, _TO_ONE_ARCHIVE):
            yield range(first, min(first + _TO_ONE_ARCHIVE, count))

    def keep(self, folder: Path, database_url: str = "") -> Kept:
        """Return the archive in *folder*, which is new and holds nothing yet."""
        folder.mkdir()
        self.promises.append(Promises())
        return Kept(self, folder, database_url or f"sqlite:///{folder / 'telemed.sqlite'}", self.promises[-1])

    def row(self, **more: object) -> str:
        """Return it as one line of JSON."""
        values = {column: getattr(self, column) for column in COLUMNS}
        rounded = {column: round(value, 2) if isinstance(value, float) else value for column, value in values.items()}
        return json.dumps({"fault": self.fault, **rounded, **more}, ensure_ascii=False)


@dataclass
class Kept:
    """An archive that faults are done to, and what was promised of it."""

    account: Account
    folder: Path
    database_url: str
    promises: Promises

    def balance(self) -> int:
        """Count what is wrong in it, and fail if anything is; return how many objects it keeps."""
        database, blobs, account = Database(self.database_url), Blobs(self.folder / "blobs"), self.account
        with database.reading() as db:
            rows = db.execute(select(instance_table.c.sop_instance_uid, instance_table.c.digest)).all()
            beside = len(db.execute(select(conflict_table.c.id)).all())
        database.close()
        kept: dict[str, str] = {}
        for uid, digest in rows:
            account.doubled += uid in kept
            kept[uid] = ""
            file = blobs.path(digest)
            if not file.exists():
                account.torn += uid not in self.promises.acknowledged  # else it is lost, below
                continue
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != digest:
                account.torn += 1
                continue
            kept[uid] = hashlib.sha256(memoryview(content)[read_preface(memoryview(content)).length :]).hexdigest()
            account.altered += kept[uid] != self.promises.offered.get(uid)
        account.doubled += beside
        account.lost += sum(not kept.get(uid) for uid in self.promises.acknowledged)
        assert account.harm == 0, account.row()
        assert {status & 0xFF00 for status in self.promises.refused.values()} <= {0xA700}  # PS3.4 B.2.3: out of resources
        self.verify()
        return len(kept)

    def is_filed(self) -> bool:
        """Tell whether the index names all that was acknowledged."""
        database = Database(self.database_url)
        with database.reading() as db:
            found = set(db.execute(select(instance_table.c.sop_instance_uid)).scalars())
        database.close()
        return self.promises.acknowledged <= found

    def verify(self) -> None:
        """Check that `telemed verify` would find nothing but what the next start mends; nobody has started since the end."""
        database = Database(self.database_url)
        found = list(differences(database, Blobs(self.folder / "blobs")))
        database.close()
        assert [sentence for sentence in found if not sentence.endswith("start the server anew")] == []
