"""A DICOM node alone, in processes of its own: python lone_node.py FOLDER DATABASE JOURNAL_BYTES; it prints its port."""

from __future__ import annotations

import sys
import threading
from ipaddress import ip_network
from pathlib import Path

from dicom_node.access import Access, KnownPeer, KnownPeers
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.node import DicomNode
from telemed.kernel.audit import AuditTrail, Chronicle
from telemed.kernel.clock import SystemClock
from telemed.kernel.database import Database, metadata
from telemed.kernel.events import EventLog


def main(folder: Path, database_url: str, journal_bytes: int) -> None:
    clock, database = SystemClock(), Database(database_url)
    metadata.create_all(database.engine)
    chronicle = Chronicle(clock, EventLog(database, clock), AuditTrail(clock))
    archive = Archive(database, chronicle, Blobs(folder / "blobs"))
    archive.recover()
    anybody = Access(KnownPeers([KnownPeer("*", (ip_network("127.0.0.0/8"),), "lianhua")]), None)
    node = DicomNode(archive, anybody, host="127.0.0.1", port=0, processes=2, journal_bytes=journal_bytes)
    node.start()
    print(node.address[1], flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
