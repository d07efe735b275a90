"""A report's document made of real objects: stored in the archive, rendered in confinement, signed, delivered with its slip."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from pypdf import PdfReader
from support.builders import County, a_county, a_task
from support.time import StandingClock

import sample_data
from consult.delivery.actions import receipt
from consult.practitioners.model import Viewer
from consult.queue.actions import claim
from consult.reports import views
from consult.reports.actions import amend_report, append_to_report, cancel_report, save_draft, sign_task
from consult.reports.document.authority import Authority
from consult.reports.document.documents import Documents
from consult.reports.model import Draft, KeyImage, Report, ReportEvent, Withdrawal
from consult.requests.model import Kind
from dicom_node.archive.archive import Archive, Stored
from dicom_node.archive.blobs import Blobs
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.shelf import Shelf
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid

FONTS = Path(__file__).parents[2] / "web" / "static" / "fonts"
STUDIES = sample_data.FILES / "studies"


@pytest.fixture(scope="module")
def confinement():
    confinement = Confinement(processes=1, seconds=60)
    yield confinement
    confinement.close()


@dataclass
class House:
    """A clinic that sends, a hospital that signs, and what makes their documents."""

    database: Database
    chronicle: Chronicle
    clock: StandingClock
    archive: Archive
    documents: Documents
    county: County

    def store(self, path: Path) -> Stored:
        return self.archive.store(path.read_bytes(), institution=self.county.clinic, transfer_syntax_uid=None, source="TEST")

    def sign(self, stored: Stored, reader: Viewer, *key_images: KeyImage) -> Report:
        modality = "ECG" if reader == self.county.cardiologist else "CT"
        task_id = a_task(self.database, self.chronicle, self.county.nurse, stored.study_instance_uid, modality=modality)
        self.clock.pass_(minutes=3)
        draft = Draft("左侧基底节区见团片状高密度影。", "左侧基底节区脑出血。", Kind.DIAGNOSIS, key_images=key_images)
        with self.database.transaction() as db:
            claim(db, self.chronicle, task_id, by=reader)
            save_draft(db, self.chronicle, task_id, draft, 0, by=reader)
        self.clock.pass_(minutes=6)
        return sign_task(self.database, self.chronicle, task_id, partial(self.documents.make, by=reader), by=reader)


@pytest.fixture
def house(database, chronicle, clock, confinement, tmp_path) -> House:
    archive = Archive(database, chronicle, Blobs(tmp_path / "blobs"))
    imaging = Imaging(confinement, shelf=Shelf(tmp_path / "cache", 1 << 30))
    documents = Documents(database, archive, imaging, confinement, authority=Authority(tmp_path / "authority"), fonts=FONTS)
    return House(database, chronicle, clock, archive, documents, a_county(database, chronicle))


def test_the_key_image_the_reader_chose_is_printed_and_the_slip_says_who_read_it(house):
    stored = house.store(STUDIES / "ct-head" / "025.dcm")
    report = house.sign(stored, house.county.radiologist, KeyImage(stored.sop_instance_uid))
    house.clock.pass_(minutes=1)
    with house.database.transaction() as db:
        read = receipt(db, house.chronicle, report.id, by=house.county.nurse)
        signed = views.document(db, house.county.nurse, report.id)
    assert hashlib.sha256(signed).hexdigest() == report.document_sha256
    slip = house.documents.slip(read, signed, house.county.nurse)
    pages = [*PdfReader(io.BytesIO(signed)).pages, *PdfReader(io.BytesIO(slip)).pages]
    images = [image.image for page in pages for image in page.images]
    assert len(images) == 1
    assert max(images[0].size) >= 256
    assert images[0].convert("L").getextrema()[1] > 200
    text = "\n".join(page.extract_text() for page in pages)
    for said in ("示例甲", "左侧基底节区脑出血。", "头颅CT平扫", "图像 Image 25", "送达回执", "赵兰", "10:00"):
        assert said in text


def test_an_ecg_is_printed_on_paper_with_what_the_machine_measured(house):
    report = house.sign(house.store(STUDIES / "ecg-inferior-st-elevation.dcm"), house.county.cardiologist)
    with house.database.reading() as db:
        signed = views.document(db, house.county.nurse, report.id)
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(signed)).pages)
    for said in ("提示，非诊断", "心率", "bpm", "aVR", "V6", "25 mm/s"):
        assert said in text


@pytest.mark.parametrize(("change", "word"), [("append", "已有补充"), ("correct", "已被更正"), ("cancel", "已作废")])
def test_the_mark_on_an_earlier_version_says_what_became_of_it(house, change, word):
    stored, reader = house.store(STUDIES / "ct-head" / "024.dcm"), house.county.radiologist
    first = house.sign(stored, reader, KeyImage(stored.sop_instance_uid))
    world, make = (house.database, house.chronicle, first.id), partial(house.documents.make, by=reader)
    draft = Draft("右侧基底节区见团片状高密度影。", "右侧基底节区脑出血。", Kind.DIAGNOSIS)
    changes = {
        "append": lambda: append_to_report(*world, "另见骨折。", make, by=reader),
        "correct": lambda: amend_report(*world, draft, "左右写反", make, by=reader, event=ReportEvent.CORRECT),
        "cancel": lambda: cancel_report(*world, Withdrawal.WRONG_STUDY, "", make, by=reader),
    }
    newest = changes[change]()
    with house.database.reading() as db:
        signed = views.document(db, house.county.nurse, first.id)
        images = PdfReader(io.BytesIO(views.document(db, house.county.nurse, newest.id))).pages[0].images
    assert word in PdfReader(io.BytesIO(house.documents.printed(first, signed, newest))).pages[0].extract_text()
    assert bool(images) == (change == "append"), "a cancelled report shows no image"


def test_a_key_image_that_is_not_there_is_named_and_nothing_is_signed(house):
    stored = house.store(STUDIES / "ct-head" / "025.dcm")
    with pytest.raises(Invalid, match="25"):
        house.sign(stored, house.county.radiologist, KeyImage(stored.sop_instance_uid, 7))
    with house.database.reading() as db:
        assert views.reports_of_study(db, house.county.radiologist, stored.study_instance_uid) == ()


def test_an_amended_version_is_printed_with_a_mark_and_its_file_stays_as_it_is(house, clock):
    stored = house.store(STUDIES / "ct-head" / "024.dcm")
    reader = house.county.radiologist
    first = house.sign(stored, reader, KeyImage(stored.sop_instance_uid))
    with house.database.reading() as db:
        signed = views.document(db, house.county.nurse, first.id)
        assert house.documents.printed(first, signed, views.newest_version(db, house.county.nurse, first.id)) == signed
    clock.pass_(minutes=2)
    make = partial(house.documents.make, by=reader)
    draft = Draft("右侧基底节区见团片状高密度影。", "右侧基底节区脑出血。", Kind.DIAGNOSIS)
    second = amend_report(house.database, house.chronicle, first.id, draft, "左右写反", make, by=reader)
    with house.database.reading() as db:
        assert views.document(db, house.county.nurse, first.id) == signed
        newest = views.newest_version(db, house.county.nurse, first.id)
    assert newest.id == second.id
    printed = house.documents.printed(first, signed, newest)
    pages, before = PdfReader(io.BytesIO(printed)), PdfReader(io.BytesIO(signed))
    assert [page.mediabox for page in pages.pages] == [page.mediabox for page in before.pages]
    assert pages.get_fields() is None, "a copy carries no signature"
    for page in pages.pages:
        said = page.extract_text()
        assert "已被修订" in said
        assert "SUPERSEDED" in said
        assert second.id in said
    assert "左侧基底节区脑出血" in pages.pages[0].extract_text()
