"""DICOM nodes alone, each a fork of this process, which has loaded everything already.

Standard input is a socket. Each message on it begins one: [FOLDER, DATABASE, JOURNAL_BYTES, TRACED] as JSON, with two
descriptors, its standard output, where it prints its port, and its log. What comes back is its process number. TRACED: it
waits for its tracer before it does anything.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from ipaddress import ip_network
from pathlib import Path

import psycopg  # noqa: F401 - SQLAlchemy loads it with the first PostgreSQL: before the fork it is loaded once

from dicom_node.access import Access, KnownPeer, KnownPeers
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.node import DicomNode
from telemed.kernel.audit import AuditTrail, Chronicle
from telemed.kernel.clock import SystemClock
from telemed.kernel.database import Database, metadata
from telemed.kernel.events import EventLog


def serve(folder: Path, database_url: str, journal_bytes: int) -> None:
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


def fork_for_each(requests: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    while True:
        message, descriptors, *_ = socket.recv_fds(requests, 4096, 2)
        if not message:
            return
        child = os.fork()
        if child == 0:
            requests.close()
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor, standard in zip(descriptors, (1, 2), strict=True):
                os.dup2(descriptor, standard)
                os.close(descriptor)
            folder, database_url, journal_bytes, traced = json.loads(message)
            while traced and "TracerPid:\t0" in Path("/proc/self/status").read_text(encoding="ascii"):
                time.sleep(0.01)
            serve(Path(folder), database_url, journal_bytes)
        for descriptor in descriptors:
            os.close(descriptor)
        requests.send(str(child).encode())


if __name__ == "__main__":
    fork_for_each(socket.socket(fileno=os.dup(0)))
