"""The report's way back to its clinic: when its DICOM objects are made, what they do to their study, who receives them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from support.destinations import free_port, storescp
from support.signing import CRITICAL, DRAFT, PDF, SLICES, SR, Desk, a_desk, printed_by

from consult.delivery.views import returns
from consult.delivery.watch import Arrivals
from consult.reports.model import Report, Withdrawal
from consult.reports.verification import differences
from consult.reports.views import of_record
from dicom_node.archive import index
from dicom_node.archive.settling import Settling
from dicom_node.archive.verification import differences as archive_differences
from dicom_node.directory import Directory, Entry, add_peer
from dicom_node.forwarding.rules import Rule, add_rule
from dicom_node.forwarding.sending import Forwarding
from dicom_node.tls import client_context
from telemed.kernel.errors import NotFound
from telemed.kernel.events import events_of


@pytest.fixture
def desk(database, chronicle, tmp_path) -> Iterator[Desk]:
    with a_desk(database, chronicle, tmp_path, SLICES) as desk:
        yield desk


def test_a_report_names_the_images_it_was_signed_over_and_none_that_came_later(desk):
    report = desk.sign(DRAFT)
    late = SLICES[0].with_name("026.dcm").read_bytes()
    desk.archive.store(late, institution=desk.county.clinic, transfer_syntax_uid=None, source="CT1")
    desk.return_reports()
    pdf = pydicom.dcmread(desk.objects(report)[PDF])
    assert {one.ReferencedSOPInstanceUID for one in pdf.SourceInstanceSequence} == {one.sop_instance_uid for one in desk.stored}


def test_an_amendment_names_the_report_it_replaces(desk):
    first = desk.sign(DRAFT)
    desk.return_reports()
    second = desk.amend(first, replace(DRAFT, impression="右侧基底节区脑出血。"), "左右写反")
    desk.return_reports()
    before, after = (pydicom.dcmread(desk.objects(report)[SR]) for report in (first, second))
    assert "PredecessorDocumentsSequence" not in before
    [named] = after.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert named.SeriesInstanceUID == before.SeriesInstanceUID == after.SeriesInstanceUID
    assert (before.InstanceNumber, after.InstanceNumber) == (1, 2)
    assert "左右写反" in printed_by("/usr/bin/dsrdump", "+Pl", desk.objects(second)[SR])


def test_a_critical_value_is_returned_once_it_was_read_back(desk):
    report = desk.sign(CRITICAL)
    desk.return_reports()
    assert desk.objects(report) == {}
    desk.read_back(report, "左侧脑出血，已通知值班医生")
    desk.return_reports()
    said = printed_by("/usr/bin/dsrdump", "+Pl", desk.objects(report)[SR])
    assert "左侧脑出血，已通知值班医生 (赵兰, 2026-03-02" in said


def test_what_had_not_gone_before_its_report_was_cancelled_goes_no_more(desk):
    report = desk.sign(CRITICAL)
    last = desk.cancel(report, Withdrawal.WRONG_PATIENT)
    desk.return_reports()
    desk.read_back(report, "左侧脑出血")
    desk.return_reports()
    assert desk.objects(report) == {}
    assert "PredecessorDocumentsSequence" not in pydicom.dcmread(desk.objects(last)[SR])


def test_what_is_returned_is_no_late_image_of_the_study(desk):
    desk.clock.pass_(minutes=1)
    assert Settling(desk.database, desk.chronicle).settle() == 1
    report = desk.sign(DRAFT)
    desk.return_reports()
    with desk.database.reading() as db:
        study = index.study(db, desk.county.clinic, desk.study)
        told = [event.type for event in events_of(db, desk.study)]
        assert (study.modalities, study.examined_by) == (("CT", "DOC", "SR"), ("CT",))
        assert (study.instance_count, study.received_count) == (4, 2)
        assert study.settled_at is not None
        assert index.digests_of(db, desk.county.clinic, desk.study).keys() == {one.sop_instance_uid for one in desk.stored}
    assert "StudyReopened" not in told
    assert desk.amend(report, DRAFT, "补充").images_sha256 == report.images_sha256


def test_a_crash_before_the_rows_makes_the_same_objects_again(desk):
    report = desk.sign(DRAFT)
    before = desk.position
    desk.return_reports(is_interrupted=True)
    assert desk.objects(report) == {}
    desk.position = before
    desk.return_reports()
    assert desk.objects(report).keys() == {SR, PDF}
    with desk.database.reading() as db:
        assert index.study(db, desk.county.clinic, desk.study).instance_count == 4
    desk.position = before
    desk.return_reports()  # a third time there is nothing left to do


def named(desk: Desk) -> list[str]:
    damaged: set[str] = set()
    list(archive_differences(desk.database, desk.archive.blobs, damaged))
    return list(differences(desk.database, desk.authority, damaged))


def test_a_flipped_byte_in_what_was_returned_is_named(desk):
    report = desk.sign(DRAFT)
    desk.return_reports()
    assert named(desk) == []
    for sop_class, what in ((SR, "structured report"), (PDF, "Encapsulated PDF")):
        file = desk.objects(report)[sop_class]
        content = file.read_bytes()
        file.chmod(0o600)
        for place in (len(content) // 2, len(content) - 1):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            [said] = named(desk)
            assert said.startswith(f"the {what} ")
            assert report.id in said
        file.unlink()
        assert len(named(desk)) == 1
        file.write_bytes(content)
    assert named(desk) == []


@pytest.fixture
def certificates(tmp_path) -> Path:
    """A folder with one self-signed certificate that both sides show and believe."""
    made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=LIANHUA")
    files = ("-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem")
    subprocess.run(["/usr/bin/openssl", *made, *files], check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def worker(desk, certificates) -> Iterator[Forwarding]:
    pair = certificates / "certificate.pem", certificates / "key.pem"
    directory = Directory(client_context(pair[0], *pair))
    worker = Forwarding(desk.database, desk.chronicle, desk.archive, aet="TELEMED", directory=directory)
    yield worker
    worker.stop(1)


def enter(desk: Desk, port: int, *, tls: bool) -> None:
    """Let the reports of the clinic go to its AE, and the CTs of everybody to another one."""
    with desk.database.transaction() as db:
        add_peer(db, desk.chronicle, Entry("LIANHUA", "127.0.0.1", port, desk.county.clinic, tls=tls), actor="test")
        add_peer(db, desk.chronicle, Entry("ARCHIVE", "127.0.0.1", port), actor="test")
        add_rule(db, desk.chronicle, Rule("LIANHUA", desk.county.clinic, reports=True), actor="test")
        add_rule(db, desk.chronicle, Rule("ARCHIVE", modality="CT"), actor="test")


def told(desk: Desk, report: Report) -> list[tuple[str, str]]:
    with desk.database.reading() as db:
        return [(one.ae_title, one.status) for one in returns(db, desk.county.nurse, report.id)]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_storescp_at_the_clinic_receives_both_and_the_ledger_says_so(desk, worker, certificates, tmp_path, tls):
    enter(desk, port := free_port(), tls=tls)
    desk.archive.store(
        SLICES[0].with_name("026.dcm").read_bytes(), institution=desk.county.clinic, transfer_syntax_uid=None, source="CT1"
    )
    report = desk.sign(DRAFT)
    desk.return_reports()
    worker.take()
    assert told(desk, report) == [("LIANHUA", "waiting")]
    worker.send("LIANHUA")
    with desk.database.reading() as db:
        [waits] = returns(db, desk.county.nurse, report.id)
        assert "cannot be reached" in waits.problem
    desk.clock.pass_(minutes=1)
    secured = ("+tls", certificates / "key.pem", certificates / "certificate.pem", "+cf", certificates / "certificate.pem")
    with storescp(tmp_path / "received", port, "+xa", *(secured if tls else ())) as folder:
        assert worker.send("LIANHUA") == 2
        received = {pydicom.dcmread(file).SOPClassUID: file for file in folder.iterdir()}
    assert received.keys() == {SR, PDF}
    assert told(desk, report) == [("LIANHUA", "sent")]
    arrivals = Arrivals(desk.database, desk.chronicle)
    for event in desk.chronicle.events.after(0, types=["StudyForwarded"], limit=100):
        if (write := arrivals.prepare(event)) is not None:
            with desk.database.transaction() as db:
                write(db)
    with desk.database.reading() as db:
        assert of_record(db, report.id).delivered_at == desk.clock.now()
    out = tmp_path / "out.pdf"
    printed_by("/usr/bin/dcm2pdf", received[PDF], out)
    assert out.read_bytes() == desk.document(report)
    assert DRAFT.impression in printed_by("/usr/bin/dsrdump", "+Pl", received[SR])
    with desk.database.reading() as db, pytest.raises(NotFound):
        returns(db, replace(desk.county.nurse, institution_id="elsewhere"), report.id)
