"""What the index needs to know of one object, read from its data set without pydicom and without recursion."""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from dicom_node.archive.charset import Legibility, PersonName, charsets_of, decode, person_name
from dicom_node.archive.scan import EXPLICIT_BIG_ENDIAN, Scanned, holds, scan
from telemed.kernel.errors import Invalid

#: Characters that are safe in a URL and a log; PS3.5 9.1 allows only digits and dots, some equipment does not know.
_UID = re.compile(r"[0-9A-Za-z._-]{1,64}\Z")
_DATE = re.compile(r"\d{8}\Z")
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)\Z")
_INT4 = (1 << 31) - 1
_MAX_VALUES = 16

_SPECIFIC_CHARACTER_SET = 0x00080005
_ISSUER_QUALIFIERS = 0x00100024
_ENTITY = frozenset({0x00400032})

#: tag -> (keyword, how it is read), by the level that keeps it in its "attributes".
_STUDY = {0x00080080: ("InstitutionName", "text"), 0x00101010: ("PatientAge", "text")}
_SERIES = {
    0x00080021: ("SeriesDate", "text"),
    0x00080031: ("SeriesTime", "text"),
    0x00080070: ("Manufacturer", "text"),
    0x00080080: ("InstitutionName", "text"),
    0x00081010: ("StationName", "text"),
    0x00081090: ("ManufacturerModelName", "text"),
    0x00181030: ("ProtocolName", "text"),
    0x00185100: ("PatientPosition", "text"),
    0x00200060: ("Laterality", "text"),
}
_INSTANCE = {
    0x00080008: ("ImageType", "texts"),
    0x00080023: ("ContentDate", "text"),
    0x00080033: ("ContentTime", "text"),
    0x00200012: ("AcquisitionNumber", "integer"),
    0x00200032: ("ImagePositionPatient", "decimals"),
    0x00200037: ("ImageOrientationPatient", "decimals"),
    0x00201002: ("ImagesInAcquisition", "integer"),
    0x00201208: ("NumberOfStudyRelatedInstances", "integer"),
    0x00201209: ("NumberOfSeriesRelatedInstances", "integer"),
    0x00280002: ("SamplesPerPixel", "short"),
    0x00280004: ("PhotometricInterpretation", "text"),
    0x00280030: ("PixelSpacing", "decimals"),
    0x00280100: ("BitsAllocated", "short"),
    0x00281050: ("WindowCenter", "decimals"),
    0x00281051: ("WindowWidth", "decimals"),
}
#: Only whether they are there: pixel data of three kinds counts as one.
_PRESENCE = {0x54000100: "WaveformSequence", 0x00420011: "EncapsulatedDocument"}
_PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}

#: ECG Waveform Storage of PS3.4 B.5: 12-lead, general, ambulatory, and general with 32 bits.
_ECG = frozenset(f"1.2.840.10008.5.1.4.1.1.9.1.{number}" for number in (1, 2, 3, 4))
#: Waveform Sequence > Channel Definition Sequence > Channel Sensitivity (PS3.3 C.10.9.1.4.4).
_SENSITIVITY = (0x54000100, 0x003A0200, 0x003A0210)

_OWN_COLUMNS = {
    _SPECIFIC_CHARACTER_SET, _ISSUER_QUALIFIERS,
    0x00080016, 0x00080018, 0x00080020, 0x00080030, 0x00080050, 0x00080060, 0x00080090, 0x00080201,
    0x00081030, 0x0008103E, 0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040, 0x00180015, 0x0020000D, 0x0020000E,
    0x00200010, 0x00200011, 0x00200013, 0x00280008, 0x00280010, 0x00280011,
}  # fmt: skip
#: What differs from one instance of a series to the next.
_OF_INSTANCE = frozenset(_INSTANCE.keys() | {0x00080016, 0x00080018, 0x00200013, 0x00280008, 0x00280010, 0x00280011})
_REMEMBERED, _REMEMBERED_BYTES = 64, 4096
#: Without any of these an object cannot be filed.
_UIDS = {
    0x00080016: "SOP Class UID",
    0x00080018: "SOP Instance UID",
    0x0020000D: "Study Instance UID",
    0x0020000E: "Series Instance UID",
}
_WANTED = frozenset(_OWN_COLUMNS | _STUDY.keys() | _SERIES.keys() | _INSTANCE.keys())


class Identity(NamedTuple):
    """Which object it is: the UIDs that its file begins with (PS3.10 7.1)."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Header:
    """One object's identity and description; texts are decoded, bounded and without control characters.

    Absent texts are empty, absent numbers None. Dates are YYYYMMDD or empty. *issuer_entity* is the Universal Entity ID of
    the Issuer of Patient ID Qualifiers (PS3.3 10.15).
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    issuer: str
    patient_name: PersonName
    patient_name_raw: bytes
    sex: str
    birth_date: str
    accession_number: str
    study_id: str
    study_description: str
    study_date: str
    study_time: str
    utc_offset_minutes: int | None
    referring_physician: str
    modality: str
    series_number: int | None
    series_description: str
    body_part: str
    instance_number: int | None
    rows: int | None
    columns: int | None
    frames: int
    study_attributes: Mapping[str, Any]
    series_attributes: Mapping[str, Any]
    instance_attributes: Mapping[str, Any]
    issuer_entity: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, from which `from_json` makes it again."""
        plain, name = dict(self.__dict__), self.patient_name
        plain["patient_name"] = [name.alphabetic, name.ideographic, name.phonetic, name.legibility.value]
        plain["patient_name_raw"] = self.patient_name_raw.hex()
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Header:
        """Return the header that `as_json` was called on."""
        alphabetic, ideographic, phonetic, legibility = plain["patient_name"]
        name = PersonName(alphabetic, ideographic, phonetic, Legibility(legibility))
        return cls(**{**plain, "patient_name": name, "patient_name_raw": bytes.fromhex(plain["patient_name_raw"])})


def read_identity(data: memoryview, transfer_syntax_uid: str) -> Identity:
    """Read of the data set *data* no more than which object it is.

    It is walked to its end as by `read_header`, and refused for the same: what passes here can be filed later.
    """
    return _identity(data, transfer_syntax_uid, scan(data, transfer_syntax_uid, _WANTED))


def read_header(
    data: memoryview, transfer_syntax_uid: str, assumed_charset: str = "", *, forget: Callable[[], object] = lambda: None
) -> Header:
    """Read the data set *data*, encoded in *transfer_syntax_uid*; *assumed_charset* is `charset.decode`'s, *forget* `scan`'s.

    Raises
    ------
    Invalid
        code "unreadable" when it cannot be walked to its end, "identifiers" when a UID is missing or malformed,
        "uncalibrated" when it is an ECG none of whose channels says what its numbers mean.
    """
    scanned = scan(data, transfer_syntax_uid, _WANTED, forget)
    identity = _identity(data, transfer_syntax_uid, scanned)
    values = _Values(scanned.values, assumed_charset, little_endian=scanned.little_endian)
    return Header(
        **_of_series(scanned.values, assumed_charset),
        sop_class_uid=identity.sop_class_uid,
        sop_instance_uid=identity.sop_instance_uid,
        instance_number=values.integer(0x00200013),
        rows=values.short(0x00280010),
        columns=values.short(0x00280011),
        frames=max(values.integer(0x00280008) or 1, 1),
        instance_attributes=values.attributes(_INSTANCE) | _presence(scanned.present),
        issuer_entity=_universal_entity(values.raw(_ISSUER_QUALIFIERS), transfer_syntax_uid),
    )


def _identity(data: memoryview, transfer_syntax_uid: str, scanned: Scanned) -> Identity:
    sop_class_uid, sop_instance_uid, _, _ = (_uid(scanned.values, tag) for tag in _UIDS)
    if sop_class_uid in _ECG and not holds(data, transfer_syntax_uid, _SENSITIVITY):
        raise Invalid(
            "the ECG carries no gain (Channel Sensitivity is missing): nobody could measure it; export it again with its gain",
            code="uncalibrated",
        )
    return Identity(sop_class_uid, sop_instance_uid)


def _uid(values: Mapping[int, bytes], tag: int) -> str:
    uid = values.get(tag, b"").strip(b"\0 \t\r\n").decode("ascii", "replace")
    if not uid:
        raise Invalid(f"the object has no {_UIDS[tag]}: it cannot be filed", code="identifiers")
    if not _UID.match(uid):
        raise Invalid(f"the {_UIDS[tag]} of the object is malformed: it cannot be filed", code="identifiers")
    return uid


def _of_series(values: Mapping[int, bytes], assumed_charset: str) -> Mapping[str, Any]:
    """Return what the instances of one series have in common: read once for many that come one after the other."""
    shared = tuple((tag, value) for tag, value in values.items() if tag not in _OF_INSTANCE)
    short = sum(len(value) for _, value in shared) <= _REMEMBERED_BYTES
    return _read_series(shared, assumed_charset) if short else _read_series.__wrapped__(shared, assumed_charset)


@lru_cache(_REMEMBERED)
def _read_series(shared: tuple[tuple[int, bytes], ...], assumed_charset: str) -> Mapping[str, Any]:
    raw = dict(shared)
    values = _Values(raw, assumed_charset)
    physician = values.name(0x00080090)
    return {
        "study_instance_uid": _uid(raw, 0x0020000D),
        "series_instance_uid": _uid(raw, 0x0020000E),
        "patient_id": values.identifier(0x00100020),
        "issuer": values.identifier(0x00100021),
        "patient_name": values.name(0x00100010),
        "patient_name_raw": values.raw(0x00100010)[:400],
        "sex": values.text(0x00100040, 16),
        "birth_date": values.date(0x00100030),
        "accession_number": values.identifier(0x00080050),
        "study_id": values.identifier(0x00200010),
        "study_description": values.text(0x00081030, 200),
        "study_date": values.date(0x00080020),
        "study_time": values.text(0x00080030, 16).replace(":", ""),
        "utc_offset_minutes": values.offset(0x00080201),
        "referring_physician": f"{physician.alphabetic}={physician.ideographic}={physician.phonetic}".rstrip("=")[:200],
        "modality": values.text(0x00080060, 16) or "OT",
        "series_number": values.integer(0x00200011),
        "series_description": values.text(0x0008103E, 200),
        "body_part": values.text(0x00180015, 80),
        "study_attributes": values.attributes(_STUDY),
        "series_attributes": values.attributes(_SERIES),
    }


def _universal_entity(items: bytes, transfer_syntax_uid: str) -> str:
    """Return the Universal Entity ID (0040,0032) of a sequence's first item; empty when there is none that can be read."""
    if not items:
        return ""
    try:
        item = scan(memoryview(items)[8:], EXPLICIT_BIG_ENDIAN if transfer_syntax_uid == EXPLICIT_BIG_ENDIAN else "", _ENTITY)
    except Invalid:
        return ""
    return _Values(item.values, "").identifier(min(_ENTITY))


class _Values:
    """The raw values of one data set, each read as its VR says."""

    def __init__(self, values: Mapping[int, bytes], assumed_charset: str, *, little_endian: bool = True) -> None:
        self._values = values
        self._short = "<H" if little_endian else ">H"
        self._assumed = assumed_charset
        self._charsets = charsets_of(values.get(_SPECIFIC_CHARACTER_SET, b""))

    def raw(self, tag: int) -> bytes:
        return self._values.get(tag, b"")

    def text(self, tag: int, limit: int) -> str:
        return decode(self.raw(tag)[: 8 * limit], self._charsets, self._assumed).value[:limit].strip()

    def identifier(self, tag: int) -> str:
        """Return the text; an overlong one is cut, but never made equal to another."""
        text = decode(self.raw(tag), self._charsets, self._assumed).value
        return text if len(text) <= 80 else f"{text[:60]}~{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def name(self, tag: int) -> PersonName:
        name = person_name(self.raw(tag)[:2000], self._charsets, self._assumed)
        return PersonName(name.alphabetic[:200], name.ideographic[:200], name.phonetic[:200], name.legibility)

    def date(self, tag: int) -> str:
        """Return YYYYMMDD; the ACR-NEMA form 1997.04.24 and dashes are understood."""
        digits = self.text(tag, 16).replace(".", "").replace("-", "")
        return digits if _DATE.match(digits) else ""

    def offset(self, tag: int) -> int | None:
        match = _OFFSET.match(self.text(tag, 8))
        if match is None:
            return None
        minutes = int(match[2]) * 60 + int(match[3])
        return None if minutes >= 24 * 60 else int(f"{match[1]}{minutes}")

    def integer(self, tag: int) -> int | None:
        first = self.raw(tag)[:64].split(b"\\")[0].strip(b"\0 ")
        try:
            number = int(first)
        except ValueError:
            return None
        return number if abs(number) <= _INT4 else None

    def short(self, tag: int) -> int | None:
        raw = self.raw(tag)
        if len(raw) < 2:
            return None
        number: int = struct.unpack_from(self._short, raw)[0]
        return number

    def decimals(self, tag: int) -> list[float]:
        """Return the finite numbers of a DS; nothing when one of them is not a number."""
        try:
            numbers = [float(part) for part in self.raw(tag)[:1024].strip(b"\0 ").split(b"\\")[:_MAX_VALUES]]
        except ValueError:
            return []
        return numbers if all(map(math.isfinite, numbers)) else []

    def attributes(self, wanted: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
        values = self._values
        found = {keyword: _READ[how](self, tag) for tag, (keyword, how) in wanted.items() if values.get(tag)}
        return {keyword: value for keyword, value in found.items() if value not in ("", [], None)}


_READ: Mapping[str, Callable[[_Values, int], Any]] = {
    "text": lambda values, tag: values.text(tag, 80),
    "texts": lambda values, tag: [part.strip() for part in values.text(tag, 400).split("\\")[:_MAX_VALUES]],
    "integer": _Values.integer,
    "short": _Values.short,
    "decimals": _Values.decimals,
}


def _presence(present: AbstractSet[int]) -> dict[str, bool]:
    found = {keyword: True for tag, keyword in _PRESENCE.items() if tag in present}
    return found | ({"PixelData": True} if present & _PIXELS else {})
