"""A catalogue of studies: as small DICOM files for every server, and as rows of the index for a hundred thousand of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian
from sqlalchemy import Connection, insert

from dicom_node.archive.tables import instance_table, patient_table, series_table, study_table

ROOT = "1.2.826.0.1.3680043.8.498.78"
FAMILIES = ("Wang", "Li", "Zhang", "Liu", "Chen", "Yang", "Zhao", "Huang", "Zhou", "Wu", "Xu", "Sun", "Hu", "Zhu", "Gao", "Lin")
GIVEN = ("Fang", "Wei", "Na", "Jing", "Qiang", "Lei", "Jun", "Yang", "Yong", "Jie", "Juan", "Tao", "Ming", "Chao", "Xia", "Ping")
MODALITIES = (("CT", "1.2.840.10008.5.1.4.1.1.2"), ("DX", "1.2.840.10008.5.1.4.1.1.1.1"), ("MR", "1.2.840.10008.5.1.4.1.1.4"))
INSTANCES = 2
#: Days over which any number of studies is spread evenly: a day of a large archive holds more of them.
FIRST_DAY = date(2020, 1, 1)
#: The whole catalogue repeats its days after as many studies, so that a range of days finds about as many in any archive.
STUDIES_A_DAY = 10


class Entry(NamedTuple):
    """One study of the catalogue, by its number: one series of INSTANCES instances."""

    number: int

    @property
    def study(self) -> str:
        return f"{ROOT}.{self.number + 1}"

    @property
    def series(self) -> str:
        return f"{self.study}.1"

    def instance(self, number: int) -> str:
        return f"{self.series}.{number}"

    @property
    def patient_id(self) -> str:
        return f"Q{self.number:06}"

    @property
    def name(self) -> str:
        # The family name goes with the thousand, but for the rare name that every search by name is for.
        family = "Ouyang" if self.number % 20 == 7 and self.number < 1000 else FAMILIES[self.number % len(FAMILIES)]
        return f"{family}^{GIVEN[self.number // 16 % len(GIVEN)]}{GIVEN[self.number // 256 % len(GIVEN)].lower()}"

    @property
    def accession_number(self) -> str:
        return f"A{self.number:07}"

    @property
    def day(self) -> str:
        return f"{FIRST_DAY + timedelta(days=self.number // STUDIES_A_DAY):%Y%m%d}"

    @property
    def time(self) -> str:
        return f"{8 + self.number % 10:02}{self.number * 7 % 60:02}{self.number * 13 % 60:02}"

    @property
    def modality(self) -> tuple[str, str]:
        return MODALITIES[self.number % len(MODALITIES)]

    @property
    def description(self) -> str:
        return f"{self.modality[0]} Thorax {self.number % 40}"


def files(folder: Path, numbers: range) -> Path:
    """Write the objects of *numbers* as small DICOM files and return *folder*."""
    folder.mkdir(parents=True)
    for entry in map(Entry, numbers):
        for number in range(1, INSTANCES + 1):
            (folder / f"{entry.number}-{number}.dcm").write_bytes(_file(entry, number))
    return folder


def _file(entry: Entry, number: int) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    modality, dataset.SOPClassUID = entry.modality
    dataset.SOPInstanceUID = entry.instance(number)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = entry.study, entry.series
    dataset.Modality, dataset.BodyPartExamined = modality, "CHEST"
    dataset.PatientName, dataset.PatientID = entry.name, entry.patient_id
    dataset.PatientSex, dataset.PatientBirthDate = "FM"[entry.number % 2], f"19{entry.number % 80 + 10}0101"
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = entry.day, entry.time, entry.accession_number
    dataset.StudyID, dataset.StudyDescription, dataset.SeriesDescription = "1", entry.description, "Axial"
    dataset.ReferringPhysicianName = "Zhao^Min"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number
    dataset.Rows = dataset.Columns = 16
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.add_new("PixelData", "OW", np.full((16, 16), entry.number % 4096, dtype=np.uint16).tobytes())
    file = io.BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def enter(db: Connection, institution: str, numbers: range, *, at_once: int = 5000, objects: bool = True) -> None:
    """Write the rows of *numbers* as the archive would have, of the studies alone if not *objects*; nothing is in the blobs."""
    for start in range(numbers.start, numbers.stop, at_once):
        entries = [Entry(number) for number in range(start, min(start + at_once, numbers.stop))]
        levels = ((patient_table, _patients), (study_table, _studies), (series_table, _series), (instance_table, _instances))
        for table, rows in levels if objects else levels[:2]:
            db.execute(insert(table), list(rows(entries, institution)))


def _received(entry: Entry) -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=entry.number * 20)


def _key(kind: str, entry: Entry, number: int = 0) -> str:
    return hashlib.md5(f"{kind}{entry.number}.{number}".encode(), usedforsecurity=False).hexdigest()


def _patients(entries: list[Entry], institution: str) -> Iterator[dict[str, Any]]:
    for entry in entries:
        yield {
            "id": _key("p", entry), "institution": institution, "patient_id": entry.patient_id, "variant": 0, "issuer": "",
            "name": entry.name, "name_folded": entry.name.casefold(), "name_ideographic": "", "name_phonetic": "",
            "name_raw": entry.name.encode(), "name_legibility": "stated", "sex": "FM"[entry.number % 2],
            "birth_date": f"19{entry.number % 80 + 10}0101",
        }  # fmt: skip


def _studies(entries: list[Entry], institution: str) -> Iterator[dict[str, Any]]:
    for entry in entries:
        yield {
            "id": _key("s", entry), "institution": institution, "study_instance_uid": entry.study,
            "patient_key": _key("p", entry), "accession_number": entry.accession_number, "study_id": "1",
            "description": entry.description, "study_date": entry.day, "study_time": entry.time, "utc_offset_minutes": None,
            "referring_physician": "Zhao^Min", "modalities": [entry.modality[0]], "series_count": 1,
            "instance_count": INSTANCES, "attributes": {}, "first_received_at": _received(entry),
            "last_received_at": _received(entry), "settled_at": _received(entry),
        }  # fmt: skip


def _series(entries: list[Entry], _institution: str) -> Iterator[dict[str, Any]]:
    for entry in entries:
        yield {
            "id": _key("r", entry), "study_id": _key("s", entry), "series_instance_uid": entry.series,
            "modality": entry.modality[0], "number": 1, "description": "Axial", "body_part": "CHEST",
            "instance_count": INSTANCES, "attributes": {}, "first_received_at": _received(entry),
        }  # fmt: skip


def _instances(entries: list[Entry], institution: str) -> Iterator[dict[str, Any]]:
    for entry in entries:
        for number in range(1, INSTANCES + 1):
            digest = hashlib.sha256(entry.instance(number).encode()).hexdigest()
            yield {
                "id": _key("i", entry, number), "institution": institution, "series_id": _key("r", entry),
                "sop_instance_uid": entry.instance(number), "sop_class_uid": entry.modality[1],
                "transfer_syntax_uid": ExplicitVRLittleEndian, "number": number, "rows": 16, "columns": 16, "frames": 1,
                "attributes": {"PixelData": 1}, "digest": digest, "data_digest": digest, "size": 1500, "source": "BENCH",
                "received_at": _received(entry),
            }  # fmt: skip
