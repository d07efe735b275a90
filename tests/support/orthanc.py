"""Orthanc, Debian's, as a peer: a DICOM node and a DICOMweb client, told what to do by its own REST interface."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc, AE title ORTHANC."""

    port: int
    http: str

    def tell(self, path: str, body: Any = None, *, method: str = "") -> Any:
        """Return what it answers, read as JSON; a dict is sent as JSON, bytes and texts as they are."""
        data = json.dumps(body).encode() if isinstance(body, dict | list) else body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(self.http + path, data=data, method=method or ("GET" if data is None else "POST"))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"Orthanc answered {error.code} to {path}: {error.read()[:600]!r}") from None

    def forget(self) -> None:
        """Empty it."""
        for study in self.tell("/studies"):
            self.tell(f"/studies/{study}", method="DELETE")


@contextmanager
def running(folder: Path, *, modalities: dict[str, list[Any]], servers: dict[str, dict[str, Any]]) -> Iterator[Orthanc]:
    """Start it in *folder*, knowing *modalities* (DICOM nodes) and *servers* (DICOMweb), by Orthanc's own settings."""
    folder.mkdir(parents=True)
    port, http_port = free_port(), free_port()
    settings = {
        "Name": "peer", "StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": http_port, "DicomPort": port,
        "DicomAet": "ORTHANC", "DicomCheckCalledAet": False, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
        "DefaultEncoding": "Utf8", "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True,
        "DicomModalities": modalities, "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": servers},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["/usr/sbin/Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        orthanc = Orthanc(port, f"http://127.0.0.1:{http_port}")
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
            try:
                orthanc.tell("/system")
                break
            except OSError:
                assert time.monotonic() < deadline, "Orthanc does not answer"
                time.sleep(0.1)
        yield orthanc
    finally:
        process.terminate()
        process.wait(20)
