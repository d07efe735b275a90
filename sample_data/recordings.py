"""The ECGs: five as DICOM as a cart sends them, one as WFDB and one as CSV as a person uploads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ecg.formats import dicom
from ecg.recording import PatientTags
from sample_data.ecg_synthesis import synthesise
from sample_data.tags import CHARACTER_SET, CLINIC, MORNING, PEOPLE, Person, uid


@dataclass(frozen=True)
class Sample:
    """One recording: what it shows, the seed of its noise, whose it is."""

    key: str
    kind: str
    seed: int
    person: Person
    minutes: int

    @property
    def acquired_at(self) -> datetime:
        """When it was "recorded"."""
        return MORNING + timedelta(minutes=self.minutes)


SAMPLES = (
    Sample("ecg-normal", "normal", 11, PEOPLE["yi"], 8),
    Sample("ecg-atrial-fibrillation", "atrial-fibrillation", 12, PEOPLE["jia"], -6),
    Sample("ecg-inferior-st-elevation", "inferior-st-elevation", 13, PEOPLE["ding"], 31),
    Sample("ecg-complete-av-block", "complete-av-block", 14, PEOPLE["wu"], 40),
    Sample("ecg-noisy-leads", "noisy-leads", 15, PEOPLE["ji"], 52),
)

#: Microvolts of one step in the WFDB file.
WFDB_UV = 2


def as_dicom(sample: Sample) -> bytes:
    """Return the sample as a Part 10 file, the same bytes each time."""
    person = sample.person
    tags = PatientTags(person.patient_id, person.name, person.sex, person.birth_date)
    return dicom.write(
        synthesise(sample.kind, seed=sample.seed),
        tags,
        study_instance_uid=uid(sample.key),
        series_instance_uid=uid(sample.key, "ECG"),
        sop_instance_uid=uid(sample.key, "ECG", 1),
        acquired_at=sample.acquired_at,
        accession_number=f"DEMO{uid(sample.key)[-8:]}",
        study_id="1",
        institution_name=CLINIC,
        manufacturer="telemed sample data",
        character_set=CHARACTER_SET,
    )


def as_wfdb() -> Iterator[tuple[str, bytes]]:
    """Yield a WFDB record of atrial fibrillation as (name, content): a header and signals in format 16."""
    recording = synthesise("atrial-fibrillation", seed=21)
    counts = np.rint(recording.millivolts * 1000 / WFDB_UV).astype("<i2")
    gain = 1000 / WFDB_UV
    lines = [f"demo_af {len(recording.leads)} {recording.sampling_frequency_hz:g} {counts.shape[1]}"]
    for name, row in zip(recording.names, counts, strict=True):
        checksum = int(row.astype(np.int64).sum()) & 0xFFFF
        signed = checksum - 0x10000 if checksum >= 0x8000 else checksum
        lines.append(f"demo_af.dat 16 {gain:g}(0)/mV 16 0 {int(row[0])} {signed} 0 {name}")
    lines += ["# synthetic: no real patient", "# <age>: 67 <sex>: M"]
    yield "demo_af.hea", ("\n".join(lines) + "\n").encode("ascii")
    yield "demo_af.dat", np.ascontiguousarray(counts.T).tobytes()


def as_csv() -> tuple[str, bytes]:
    """Return an inferior ST elevation as (name, content): a table of whole numbers that declares its gain and its rate."""
    recording = synthesise("inferior-st-elevation", seed=22, rate=250)
    gain_uv = 5
    counts = np.rint(recording.millivolts * 1000 / gain_uv).astype(int)
    head = [
        "# synthetic: no real patient",
        f"# gain_uv={gain_uv}",
        f"# rate={recording.sampling_frequency_hz:g}",
        "# patient_id=DEMO-0007",
        "# name=示例庚",
        "# sex=M",
        "# birth_date=1960-01-31",
        ",".join(recording.names),
    ]
    rows = (",".join(map(str, column)) for column in counts.T)
    return "demo_inferior_st.csv", ("\n".join([*head, *rows]) + "\n").encode()
