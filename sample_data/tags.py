"""Who the samples are about, what they are called, and the data elements every image has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

#: All of China keeps one time; the samples were "made" on one morning in it.
ZONE = timezone(timedelta(hours=8))
MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=ZONE)
CLINIC = "莲花乡卫生院"
CHARACTER_SET = "GB18030"


@dataclass(frozen=True)
class Person:
    """A patient who does not exist; *name* has the alphabetic and the ideographic group."""

    patient_id: str
    name: str
    sex: str
    birth_date: date


PEOPLE: Mapping[str, Person] = {
    "jia": Person("DEMO-0001", "Shili^Jia=示例^甲", "M", date(1958, 2, 14)),
    "yi": Person("DEMO-0002", "Shili^Yi=示例^乙", "F", date(1971, 7, 3)),
    "bing": Person("DEMO-0003", "Shili^Bing=示例^丙", "M", date(1966, 11, 21)),
    "ding": Person("DEMO-0004", "Shili^Ding=示例^丁", "M", date(1963, 5, 9)),
    "wu": Person("DEMO-0005", "Shili^Wu=示例^戊", "F", date(1946, 12, 30)),
    "ji": Person("DEMO-0006", "Shili^Ji=示例^己", "F", date(1989, 4, 18)),
}


@dataclass(frozen=True)
class Examination:
    """One study: whom it is of, what it is called, when it began, why."""

    key: str
    person: Person
    modality: str
    description: str
    began_at: datetime
    reason: str

    @property
    def accession_number(self) -> str:
        """The order it answers."""
        return f"DEMO{uid(self.key)[-8:]}"


def uid(*names: object) -> str:
    """Return the UID of what *names* spell, under 2.25, the same on every machine."""
    digest = hashlib.sha256("/".join(["telemed sample", *map(str, names)]).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def image_of(examination: Examination, sop_class_uid: str, *, number: int, series_description: str) -> Dataset:
    """Return a data set with everything but the picture: patient, study, series, equipment, and a Part 10 header."""
    person, began_at = examination.person, examination.began_at
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SpecificCharacterSet = CHARACTER_SET
    image.SOPClassUID = sop_class_uid
    image.SOPInstanceUID = uid(examination.key, examination.modality, number)
    image.StudyDate = image.SeriesDate = image.ContentDate = image.AcquisitionDate = f"{began_at:%Y%m%d}"
    image.StudyTime = image.SeriesTime = image.ContentTime = image.AcquisitionTime = f"{began_at:%H%M%S}"
    image.TimezoneOffsetFromUTC = f"{began_at:%z}"
    image.AccessionNumber = examination.accession_number
    image.Modality = examination.modality
    image.Manufacturer = "telemed sample data"
    image.ManufacturerModelName = "Phantom"
    image.InstitutionName = CLINIC
    image.ReferringPhysicianName = "Shili^Yisheng=示例^医生"
    image.StudyDescription = examination.description
    image.SeriesDescription = series_description
    image.PatientName, image.PatientID = person.name, person.patient_id
    image.PatientSex, image.PatientBirthDate = person.sex, f"{person.birth_date:%Y%m%d}"
    image.PatientAge = f"{(began_at.date() - person.birth_date).days // 365:03d}Y"
    image.PatientComments = "合成数据，非真实患者 Synthetic, no real patient"
    image.AdmittingDiagnosesDescription = examination.reason
    image.StudyInstanceUID = uid(examination.key)
    image.SeriesInstanceUID = uid(examination.key, examination.modality)
    image.StudyID, image.SeriesNumber, image.InstanceNumber = "1", 1, number
    image.BurnedInAnnotation = "NO"
    return image


def keep(image: Dataset, path: Path) -> None:
    """Write *image* as a Part 10 file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)
