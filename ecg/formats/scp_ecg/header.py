"""Section 1 (EN 1064, 5.4): who, when, and how it was filtered."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

from ecg.recording import UNSTATED_ZONE, Filters, PatientTags

#: Tag 14, byte 17 (language support) -> codec, EN 1064 table 6.
CODECS = {
    0x03: "iso8859_2",
    0x13: "iso8859_5",
    0x07: "utf-16-le",
    0x0F: "shift_jis",
    0x27: "gb18030",
    0x2F: "cp949",
    0x37: "utf-8",
}
YEARS = {1: 1.0, 2: 1 / 12, 3: 7 / 365.25, 4: 1 / 365.25, 5: 1 / 8766}
_LAST, _FIRST, _ID, _AGE, _BORN, _SEX, _MACHINE, _DAY, _TIME = 0, 1, 2, 4, 5, 8, 14, 25, 26
_HIGH_PASS, _LOW_PASS, _OTHER_FILTERS, _ZONE, _END = 27, 28, 29, 34, 255
_NO_ZONE = 0x7FFF


@dataclass(frozen=True)
class Header:
    """What section 1 says; *codec* decodes the record's other texts."""

    patient: PatientTags | None
    started_at: datetime | None
    filters: Filters
    codec: str


def header(section: bytes) -> Header:
    """Return what *section* says; what is missing or damaged is left out."""
    tags = dict(_tags(section))
    machine = tags.get(_MACHINE, b"")
    codec = CODECS.get(machine[16], "latin-1") if len(machine) > 16 else "latin-1"
    names = [_text(tags.get(tag, b""), codec) for tag in (_LAST, _FIRST)]
    age = tags.get(_AGE, b"")
    patient = PatientTags(
        patient_id=_text(tags.get(_ID, b""), codec),
        name="^".join(names).rstrip("^"),
        sex={1: "M", 2: "F"}.get(_byte(tags, _SEX), ""),
        birth_date=_day(tags.get(_BORN, b"")),
        age_years=_short(age) * YEARS[age[2]] if len(age) > 2 and age[2] in YEARS and _short(age) else None,
    )
    other = _byte(tags, _OTHER_FILTERS)
    return Header(
        patient=patient if patient != PatientTags() else None,
        started_at=_moment(tags),
        filters=Filters(
            high_pass_hz=_short(tags.get(_HIGH_PASS, b"")) / 100 or None,
            low_pass_hz=float(_short(tags.get(_LOW_PASS, b""))) or None,
            notch_hz=60.0 if other & 1 else 50.0 if other & 2 else None,
        ),
        codec=codec,
    )


def _tags(section: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 3 <= len(section) and section[at] != _END:
        size = struct.unpack_from("<H", section, at + 1)[0]
        yield section[at], section[at + 3 : at + 3 + size]
        at += 3 + size


def _text(value: bytes, codec: str) -> str:
    return value.decode(codec, "replace").partition("\0")[0].strip()


def _byte(tags: dict[int, bytes], tag: int) -> int:
    return int.from_bytes(tags.get(tag, b"")[:1], "little")


def _short(value: bytes) -> int:
    return int.from_bytes(value[:2], "little")


def _day(value: bytes) -> date | None:
    try:
        return date(_short(value), value[2], value[3])
    except (IndexError, ValueError):
        return None


def _moment(tags: dict[int, bytes]) -> datetime | None:
    """Return the acquisition time; where the record states no zone it is taken as `UNSTATED_ZONE`."""
    day, clock, zone = _day(tags.get(_DAY, b"")), tags.get(_TIME, b""), tags.get(_ZONE, b"")
    minutes = int.from_bytes(zone[:2], "little", signed=True) if len(zone) >= 2 else _NO_ZONE
    offset = timezone(timedelta(minutes=minutes)) if abs(minutes) <= 14 * 60 else UNSTATED_ZONE
    try:
        return datetime.combine(day, time(clock[0], clock[1], clock[2]), offset).astimezone(UTC) if day else None
    except (IndexError, ValueError, OverflowError):
        return None
