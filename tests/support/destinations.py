"""Nodes that objects are sent to: dcmtk's storescp, and peers that misbehave as real ones do."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def storescp(folder: Path, port: int, *options: str) -> Iterator[Path]:
    """dcmtk's storescp, keeping what it gets bit by bit in *folder*; yields once it listens."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(["/usr/bin/storescp", "+B", *options, "-od", folder, str(port)]) as process:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        try:
            yield folder
        finally:
            process.terminate()


@contextmanager
def answering(store: Callable[[evt.Event], int]) -> Iterator[int]:
    """A storage SCP that answers each C-STORE as *store* says; yields its port."""
    ae = AE("DEST")
    ae.supported_contexts = AllStoragePresentationContexts
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
