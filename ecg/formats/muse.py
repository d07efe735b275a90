"""GE MUSE XML (RestingECG): base64 samples of eight leads, the other limb leads follow from I and II."""

import binascii
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from xml.etree.ElementTree import Element

import numpy as np

from ecg.errors import EcgError
from ecg.formats import Declared, markup
from ecg.leads import lead_named
from ecg.recording import MAX_LEADS, UNSTATED_ZONE, Filters, Millivolts, PatientTags, Recording, unique_names, with_limb_leads

UNITS_MV = {"MICROVOLTS": 1e-3, "MILLIVOLTS": 1.0}
MEASURES = {
    "VentricularRate": "heart_rate_bpm",
    "PRInterval": "pr_interval_ms",
    "QRSDuration": "qrs_duration_ms",
    "QTInterval": "qt_interval_ms",
    "QTCorrected": "qtc_interval_ms",
    "QTcBazett": "qtc_bazett_ms",
    "QTcFrederica": "qtc_fridericia_ms",
    "PAxis": "p_axis_deg",
    "RAxis": "qrs_axis_deg",
    "TAxis": "t_axis_deg",
}
_SEX = {"MALE": "M", "FEMALE": "F"}
_YEARS = {"YEARS": 1.0, "MONTHS": 1 / 12, "WEEKS": 7 / 365.25, "DAYS": 1 / 365.25, "HOURS": 1 / 8766}


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the rhythm strip; `EcgError` when there is none, it is cut off, fails its checksum or names no gain."""
    name, data = next(iter(files.items()))
    root = markup.parse(name, data)
    waveform = next((each for each in root.iterfind("Waveform") if markup.text(each, "WaveformType").upper() == "RHYTHM"), None)
    if waveform is None:
        raise EcgError(f"{name} holds no rhythm waveform; export the ECG with its ten seconds of samples.")
    parts = waveform.findall("LeadData")
    if not 1 <= len(parts) <= MAX_LEADS:
        raise EcgError(f"{name} holds {len(parts)} leads; from 1 to {MAX_LEADS} are read.")
    steps = [_step_mv(name, part, declared) for part in parts]
    rows = [_samples(name, part) * step for part, step in zip(parts, steps, strict=True)]
    if len({row.size for row in rows}) != 1:
        raise EcgError(f"{name} holds leads of different lengths ({sorted({row.size for row in rows})}); export it again.")
    filters = Filters(
        high_pass_hz=_hundredth(markup.number(waveform, "HighPassFilter")),
        low_pass_hz=markup.number(waveform, "LowPassFilter") or None,
        notch_hz=markup.number(waveform, "ACFilter") or None,
    )
    measured = root.find("RestingECGMeasurements")
    statements = root.iterfind("Diagnosis/DiagnosisStatement/StmtText")
    return with_limb_leads(
        Recording(
            format="muse",
            leads=unique_names([lead_named(markup.text(part, "LeadID")) for part in parts]),
            sampling_frequency_hz=_rate(name, waveform, declared),
            millivolts=np.stack(rows),
            resolution_mv=tuple(steps),
            started_at=_started_at(root),
            patient=_patient(root),
            filters=(filters,) * len(parts),
            device=MappingProxyType(_measured(measured) if measured is not None else {}),
            device_statements=tuple(each.text.strip() for each in statements if each.text and each.text.strip()),
            notes=tuple(
                f"The machine says lead {markup.text(part, 'LeadID')} was off."
                for part in parts
                if markup.text(part, "LeadOff").upper() == "TRUE"
            ),
        )
    )


def _hundredth(value: float | None) -> float | None:
    return value / 100 if value else None


def _rate(name: str, waveform: Element, declared: Declared) -> float:
    base, exponent = markup.number(waveform, "SampleBase"), markup.number(waveform, "SampleExponent") or 0.0
    if base and -9 <= exponent <= 9:
        return float(base * 10**exponent)
    if declared.sampling_frequency_hz:
        return declared.sampling_frequency_hz
    raise EcgError(f"{name} names no sampling frequency; declare it.")


def _step_mv(name: str, part: Element, declared: Declared) -> float:
    units, unit = markup.number(part, "LeadAmplitudeUnitsPerBit"), markup.text(part, "LeadAmplitudeUnits").upper()
    if units and unit in UNITS_MV:
        return units * UNITS_MV[unit]
    if declared.gain_uv_per_unit:
        return declared.gain_uv_per_unit / 1000
    raise EcgError(f"{name} carries no gain for lead {markup.text(part, 'LeadID')}; declare it in microvolts per unit.")


def _samples(name: str, part: Element) -> Millivolts:
    """Return the stored numbers of one lead, which must be as many as announced and pass their CRC-32."""
    lead, size = markup.text(part, "LeadID"), int(markup.number(part, "LeadSampleSize") or 2)
    try:
        data = binascii.a2b_base64(markup.text(part, "WaveFormData"))
    except binascii.Error as error:
        raise EcgError(f"{name} holds no base64 samples for lead {lead} ({error}); export it again.") from error
    if size not in {1, 2, 4} or not data or len(data) % size:
        raise EcgError(f"{name} stores lead {lead} as {len(data)} bytes of {size}-byte samples; export it again.")
    announced = markup.number(part, "LeadSampleCountTotal")
    if announced is not None and announced != len(data) // size:
        raise EcgError(f"{name} announces {announced:g} samples of lead {lead} and holds {len(data) // size}; export it again.")
    checksum = markup.text(part, "LeadDataCRC32")
    if checksum.isdigit() and int(checksum) not in {0, zlib.crc32(data)}:
        raise EcgError(f"{name} fails the checksum of lead {lead}; it was damaged on its way: export it again.")
    return np.frombuffer(data, f"<i{size}").astype(np.float64)


def _measured(block: Element) -> dict[str, float]:
    found = {ours: markup.number(block, theirs) for theirs, ours in MEASURES.items()}
    return {ours: value for ours, value in found.items() if value is not None}


def _day(text: str) -> date | None:
    for pattern in ("%m-%d-%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None


def _started_at(root: Element) -> datetime | None:
    """Return the acquisition time; MUSE keeps no zone, so it is taken as `UNSTATED_ZONE`."""
    day, time = _day(markup.text(root, "TestDemographics/AcquisitionDate")), markup.text(root, "TestDemographics/AcquisitionTime")
    try:
        clock = datetime.strptime(time, "%H:%M:%S").time()  # noqa: DTZ007 - a time
        return datetime.combine(day, clock, UNSTATED_ZONE).astimezone(UTC) if day else None
    except ValueError:
        return None


def _patient(root: Element) -> PatientTags | None:
    who = root.find("PatientDemographics")
    if who is None:
        return None
    age, unit = markup.number(who, "PatientAge"), markup.text(who, "AgeUnits").upper() or "YEARS"
    names = (markup.text(who, "PatientLastName"), markup.text(who, "PatientFirstName"))
    return PatientTags(
        patient_id=markup.text(who, "PatientID"),
        name="^".join(names).rstrip("^"),
        sex=_SEX.get(markup.text(who, "Gender").upper(), ""),
        birth_date=_day(markup.text(who, "DateofBirth")),
        age_years=age * _YEARS[unit] if age is not None and unit in _YEARS else None,
    )
