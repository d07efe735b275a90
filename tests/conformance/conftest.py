"""What the conformance tests share: one demo server, the command line, and whatever proves that nothing was kept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.raw_scu import is_answering
from conformance.visits import clinic_of
from support import server as installed
from support.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One demo server for all tests of a module."""
    running = Server(tmp_path_factory.mktemp("served") / "data").start()
    yield running
    if running.process.poll() is None:
        running.kill()


@pytest.fixture(scope="session")
def telemed(tmp_path_factory: pytest.TempPathFactory):
    """Return a function that runs one `telemed` command to its end."""
    state = {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}

    def run(*arguments: object, says: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(installed.TELEMED), *map(str, arguments)],
            input=says,
            stdin=None if says is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"LANG": "C.UTF-8"} | state | environment,
        )

    return run


def blobs_of(data: Path) -> list[str]:
    """Name every file under the archive's folder."""
    return sorted(str(file.relative_to(data)) for file in (data / "blobs").rglob("*") if file.is_file())


@pytest.fixture
def nothing_is_kept(server: Server) -> Iterator[None]:
    """Check, after the test, that it changed neither the index nor the disk, and that the server lives on both its ports."""
    client = clinic_of(server)
    before = blobs_of(server.data), [study["study_instance_uid"] for study in client.get("/api/v1/studies")["items"]]
    yield
    after = blobs_of(server.data), [study["study_instance_uid"] for study in client.get("/api/v1/studies")["items"]]
    assert after == before
    assert server.process.poll() is None
    assert client.get("/healthz") == {"status": "up"}
    assert is_answering(server.dicom_port)
