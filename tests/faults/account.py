"""What was promised, held against what is kept."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from dicom_node.archive.blobs import Blobs
from dicom_node.archive.part10 import read_preface
from dicom_node.archive.tables import conflict_table, instance_table
from dicom_node.archive.verification import differences
from telemed.kernel.database import Database


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
    """One kind of fault, over all of its runs."""

    fault: str
    runs: int = 0
    acknowledged: int = 0
    refused: int = 0
    lost: int = 0
    altered: int = 0
    torn: int = 0
    doubled: int = 0
    #: The longest that a node took from its start until it accepted.
    ready_s: float = 0.0
    #: The longest that a refusal took.
    refused_s: float = 0.0

    @property
    def harm(self) -> int:
        return self.lost + self.altered + self.torn + self.doubled

    def balance(self, promises: Promises, folder: Path, database_url: str) -> int:
        """Count what is wrong in the archive at *folder*, which holds nothing else; return how many objects it keeps."""
        database, blobs = Database(database_url), Blobs(folder / "blobs")
        with database.reading() as db:
            rows = db.execute(select(instance_table.c.sop_instance_uid, instance_table.c.digest)).all()
            beside = len(db.execute(select(conflict_table.c.id)).all())
        kept: dict[str, str] = {}
        for uid, digest in rows:
            self.doubled += uid in kept
            kept[uid] = ""
            file = blobs.path(digest)
            if not file.exists():
                self.torn += uid not in promises.acknowledged  # else it is lost, below
                continue
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != digest:
                self.torn += 1
                continue
            kept[uid] = hashlib.sha256(memoryview(content)[read_preface(memoryview(content)).length :]).hexdigest()
            self.altered += kept[uid] != promises.offered.get(uid)
        self.doubled += beside
        self.lost += sum(not kept.get(uid) for uid in promises.acknowledged)
        self.acknowledged = len(promises.acknowledged)
        self.refused, self.refused_s = len(promises.refused), promises.refused_s
        database.close()
        assert self.harm == 0, self
        assert {status & 0xFF00 for status in promises.refused.values()} <= {0xA700}  # PS3.4 B.2.3: out of resources
        self.verify(folder, database_url)
        return len(kept)

    @staticmethod
    def is_filed(promises: Promises, database_url: str) -> bool:
        """Tell whether the index names all that was acknowledged."""
        database = Database(database_url)
        with database.reading() as db:
            found = set(db.execute(select(instance_table.c.sop_instance_uid)).scalars())
        database.close()
        return promises.acknowledged <= found

    @staticmethod
    def verify(folder: Path, database_url: str) -> None:
        """Check that `telemed verify` would find nothing, also where nobody has started since the end."""
        database = Database(database_url)
        found = list(differences(database, Blobs(folder / "blobs")))
        database.close()
        assert found == []
