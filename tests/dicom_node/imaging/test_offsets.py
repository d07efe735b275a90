"""Where frames lie is recorded when a study has settled, and believed from then on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless
from support.time import StandingClock

from dicom_node.archive.archive import Archive, Stored
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.settling import Settling
from dicom_node.imaging.layout import Layout, layout_of
from dicom_node.imaging.offsets import FrameOffsets, RecordingOffsets
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.events import Event

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def of_many_frames(frames: int, *, compressed: bool) -> bytes:
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    data_set.NumberOfFrames = frames
    if compressed:
        data_set.PixelData = encapsulate([bytes([number % 256]) * 32768 for number in range(frames)])
        data_set.file_meta.TransferSyntaxUID = JPEG2000Lossless
    else:
        data_set.PixelData = np.zeros((frames, 128, 128), "<i2").tobytes()
    data_set.save_as(out := io.BytesIO())
    return out.getvalue()


@pytest.fixture
def confinement():
    confinement = Confinement(processes=1)
    yield confinement
    confinement.close()


@pytest.fixture
def house(database, chronicle, clock, confinement, tmp_path) -> House:
    archive = Archive(database, chronicle, Blobs(tmp_path / "blobs"))
    return House(database, chronicle, clock, archive, RecordingOffsets(database, chronicle, archive, confinement))


@dataclass(frozen=True)
class House:
    """An archive and what records its frames."""

    database: Database
    chronicle: Chronicle
    clock: StandingClock
    archive: Archive
    recording: RecordingOffsets

    def keep(self, data: bytes) -> Stored:
        return self.archive.store(data, institution="clinic", transfer_syntax_uid=None, source="test")

    def settle(self) -> list[Event]:
        self.clock.pass_(seconds=60)
        Settling(self.database, self.chronicle, quiet_s=3).settle()
        return self.chronicle.events.after(0, types=["StudySettled"])


@pytest.mark.parametrize("compressed", [True, False])
def test_the_frames_of_a_settled_study_are_recorded_once(house, compressed):
    kept = house.keep(of_many_frames(64, compressed=compressed))
    path = house.archive.file("clinic", kept.sop_instance_uid)
    offsets = FrameOffsets(house.database)
    assert offsets.get(path, kept.digest) is None
    (event,) = house.settle()
    for write in (house.recording.prepare(event), house.recording.prepare(event)):
        with house.database.transaction() as db:
            write(db)
    assert offsets.get(path, kept.digest) == layout_of(path)
    assert house.recording.prepare(event) is None


def test_a_small_object_or_one_frame_is_not_recorded(house):
    for name in ("examples_ybr_color.dcm", "CT_small.dcm"):
        house.keep((FILES / name).read_bytes())
    assert [house.recording.prepare(event) for event in house.settle()] == [None, None]


@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_ybr_color.dcm", "SC_rgb_rle_2frame.dcm", "MR_small_bigendian.dcm"])
def test_a_layout_reads_back_as_it_was(name):
    layout = layout_of(FILES / name)
    assert Layout.from_bytes(layout.to_bytes()) == layout
