"""Recordings as people upload them."""

from __future__ import annotations

from datetime import UTC, datetime

from ecg.formats import dicom
from ecg.recording import PatientTags, Recording


def as_csv(recording: Recording, head: str = "# unit=mV\n# sampling_frequency_hz=500\n") -> bytes:
    lines = [",".join(recording.names), *(",".join(f"{value:.4f}" for value in row) for row in recording.millivolts.T)]
    return (head + "\n".join(lines) + "\n").encode()


def as_dicom(recording: Recording) -> bytes:
    names = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
    uids = {name: f"2.25.{number}" for number, name in enumerate(names, 11)}
    patient = PatientTags(patient_id="P1", name="LI^Ming", sex="M")
    return dicom.write(recording, patient, **uids, acquired_at=datetime(2026, 3, 2, tzinfo=UTC))
