"""Pictures of a settled study are there before anybody asks; what is not there is drawn, and shows the same."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import select
from support.time import StandingClock

from dicom_node.archive.archive import Archive, Stored
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.settling import Settling
from dicom_node.archive.tables import conflict_table
from dicom_node.imaging import rendering
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.preparing import Preparing
from dicom_node.imaging.rendering import THUMBNAIL, WHOLE
from dicom_node.imaging.shelf import LEAST, Shelf
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
#: Where nothing is: what is shown all the same was not drawn now.
NOWHERE = Path("nowhere")


@pytest.fixture(scope="module")
def confinement():
    confinement = Confinement(processes=1)
    yield confinement
    confinement.close()


@dataclass
class House:
    """An archive, and what prepares its pictures; *shelf* may be exchanged for an empty one."""

    database: Database
    chronicle: Chronicle
    clock: StandingClock
    archive: Archive
    confinement: Confinement
    shelf: Shelf

    def __post_init__(self) -> None:
        self.preparing = Preparing(self.database, self.chronicle, self.archive, self.imaging(), self.confinement)
        self.preparing.look()

    def imaging(self) -> Imaging:
        """Return one that remembers nothing but what is on the shelf."""
        return Imaging(self.confinement, shelf=self.shelf)

    def keep(self, name: str, **attributes: object) -> Stored:
        data_set = pydicom.dcmread(FILES / name)
        for keyword, value in attributes.items():
            setattr(data_set, keyword, value)
        data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
        data_set.save_as(out := io.BytesIO())
        return self.archive.store(out.getvalue(), institution="clinic", transfer_syntax_uid=None, source="test")

    def settle(self) -> None:
        self.clock.pass_(seconds=60)
        Settling(self.database, self.chronicle, quiet_s=3).settle()
        self.preparing.look()

    def path(self, kept: Stored) -> Path:
        return self.archive.blobs.path(kept.digest)

    def is_prepared(self, kept: Stored, size: rendering.Size, number: int = 1) -> bool:
        try:
            shown = self.imaging().rendered(NOWHERE, number, None, size, digest=kept.digest)
        except FileNotFoundError:
            return False
        return shown == rendering.render(self.path(kept), number, None, size)


@pytest.fixture
def house(database, chronicle, clock, confinement, tmp_path) -> House:
    archive = Archive(database, chronicle, Blobs(tmp_path / "blobs"))
    return House(database, chronicle, clock, archive, confinement, Shelf(tmp_path / "cache", 1 << 30))


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_jpeg_ls_lossless.dcm", "examples_palette.dcm"])
def test_a_settled_study_is_shown_without_a_look_at_its_files(house, name):
    kept = house.keep(name)
    assert not house.is_prepared(kept, THUMBNAIL)
    house.settle()
    assert house.is_prepared(kept, THUMBNAIL)
    assert house.is_prepared(kept, WHOLE)


def test_of_many_frames_the_middle_one_is_shown(house):
    kept = house.keep("examples_ybr_color.dcm")
    house.settle()
    frames = pydicom.dcmread(FILES / "examples_ybr_color.dcm").NumberOfFrames
    assert frames > 2
    assert house.is_prepared(kept, THUMBNAIL, (frames + 1) // 2)
    assert not house.is_prepared(kept, THUMBNAIL, frames)


def test_every_image_has_a_thumbnail_and_the_middle_one_of_a_series_is_there_whole(house):
    first = pydicom.dcmread(FILES / "CT_small.dcm").SOPInstanceUID
    kept = [house.keep("CT_small.dcm", SOPInstanceUID=f"{first}.{number}", InstanceNumber=number) for number in (1, 2, 3)]
    house.settle()
    assert [house.is_prepared(one, THUMBNAIL) for one in kept] == [True, True, True]
    assert [house.is_prepared(one, WHOLE) for one in kept] == [False, True, False]
    late = house.keep("CT_small.dcm", SOPInstanceUID=f"{first}.4", InstanceNumber=4)
    house.settle()
    assert house.is_prepared(late, THUMBNAIL)


def test_one_that_cannot_be_drawn_keeps_no_other_back(house):
    broken = house.keep("CT_small.dcm", SOPInstanceUID="1.2.3.1", InstanceNumber=1, PixelData=b"\0" * 100)
    fine = house.keep("CT_small.dcm", SOPInstanceUID="1.2.3.2", InstanceNumber=2)
    house.settle()
    assert house.shelf.find(f"{broken.digest} 1 picture {THUMBNAIL}") is None
    assert house.is_prepared(fine, THUMBNAIL)


def test_other_content_under_the_same_uid_is_not_shown_in_its_place(house):
    kept = house.keep("CT_small.dcm")
    house.keep("CT_small.dcm", WindowCenter="500", WindowWidth="100")
    with house.database.reading() as db:
        other = db.execute(select(conflict_table.c.digest)).scalar_one()
    house.settle()
    assert house.is_prepared(kept, THUMBNAIL)
    path = house.archive.blobs.path(other)
    shown = house.imaging().rendered(path, 1, None, THUMBNAIL, digest=other)
    assert shown == rendering.render(path, 1, None, THUMBNAIL)
    assert shown != rendering.render(house.path(kept), 1, None, THUMBNAIL)


def test_what_is_gone_from_the_shelf_is_drawn_and_kept_again(house, tmp_path):
    kept = house.keep("CT_small.dcm")
    house.settle()
    house.shelf = Shelf(tmp_path / "cache", 1 << 30)
    imaging = house.imaging()
    imaging.rendered(house.path(kept), 1, None, THUMBNAIL, digest=kept.digest)
    assert not house.is_prepared(kept, THUMBNAIL)  # whoever asked has not waited for the disk
    Preparing(house.database, house.chronicle, house.archive, imaging, house.confinement).look()
    assert house.is_prepared(kept, THUMBNAIL)


def test_another_look_is_not_answered_with_what_was_prepared(house):
    kept = house.keep("CT_small.dcm")
    house.settle()
    path = house.path(kept)
    for how in ({"quality": 50}, {"region": rendering.Part(0, 0, 64, 64)}, {"media": "image/png"}):
        shown = house.imaging().rendered(path, 1, size=THUMBNAIL, digest=kept.digest, **how)
        assert shown == rendering.render(path, 1, size=THUMBNAIL, **how)


def test_pictures_are_kept_within_the_bound_of_the_shelf(house, tmp_path):
    house.shelf = Shelf(tmp_path / "small", 2 * LEAST)
    house.preparing = Preparing(house.database, house.chronicle, house.archive, house.imaging(), house.confinement)
    house.preparing.look()
    for number in range(5):
        house.keep("CT_small.dcm", SOPInstanceUID=f"1.2.3.{number}", InstanceNumber=number)
    house.settle()
    assert len(list((tmp_path / "small").iterdir())) == 2


def test_a_full_disk_leaves_pictures_to_be_drawn_when_they_are_asked_for(house, tmp_path):
    kept = house.keep("CT_small.dcm")
    (tmp_path / "cache").rmdir()
    house.settle()
    shown = house.imaging().rendered(house.path(kept), 1, None, THUMBNAIL, digest=kept.digest)
    assert shown == rendering.render(house.path(kept), 1, None, THUMBNAIL)
