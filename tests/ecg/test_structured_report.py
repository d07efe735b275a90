import io
import subprocess
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime

import pydicom
import pytest

from ecg import EcgError, structured_report
from ecg.formats import dicom, read
from ecg.pipeline import analyse
from ecg.recording import PatientTags, Recording
from ecg.structured_report.codes import GLOBALS
from ecg.structured_report.writing import Device, global_values
from sample_data.ecg_synthesis import HEARTS, synthesise

AT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
DEVICE = Device("2.25.99", version="1.2.3")


def kept(kind: str = "normal") -> tuple[Recording, bytes]:
    """A recording as the archive keeps it, with its bytes."""
    patient = PatientTags("P-1", "Wang^Fang=王^芳", "F", date(1958, 2, 14))
    uids = {"study_instance_uid": "2.25.1", "series_instance_uid": "2.25.2", "sop_instance_uid": "2.25.3"}
    content = dicom.write(synthesise(kind, seed=1), patient, **uids, acquired_at=AT, accession_number="A7", study_id="S7")
    return read({"r.dcm": content}), content


def report_of(kind: str = "normal") -> tuple[bytes, Recording]:
    recording, content = kept(kind)
    uids = {"series_instance_uid": "2.25.4", "sop_instance_uid": "2.25.5"}
    return structured_report.write(analyse(recording), recording, content, **uids, device=DEVICE, written_at=AT), recording


@pytest.mark.parametrize("kind", HEARTS)
def test_every_measurement_and_statement_reads_back(kind: str):
    content, recording = report_of(kind)
    found, analysis = structured_report.read(content), analyse(recording)
    values = global_values(analysis)
    assert dict(found.measurements) == {
        name: values[name] for name in GLOBALS if values[name] is not None or GLOBALS[name].always
    }
    st = analysis.measurements.st_j_mv or {}
    assert dict(found.st_j_mv) == pytest.approx(dict(st), abs=1e-4)
    assert [one.words for one in found.findings] == [f"{one.text.zh} {one.text.en}" for one in analysis.statements]
    assert [one.code for one in found.findings] == [one.scp or one.code for one in analysis.statements]
    assert found.waveform_uids == ("2.25.3",)


def test_the_report_is_the_patients_and_the_studys_of_the_recording():
    dataset = pydicom.dcmread(io.BytesIO(report_of()[0]))
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert str(dataset.PatientName) == "Wang^Fang=王^芳"
    assert (dataset.PatientID, dataset.StudyInstanceUID, dataset.AccessionNumber) == ("P-1", "2.25.1", "A7")
    evidence = dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.3"
    assert dataset.VerificationFlag == "UNVERIFIED"


def test_what_could_not_be_measured_is_said_to_have_failed_and_not_left_out():
    content, _ = report_of("atrial-fibrillation")
    assert structured_report.read(content).measurements["pr_interval_ms"] is None
    assert "Measurement failure" in dumped(content)[0]


def dumped(content: bytes) -> tuple[str, list[str]]:
    """What dcmtk makes of it, and what it complains about; that it checks no UTF-8 is no complaint about the report."""
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        file.write(content)
        file.flush()
        answer = subprocess.run(["/usr/bin/dsrdump", "+Pl", "+U8", file.name], capture_output=True, check=True)
    complaints = answer.stderr.decode().splitlines()
    return answer.stdout.decode(), [line for line in complaints if "VR checker does not support" not in line]


@pytest.mark.parametrize("kind", HEARTS)
def test_dcmtk_reads_it_without_a_complaint(kind: str):
    text, complaints = dumped(report_of(kind)[0])
    assert "提示，非诊断" in text
    assert "ECG Global Measurements" in text
    assert complaints == []


def test_a_recording_that_is_not_dicom_or_a_report_that_is_none_is_told():
    recording, content = kept()
    uids = {"series_instance_uid": "2.25.4", "sop_instance_uid": "2.25.5"}
    with pytest.raises(EcgError, match="not readable as DICOM"):
        structured_report.write(analyse(recording), recording, b"no DICOM", **uids, device=DEVICE, written_at=AT)
    with pytest.raises(EcgError, match="not an ECG Report"):
        structured_report.read(content)
    with pytest.raises(EcgError, match="damaged"):
        structured_report.read(report_of()[0][:700])


def test_the_same_analysis_gives_the_same_bytes():
    assert report_of()[0] == report_of()[0]


def test_a_lead_outside_the_nomenclature_keeps_its_name():
    recording, content = kept()
    analysis = analyse(recording)
    odd = replace(analysis, measurements=replace(analysis.measurements, st_j_mv={"ch1": 0.12}))
    uids = {"series_instance_uid": "2.25.4", "sop_instance_uid": "2.25.5"}
    written = structured_report.write(odd, recording, content, **uids, device=DEVICE, written_at=AT)
    assert dict(structured_report.read(written).st_j_mv) == {"ch1": 0.12}
