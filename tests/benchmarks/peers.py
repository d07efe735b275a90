"""The servers that are measured side by side, each on a port and a folder of its own, and the objects they are sent."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

#: Peer -> the program that must be installed for it.
PROGRAMS = {"storescp": Path("/usr/bin/storescp"), "orthanc": Path("/usr/sbin/Orthanc"), "ours": Path(sys.executable)}
#: Debian's orthanc-dicomweb, for the queries.
DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_TICKS = os.sysconf("SC_CLK_TCK")
CLASSES = {
    "ct": "1.2.840.10008.5.1.4.1.1.2",
    "dx": "1.2.840.10008.5.1.4.1.1.1.1",
    "us": "1.2.840.10008.5.1.4.1.1.3.1",
    "ecg": "1.2.840.10008.5.1.4.1.1.9.1.1",
}
#: Kind of image -> frames, rows, columns, samples per pixel, bytes of each.
IMAGES = {"ct": (1, 512, 512, 1, 2), "dx": (1, 2500, 2048, 1, 2), "us": (24, 600, 800, 3, 1)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Peer:
    """A running server."""

    name: str
    port: int
    called: str
    process: subprocess.Popen[bytes]
    #: The port of its DICOMweb; dcmtk's programs have none.
    http_port: int

    def cpu_s(self) -> float:
        """Return the CPU seconds of its processes, ended children included."""
        total = 0
        for pid in _tree(self.process.pid):
            with suppress(FileNotFoundError, ProcessLookupError):
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
                total += sum(map(int, fields[11:15]))
        return total / _TICKS

    def until_quiet(self) -> float:
        """Wait until it works no more on what it was sent; return its CPU seconds."""
        before, deadline = self.cpu_s(), time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.cpu_s()
            if now - before < 0.03:
                return now
            before = now
        return before

    def stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
                return


def _tree(pid: int) -> list[int]:
    found = [pid]
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found += _tree(int(child))
    return found


def _storescp(folder: Path, port: int, _http_port: int) -> list[str]:
    return ["/usr/bin/storescp", "--fork", "+B", "-pdu", "131072", "-od", str(folder), str(port)]


def _orthanc(folder: Path, port: int, http_port: int) -> list[str]:
    settings = {
        "Name": "bench", "StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": http_port,
        "DicomPort": port, "DicomAet": "ORTHANC", "DicomCheckCalledAet": False, "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False, "DicomAlwaysAllowFind": True,
        "Plugins": [str(DICOMWEB_PLUGIN)] if DICOMWEB_PLUGIN.exists() else [],
    }  # fmt: skip
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings), encoding="utf-8")
    return ["/usr/sbin/Orthanc", str(file)]


def _ours(folder: Path, port: int, http_port: int) -> list[str]:
    return [
        sys.executable, "-m", "telemed.cli", "serve", "--demo", "--data", str(folder), "--http", f"127.0.0.1:{http_port}",
        "--dicom", f"127.0.0.1:{port}",
    ]  # fmt: skip


STARTS: dict[str, tuple[str, Callable[[Path, int, int], list[str]]]] = {
    "storescp": ("ANY", _storescp), "orthanc": ("ORTHANC", _orthanc), "ours": ("TELEMED", _ours),
}  # fmt: skip


@contextmanager
def running(name: str, folder: Path, *, nodelay: bool = True, settings: Mapping[str, str] | None = None) -> Iterator[Peer]:
    """Start *name* on unoccupied ports; TCP_NODELAY is what dcmtk's programs read, *settings* what ours does."""
    called, command = STARTS[name]
    port, http_port = free_port(), free_port()
    folder.mkdir(parents=True)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is served by a leftover process"
    environment = {**os.environ, **({"TCP_NODELAY": "1"} if nodelay else {}), **(settings or {})}
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        process = subprocess.Popen(
            command(folder, port, http_port), stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env=environment
        )
    peer = Peer(name, port, called, process, http_port)
    try:
        deadline = time.monotonic() + 60
        while not _answers(peer):
            assert process.poll() is None, f"{name} ended: see its log"
            assert time.monotonic() < deadline, f"{name} does not answer"
            time.sleep(0.2)
        peer.until_quiet()
        yield peer
    finally:
        peer.stop()


def _answers(peer: Peer) -> bool:
    command = ["/usr/bin/echoscu", "-aec", peer.called, "127.0.0.1", str(peer.port)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Corpus:
    """Synthetic objects, none sent twice, of noise: CT of 525 KB, DX of 10 MB, US of 24 frames in 35 MB, ECG of 121 KB."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._batches = 0

    def batch(self, kind: str, count: int) -> Path:
        """Write *count* new objects of one study and return their folder."""
        self._batches += 1
        folder = self._folder / f"{kind}{self._batches}"
        folder.mkdir(parents=True)
        study = f"1.2.826.0.1.3680043.8.498.77.{1000 + self._batches}"
        template = _template(kind, study)
        placeholder = f"{study}.1.1000000".encode()
        for number in range(count):
            uid = f"{study}.1.{1000001 + number}".encode()
            (folder / f"{number}.dcm").write_bytes(template.replace(placeholder, uid))
        return folder

    @staticmethod
    def empty(folder: Path) -> None:
        """Give the disk back what *folder* holds, but not its inodes.

        ext4 does not use an inode again for 5 s after its file was deleted, and looks through all of these for every file
        that is made meanwhile: deleting between two measurements slows down whoever is measured next.
        """
        for file in folder.iterdir():
            os.truncate(file, 0)


def _template(kind: str, study: str) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CLASSES[kind]
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = f"{study}.1.1000000"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.Modality = kind.upper()
    dataset.PatientName, dataset.PatientID = "Bench^Mark", study[-4:]
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20260110", "101500", study[-4:]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    if kind in IMAGES:
        frames, rows, columns, samples, size = IMAGES[kind]
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = rows, columns, samples
        dataset.PhotometricInterpretation, dataset.PixelRepresentation = ("RGB" if samples == 3 else "MONOCHROME2"), 0
        dataset.BitsAllocated = dataset.BitsStored = 8 * size
        dataset.HighBit = 8 * size - 1
        if samples == 3:
            dataset.PlanarConfiguration, dataset.NumberOfFrames = 0, frames
        dataset.add_new("PixelData", "OW", np.random.default_rng(1).bytes(frames * rows * columns * samples * size))
    else:
        channel = Dataset()
        channel.WaveformOriginality, channel.NumberOfWaveformChannels, channel.NumberOfWaveformSamples = "ORIGINAL", 12, 5000
        channel.SamplingFrequency, channel.WaveformBitsAllocated, channel.WaveformSampleInterpretation = "500", 16, "SS"
        sensitivities = [Dataset() for _ in range(12)]
        for lead in sensitivities:
            lead.ChannelSensitivity, lead.WaveformBitsStored = "1", 16
        channel.ChannelDefinitionSequence = sensitivities
        noise = np.random.default_rng(2).integers(-500, 500, 60000, dtype=np.int16)
        channel.add_new("WaveformData", "OW", noise.tobytes())
        dataset.WaveformSequence = [channel]
    file = io.BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()
