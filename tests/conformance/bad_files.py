"""Files that nobody should take, and the word by which a sentence shows that it knows what is wrong with each."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file

#: CT_small's data set begins here: preamble, mark, and a group 0002 of 192 bytes behind its 12-byte length.
CT_DATA_SET = 128 + 4 + 12 + 192
CT_CLASS = b"1.2.840.10008.5.1.4.1.1.2\0"


@dataclass(frozen=True)
class BadFile:
    """A file's name and content, and a pattern that a sentence about it matches."""

    name: str
    content: bytes
    says: str


def shipped(name: str) -> bytes:
    """Return one of pydicom's real files."""
    found = get_testdata_file(name, download=False)
    assert found, f"pydicom no longer ships {name}"
    return Path(found).read_bytes()


def _element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """Return an element in Explicit VR Little Endian."""
    value += b"\0" * (len(value) % 2)
    if vr in (b"SQ", b"OB", b"OW", b"UN"):
        return struct.pack("<HH2sHI", group, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def part_10(data_set: bytes, syntax: bytes = b"1.2.840.10008.1.2.1") -> bytes:
    """Put *data_set* into a file (PS3.10 7.1)."""
    meta = _element(2, 1, b"OB", b"\0\1") + _element(2, 2, b"UI", CT_CLASS) + _element(2, 3, b"UI", b"1.2.3")
    meta += _element(2, 0x10, b"UI", syntax)
    return bytes(128) + b"DICM" + _element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + data_set


def identified(sop_instance: str = "1.2.3.4", rest: bytes = b"", study: str = "1.2.3") -> bytes:
    """Return a data set that says who it is, then *rest* (of groups above 0020)."""
    return (
        _element(8, 0x16, b"UI", CT_CLASS)
        + _element(8, 0x18, b"UI", sop_instance.encode())
        + _element(8, 0x60, b"CS", b"CT")
        + _element(0x10, 0x20, b"LO", b"P1")
        + _element(0x20, 0x0D, b"UI", study.encode())
        + _element(0x20, 0x0E, b"UI", f"{study}.1".encode())
        + rest
    )


def nested(levels: int, *, announced: bool = False) -> bytes:
    """Return sequences within sequences, of undefined length or (*announced*) each with its length."""
    if announced:
        inner = b""
        for _ in range(levels):
            inner = _element(0x40, 0x0275, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
        return inner
    opening = struct.pack("<HH2sHI", 0x40, 0x0275, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closing = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return opening * levels + closing * levels


def deflated_bomb() -> bytes:
    """Return a deflated data set of half a megabyte that becomes 600 MiB."""
    deflating = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    pieces = [deflating.compress(identified(rest=struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 600 << 20)))]
    pieces += [deflating.compress(zeros) for _ in range(600)]
    return b"".join([*pieces, deflating.flush()])


def without_sensitivity() -> bytes:
    """Return pydicom's real 12-lead ECG with every Channel Sensitivity taken out, under other UIDs."""
    dataset = dcmread(io.BytesIO(shipped("waveform_ecg.dcm")))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = "1.2.9", "1.2.9.1", "1.2.9.1.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.9.1.1"
    for group in dataset.WaveformSequence:
        for channel in group.ChannelDefinitionSequence:
            del channel.ChannelSensitivity
    out = io.BytesIO()
    dcmwrite(out, dataset)
    return out.getvalue()


def swollen_image(study: str) -> bytes:
    """Return a file that announces 99999 frames of 65535 x 65535 pixels and holds an RLE segment of zeros."""
    header = _element(0x28, 2, b"US", b"\1\0") + _element(0x28, 4, b"CS", b"MONOCHROME2") + _element(0x28, 8, b"IS", b"99999")
    for number, value in ((0x10, 65535), (0x11, 65535), (0x100, 8), (0x101, 8), (0x102, 7), (0x103, 0)):
        header += _element(0x28, number, b"US", struct.pack("<H", value))
    segment = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 10_000  # PS3.5 G.5: one segment, runs of 128 zeros
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack("<HHI", 0xFFFE, 0xE000, len(segment)) + segment
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return part_10(identified(f"{study}.1.1", header + pixels, study=study), b"1.2.840.10008.1.2.5")


def swollen_waveform() -> bytes:
    """Return pydicom's real ECG, announcing four billion samples."""
    dataset = dcmread(io.BytesIO(shipped("waveform_ecg.dcm")))
    for group in dataset.WaveformSequence:
        group.NumberOfWaveformSamples = 0xFFFFFFF0
    out = io.BytesIO()
    dcmwrite(out, dataset)
    return out.getvalue()


def _cut(at: int, where: str) -> BadFile:
    return BadFile(f"cut-{where}.dcm", shipped("CT_small.dcm")[:at], r"truncated|damaged|mark DICM|not a DICOM")


_CT_LENGTH = len(shipped("CT_small.dcm"))

CUTS = (
    _cut(100, "in-the-preamble"),
    _cut(200, "in-the-file-meta"),
    _cut(CT_DATA_SET + 333, "in-the-header"),
    _cut(_CT_LENGTH // 2, "in-the-pixels"),
    _cut(_CT_LENGTH - 1, "before-the-last-byte"),
)

EMPTY = BadFile("empty.dcm", b"", r"empty")
TEXT = BadFile("letter.txt", b"Dear colleague, the images come tomorrow.\n" * 9, r"not a DICOM|no ECG|no number")
NESTED = BadFile("nested.dcm", part_10(identified(rest=nested(1200))), r"nested|not readable|deep")
BOMB = BadFile("bomb.dcm", part_10(deflated_bomb(), b"1.2.840.10008.1.2.1.99"), r"inflate|too much|too large|not readable")
CLIMBING = BadFile("climbing.dcm", part_10(identified("../../..")), r"UID.*malformed|malformed.*UID")
NO_SENSITIVITY = BadFile("no-sensitivity.dcm", without_sensitivity(), r"gain|[Ss]ensitivity")
#: What is refused at every door.
REFUSED = (EMPTY, TEXT, *CUTS, NESTED, BOMB, CLIMBING, NO_SENSITIVITY)

#: A header without a gain, and the signals it names: 2 leads, 4 s at 250 Hz.
WFDB_HEADER = b"r 2 250 1000\nr.dat 16 0 16 0 0 0 0 I\nr.dat 16 0 16 0 0 0 0 II\n"
WFDB_SIGNALS = struct.pack("<2000h", *((number * 37) % 400 for number in range(2000)))
HUGE_WFDB = BadFile("huge.hea", b"huge 12 500 900000000000\n" + b"huge.dat 16 1000 16 0 0 0 0 I\n" * 12, r"huge")
CSV = BadFile(
    "no-unit.csv", b"# rate=250\nI,II\n" + b"".join(b"%d,%d\n" % (n % 90, n % 70) for n in range(1000)), r"carries no gain"
)
