"""The DICOM objects that a report is returned in: dcmtk, dciodvfy, poppler and pydicom read them, the signed PDF is whole."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pydicom
import pytest
from support.objects import an_image
from support.signing import CRITICAL, DRAFT, PDF, SLICES, SR, Desk, a_desk, printed_by

from consult.phrases.model import Region
from consult.practitioners.model import Person
from consult.queue.model import Stage
from consult.reports.document.composite import Context, Source
from consult.reports.document.structured_report import write_structured_report
from consult.reports.model import EarlierReading, KeyImage, Withdrawal
from consult.requests.model import Kind
from dicom_node.archive import index
from telemed.kernel.database import Database, metadata


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    """The kind of database makes no difference here."""
    database = Database(f"sqlite:///{tmp_path}/telemed.sqlite")
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def desk(database, chronicle, tmp_path) -> Iterator[Desk]:
    with a_desk(database, chronicle, tmp_path, SLICES) as desk:
        yield desk


def test_dcmtk_prints_the_report_without_a_warning_and_its_chinese_right(desk):
    chosen = KeyImage(desk.stored[1].sop_instance_uid)
    report = desk.sign(replace(DRAFT, key_images=(chosen,)))
    desk.return_reports()
    said = printed_by("/usr/bin/dsrdump", "+Pc", "+Pl", "+Pu", desk.objects(report)[SR])
    for words in (*DRAFT.findings.splitlines(), DRAFT.impression, "王敏", "青山县医院", "Completion Flag     : COMPLETE"):
        assert words in said
    assert f'"Best illustration of finding")=(CT image,"{chosen.sop_instance_uid}")' in said
    assert "Verifying Observers : 2026-03-02 09:33:00, 王敏, 青山县医院" in said


def test_dcmtk_and_poppler_find_the_signed_pdf_byte_for_byte(desk, tmp_path):
    report = desk.sign(DRAFT)
    desk.return_reports()
    out = tmp_path / "out.pdf"
    printed_by("/usr/bin/dcm2pdf", desk.objects(report)[PDF], out)
    assert out.read_bytes() == desk.document(report)
    assert "Signature is Valid" in printed_by("/usr/bin/pdfsig", out)


def test_a_validator_of_the_standard_finds_no_error_in_either(desk):
    first = desk.sign(replace(CRITICAL, key_images=(KeyImage(desk.stored[0].sop_instance_uid),)))
    desk.read_back(first, "左侧脑出血")
    desk.return_reports()
    second = desk.amend(first, DRAFT, "左右写反")
    desk.return_reports()
    third = desk.append(second, "另见骨折。", by=desk.county.colleague)
    desk.return_reports()
    last = desk.cancel(third, Withdrawal.OTHER, "患者撤回同意")
    desk.return_reports()
    for file in [file for report in (first, second, third, last) for file in desk.objects(report).values()]:
        said = subprocess.run(["/usr/bin/dciodvfy", file], capture_output=True, text=True, check=False).stderr
        assert said.splitlines()[-1] in ("EnhancedSR", "EncapsulatedPDF")
        assert "Error" not in said


def test_an_addendum_stands_in_both_objects_under_who_wrote_it_and_the_text_under_its_own_author(desk):
    first = desk.sign(DRAFT)
    desk.return_reports()
    second = desk.append(first, "另见左侧第 5 肋骨骨折。", by=desk.county.colleague)
    desk.return_reports()
    said = printed_by("/usr/bin/dsrdump", "+Pc", "+Pl", "+Pu", desk.objects(second)[SR])
    text, _, added = said.partition('"Addendum"')
    for words in (DRAFT.impression, '"Person Observer Name")="王敏"'):
        assert words in text
    for words in ('"Person Observer Name")="陈涛"', "另见左侧第 5 肋骨骨折。"):
        assert words in added
    assert "Predecessor Docs" in said
    read = pydicom.dcmread(desk.objects(second)[SR])
    assert [str(one.PersonName) for one in read.AuthorObserverSequence] == ["王敏", "陈涛"]
    assert (read.CompletionFlag, read.VerificationFlag, read.InstanceNumber) == ("COMPLETE", "VERIFIED", 2)
    assert read.VerifyingObserverSequence[0].VerifyingObserverName == "陈涛"


def test_a_cancelled_report_goes_back_without_what_it_found_and_names_every_version_it_withdraws(desk):
    first = desk.sign(DRAFT)
    desk.return_reports()
    second = desk.append(first, "另见骨折。")
    desk.return_reports()
    last = desk.cancel(second, Withdrawal.WRONG_PATIENT, "影像属同名患者")
    desk.return_reports()
    said = printed_by("/usr/bin/dsrdump", "+Pc", "+Pl", "+Pu", desk.objects(last)[SR])
    for words in ("本报告已作废，请勿使用 CANCELLED, do not use", "患者错误 Wrong patient；影像属同名患者", "COMPLETE"):
        assert words in said
    for words in (DRAFT.impression, "另见骨折。", "Findings", "Key Images"):
        assert words not in said
    read, pdf = (pydicom.dcmread(desk.objects(last)[sop_class]) for sop_class in (SR, PDF))
    [named] = read.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    before = {pydicom.dcmread(desk.objects(report)[SR]).SOPInstanceUID for report in (first, second)}
    assert {one.ReferencedSOPInstanceUID for one in named.ReferencedSOPSequence} == before
    assert pdf.DocumentTitle.endswith("(作废 Cancelled)")


def test_all_who_have_read_the_study_are_named_beside_the_verifier(desk):
    signed = desk.sign(DRAFT)
    at = signed.signed_at - timedelta(minutes=8)
    with desk.database.reading() as db:
        study = index.study(db, desk.county.clinic, desk.study)
        shown = index.instance(db, desk.county.clinic, desk.stored[0].sop_instance_uid)
        source = Source(shown.sop_class_uid, shown.sop_instance_uid, "1.2.3")
        context = Context(study, index.patient_as_received(db, study), [source])
    chen, wu = Person("2" * 32, "陈涛"), Person("3" * 32, "吴进")

    def made_of(*readings):
        said = desk.archive.blobs.folder.parent / f"{len(readings)}-{readings[0].stage}.dcm"
        said.write_bytes(write_structured_report(replace(signed, readings=readings), context, []))
        errors = subprocess.run(["/usr/bin/dciodvfy", said], capture_output=True, text=True, check=False).stderr
        assert "Error" not in errors
        made = pydicom.dcmread(said)
        assert [one.VerifyingObserverName for one in made.VerifyingObserverSequence] == ["王敏"]
        others = [(one.ParticipationType, str(one.PersonName), one.ParticipationDateTime) for one in made.ParticipantSequence]
        return (
            [str(one.PersonName) for one in made.AuthorObserverSequence],
            others,
            printed_by("/usr/bin/dsrdump", "+Pl", "+Pu", said),
        )

    regions = (
        EarlierReading(Stage.FIRST, chen, at, "0" * 64, Region.HEAD),
        EarlierReading(Stage.FIRST, signed.signed_by, at, "0" * 64, Region.CHEST),
    )
    authors, others, printed = made_of(*regions)
    assert (authors, others) == (["王敏", "陈涛"], [("ATTEST", "陈涛", "20260302092500")])
    assert "分区阅片·头部 Head section: 陈涛" in printed

    trained = EarlierReading(Stage.FIRST, wu, at, "0" * 64)
    assert made_of(trained)[:2] == (["王敏", "吴进"], [("ATTEST", "吴进", "20260302092500")])

    blind = (replace(trained, by=chen), EarlierReading(Stage.SECOND, wu, at, "0" * 64))
    authors, others, printed = made_of(*blind)
    assert authors == ["王敏"]
    assert [other[:2] for other in others] == [("SOURCE", "陈涛"), ("SOURCE", "吴进")]
    assert "初读 First reading: 陈涛" in printed
    assert "二次阅片 Second reading: 吴进" in printed


def test_pydicom_finds_patient_study_images_and_who_verified(desk):
    report = desk.sign(replace(DRAFT, kind=Kind.CONSULTATION))
    desk.return_reports()
    image = pydicom.dcmread(SLICES[0], stop_before_pixels=True)
    image.decode()
    series = set()
    for sop_class, file in desk.objects(report).items():
        made = pydicom.dcmread(file)
        for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate", "StudyDate", "AccessionNumber"):
            assert str(made[keyword].value) == str(image[keyword].value), (sop_class, keyword)
        assert (made.SpecificCharacterSet, made.SOPClassUID) == ("ISO_IR 192", sop_class)
        series.add(made.SeriesInstanceUID)
    assert len(series | {image.SeriesInstanceUID}) == 3
    read, pdf = (pydicom.dcmread(desk.objects(report)[sop_class]) for sop_class in (SR, PDF))
    over = {uid.sop_instance_uid for uid in desk.stored}
    [evidence] = read.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {one.ReferencedSOPInstanceUID for one in evidence.ReferencedSOPSequence} == over
    assert {one.ReferencedSOPInstanceUID for one in pdf.SourceInstanceSequence} == over
    assert (read.VerificationFlag, read.VerifyingObserverSequence[0].VerifyingObserverName) == ("VERIFIED", "王敏")
    assert read.ConceptNameCodeSequence[0].CodeMeaning == pdf.ConceptNameCodeSequence[0].CodeMeaning == "Consultation note"
    assert pdf.EncapsulatedDocument[: pdf.EncapsulatedDocumentLength] == desk.document(report)
    assert pdf.DocumentTitle.startswith("远程会诊意见")


def test_what_a_modality_wrote_wrong_stands_in_the_report_as_it_does_in_its_images(database, chronicle, tmp_path):
    image = {
        "SpecificCharacterSet": "ISO_IR 192", "PatientID": "P" * 70, "PatientBirthDate": "1958.02.14",
        "PatientName": "A^B^C^D^E^F=甲", "StudyInstanceUID": "1.2.840.A-7", "SOPInstanceUID": "1.2.00.3", "StudyTime": "9:25",
        "PatientSex": "男".encode(), "StudyID": "S" * 30, "AccessionNumber": "A" * 30, "StudyDescription": "D" * 100,
    }  # fmt: skip
    file = tmp_path / "odd.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.write_bytes(an_image(**image))
    with a_desk(database, chronicle, tmp_path, [file]) as desk:
        report = desk.sign(DRAFT)
        desk.return_reports()
        assert desk.objects(report).keys() == {SR, PDF}
        said = printed_by("/usr/bin/dcmdump", "+P", "PatientID", "+P", "StudyInstanceUID", desk.objects(report)[SR])
    assert "P" * 64 in said
    assert "1.2.840.A-7" in said
