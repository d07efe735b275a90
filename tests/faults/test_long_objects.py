"""A multi-frame object of more than 2 GiB: stored without being held in memory, and read a frame at a time."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.bad_files import identified
from conformance.raw_scu import EXPLICIT, RawAssociation
from faults.conftest import RUNS
from support.server import until

from dicom_node.archive.blobs import Blobs
from dicom_node.imaging.elements import FileSource
from dicom_node.imaging.frames import stored_frame
from dicom_node.imaging.layout import read_layout

#: 2.15 GiB in `make faults`, 96 MiB else.
FRAMES = 2202 if RUNS else 96
SIDE = 1024
LIMIT = 300 << 20


def frame(number: int) -> bytes:
    return struct.pack("<I", number) * (SIDE * SIDE // 4)


def _short(number: int, value: int) -> bytes:
    return struct.pack("<HH2sHH", 0x28, number, b"US", 2, value)


def header(uid: str) -> bytes:
    frames = str(FRAMES).encode()
    frames += b" " * (len(frames) % 2)
    rest = _short(2, 1) + struct.pack("<HH2sH", 0x28, 4, b"CS", 12) + b"MONOCHROME2 "
    rest += struct.pack("<HH2sH", 0x28, 8, b"IS", len(frames)) + frames
    for number, value in ((0x10, SIDE), (0x11, SIDE), (0x100, 8), (0x101, 8), (0x102, 7), (0x103, 0)):
        rest += _short(number, value)
    return identified(uid, rest)


def native(uid: str) -> Iterator[bytes]:
    yield header(uid) + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, FRAMES * SIDE * SIDE)
    for number in range(FRAMES):
        yield frame(number)


def encapsulated(uid: str) -> Iterator[bytes]:
    """Yield frames in fragments of 16 KiB: each has a head of its own that must be walked over."""
    yield header(uid) + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    fragment = 16 << 10
    for number in range(FRAMES):
        whole = frame(number)
        yield b"".join(
            struct.pack("<HHI", 0xFFFE, 0xE000, fragment) + whole[at : at + fragment] for at in range(0, len(whole), fragment)
        )
    yield struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


@pytest.mark.parametrize(("pieces", "syntax"), [(native, EXPLICIT), (encapsulated, "1.2.840.10008.1.2.4.90")])
def test_a_long_object_is_stored_and_read_by_frames(tmp_path, node_of, account, pieces, syntax):
    uid, sent = "1.2.3.4", hashlib.sha256()
    kept = account.keep(tmp_path / "data")
    node = node_of(kept)
    assert node.start()

    def told() -> Iterator[bytes]:
        for piece in pieces(uid):
            sent.update(piece)
            yield piece

    with RawAssociation(node.port, syntax=syntax) as association:
        association.socket.settimeout(120)
        assert association.stream(told(), uid).status == 0
    blobs = Blobs(kept.folder / "blobs")
    [digest] = until(lambda: list(blobs.digests()), 60)
    assert node.peak_bytes() < LIMIT
    kept.promises.acknowledged.add(uid)
    account.ran()
    node.kill()
    found = hashlib.sha256()
    with blobs.path(digest).open("rb") as file:
        file.seek(144 + int.from_bytes(file.read(144)[140:], "little"))
        while piece := file.read(1 << 20):
            found.update(piece)
    assert found.digest() == sent.digest()
    kept.verify()
    if pieces is native:
        reads_only_a_frame(blobs.path(digest))


def reads_only_a_frame(path: Path) -> None:
    with FileSource(path) as source:
        layout = read_layout(source)
    before = _bytes_read()
    assert stored_frame(path, FRAMES, layout).data == frame(FRAMES - 1)
    assert _bytes_read() - before < 2 * SIDE * SIDE


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text(encoding="ascii").split()[1])
