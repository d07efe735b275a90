"""A DICOM waveform object in, a recording out."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID

from ecg.device import DEVICE_MEASURES
from ecg.errors import EcgError
from ecg.formats import Declared
from ecg.leads import Lead, lead_named
from ecg.recording import MAX_SAMPLES, UNSTATED_ZONE, Filters, Millivolts, PatientTags, Recording, unique_names

#: Millivolts of one unit (UCUM codes as written, and as some machines write them).
UNITS_MV = {"uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "mV": 1.0, "V": 1e3, "nV": 1e-6}

#: Waveform Sample Interpretation -> cell type; the companded ones (MB, AB) are audio's.
CELLS = {"SB": "i1", "UB": "u1", "SS": "i2", "US": "u2", "SL": "i4", "UL": "u4"}

_SEX = ("M", "F", "O")
_MEASURES = {(measure.scheme, measure.code): name for name, measure in DEVICE_MEASURES.items()}


@dataclass(frozen=True)
class Channel:
    """One channel in millivolts; it begins *delay_s* after the acquisition."""

    lead: Lead
    row: Millivolts
    step_mv: float
    filters: Filters
    delay_s: float


class Machine(NamedTuple):
    """What the machine measured and said, its name and its place, as in `Recording`."""

    device: Mapping[str, float]
    device_statements: tuple[str, ...]
    equipment: str
    institution: str


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the strips of the one DICOM file in *files*.

    Original multiplex groups of one rate are put together on one axis, the longest first; a lead that an earlier group has is
    left out, as are median beats (they are derived) and channels that are no voltage, with a note. Skews of a sample and more
    are undone. `EcgError` when there is no waveform, no sensitivity, or fewer samples than announced.
    """
    name, data = next((item for item in files.items() if item[1][128:132] == b"DICM"), ("", b""))
    try:
        return _read(name, pydicom.dcmread(io.BytesIO(data)), declared)
    except (InvalidDicomError, BytesLengthException) as error:  # no ValueErrors, though they mean one
        raise EcgError(f"{name} is damaged: it is not readable as a DICOM waveform; export it again.") from error


def _read(name: str, dataset: Dataset, declared: Declared) -> Recording:
    groups = sorted(dataset.get("WaveformSequence") or [], key=_preference, reverse=True)
    if not groups:
        kind = UID(str(dataset.get("SOPClassUID", ""))).name
        raise EcgError(f"{name} is DICOM but holds no waveform ({kind or 'no SOP class'}); send an ECG.")
    chosen = [group for group in groups if _preference(group)[:2] == _preference(groups[0])[:2]]
    rate = float(chosen[0].SamplingFrequency)
    notes: list[str] = []
    channels: list[Channel] = []
    for group in (group for group in chosen if float(group.SamplingFrequency) == rate):
        known = {channel.lead for channel in channels}
        found = channels_of(name, group, little=little_endian(dataset), declared=declared, notes=notes)
        channels += [channel for channel in found if channel.lead not in known]
        notes += [f"Lead {channel.lead.name} is there twice; the longer was taken." for channel in found if channel.lead in known]
    if not channels:
        raise EcgError(f"{name} holds no channel measured in volts; send an ECG.")
    return Recording(
        format="dicom",
        leads=unique_names([channel.lead for channel in channels]),
        sampling_frequency_hz=rate,
        millivolts=_on_one_axis(name, channels, rate),
        resolution_mv=tuple(channel.step_mv for channel in channels),
        started_at=moment(dataset),
        patient=patient(dataset),
        filters=tuple(channel.filters for channel in channels),
        notes=tuple(notes),
        **machine(dataset)._asdict(),
    )


def _preference(group: Dataset) -> tuple[bool, bool, float, int]:
    samples, rate = int(group.NumberOfWaveformSamples), float(group.SamplingFrequency)
    label = str(group.get("MultiplexGroupLabel", "")).upper()
    original = str(group.get("WaveformOriginality", "ORIGINAL")) == "ORIGINAL"
    return original, "MEDIAN" not in label, samples / max(rate, 1e-9), int(group.NumberOfWaveformChannels)


def little_endian(dataset: Dataset) -> bool:
    """Tell whether the object's numbers are stored with the least byte first."""
    meta = getattr(dataset, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    return syntax is None or bool(UID(str(syntax)).is_little_endian)


def channels_of(name: str, group: Dataset, *, little: bool, declared: Declared, notes: list[str]) -> list[Channel]:
    """Return the channels of a multiplex group that are voltages; *notes* are told of the others."""
    channels, samples = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    definitions = list(group.get("ChannelDefinitionSequence") or [])
    if channels < 1 or samples < 1 or len(definitions) != channels:
        raise EcgError(
            f"{name} announces {channels} channels of {samples} samples and defines {len(definitions)}; export it again."
        )
    if channels * samples > MAX_SAMPLES:
        raise EcgError(f"{name} holds {channels * samples} samples; at most {MAX_SAMPLES} are read.")
    stored = _stored(name, group, definitions, samples, little=little)
    padding = _padding(group, stored.dtype, little=little)
    rate, group_delay_s = float(group.SamplingFrequency), float(group.get("MultiplexGroupTimeOffset") or 0.0) / 1000
    found = []
    for number, (definition, numbers) in enumerate(zip(definitions, stored.T, strict=True)):
        lead = _lead(definition, number)
        gain, offset = _gain(name, lead, definition, declared)
        if gain is None:
            notes.append(f"Channel {lead.name} is no voltage and was left out.")
            continue
        row: Millivolts = np.asarray(_extended(numbers, definition) * gain + offset, np.float64)
        if padding is not None:
            row[numbers == padding] = np.nan
        skew_s = _number(definition, "ChannelTimeSkew") or (_number(definition, "ChannelSampleSkew") or 0.0) / rate
        delay_s = group_delay_s + skew_s + (_number(definition, "ChannelOffset") or 0.0)
        found.append(Channel(lead, row, abs(gain), _filters(definition), delay_s))
    return found


def _stored(name: str, group: Dataset, definitions: Sequence[Dataset], samples: int, *, little: bool) -> NDArray[np.int_]:
    """Return the cells as (samples, channels)."""
    interpretation = str(group.get("WaveformSampleInterpretation", "SS"))
    if interpretation not in CELLS:
        raise EcgError(f"{name} stores its samples as {interpretation}, which no ECG does; export it as 16-bit signed.")
    cell = np.dtype(CELLS[interpretation]).newbyteorder("<" if little else ">")
    data, size = group.get("WaveformData"), len(definitions) * samples * cell.itemsize
    if not isinstance(data, bytes) or len(data) < size:
        have = len(data) if isinstance(data, bytes) else 0
        raise EcgError(f"{name} is cut off: {have} of {size} bytes of its waveform are there; send it again.")
    return np.frombuffer(data, cell, len(definitions) * samples).reshape(samples, len(definitions))


def _padding(group: Dataset, cell: np.dtype[np.generic], *, little: bool) -> int | None:
    """Return the Waveform Padding Value: bytes as the samples', an integer where the file gave it another VR."""
    value = group.get("WaveformPaddingValue")
    if isinstance(value, bytes) and len(value) >= cell.itemsize:
        return int.from_bytes(value[: cell.itemsize], "little" if little else "big", signed=cell.kind == "i")
    return int(value) if isinstance(value, int) else None


def _extended(numbers: NDArray[np.int_], definition: Dataset) -> NDArray[np.int64]:
    """Return the numbers sign-extended from the bits really used (C.10.9.1.4)."""
    whole = numbers.astype(np.int64)
    used = int(definition.get("WaveformBitsStored") or 0)
    if not 0 < used < numbers.dtype.itemsize * 8:
        return whole
    spare = 64 - used
    return (whole << spare) >> spare if numbers.dtype.kind == "i" else whole & ((1 << used) - 1)


def _on_one_axis(name: str, channels: Sequence[Channel], rate: float) -> Millivolts:
    """Return the channels at their times, NaN where one was not recorded."""
    start = min(channel.delay_s for channel in channels)
    places = [round((channel.delay_s - start) * rate) for channel in channels]
    samples = max(place + channel.row.size for place, channel in zip(places, channels, strict=True))
    if samples * len(channels) > MAX_SAMPLES:
        raise EcgError(f"{name} stretches over {samples} samples; at most {MAX_SAMPLES} in all are read.")
    millivolts = np.full((len(channels), samples), np.nan)
    for row, place, channel in zip(millivolts, places, channels, strict=True):
        row[place : place + channel.row.size] = channel.row
    return millivolts


def _lead(definition: Dataset, number: int) -> Lead:
    """Return the lead by its code, or else by its meaning or label."""
    source = (definition.get("ChannelSourceSequence") or [Dataset()])[0]
    code, meaning = str(source.get("CodeValue", "")), str(source.get("CodeMeaning", ""))
    label = str(definition.get("ChannelLabel", "")) or f"channel {number + 1}"
    candidates = [lead_named(text) for text in (code, meaning, label) if text.strip()]
    return next((lead for lead in candidates if lead.number), lead_named(label if label.strip() else meaning))


def _gain(name: str, lead: Lead, definition: Dataset, declared: Declared) -> tuple[float | None, float]:
    """Return millivolts of one stored step and of the stored zero (C.10.9.1.4.4); None when the channel is no voltage."""
    sensitivity = definition.get("ChannelSensitivity")
    if sensitivity in (None, ""):
        if declared.gain_uv_per_unit:
            return declared.gain_uv_per_unit / 1000, 0.0
        raise EcgError(
            f"{name} carries no gain for lead {lead.name} (Channel Sensitivity is missing); declare it in microvolts per step."
        )
    units = (definition.get("ChannelSensitivityUnitsSequence") or [Dataset()])[0]
    unit = UNITS_MV.get(str(units.get("CodeValue", "")).strip())
    if unit is None:
        if not units.get("CodeValue"):
            raise EcgError(
                f"{name} names no unit for the sensitivity of lead {lead.name}; declare the gain in microvolts per step."
            )
        return None, 0.0
    gain = float(sensitivity) * float(definition.get("ChannelSensitivityCorrectionFactor") or 1.0) * unit
    if not np.isfinite(gain) or gain == 0:
        raise EcgError(f"{name} has the gain {gain:g} for lead {lead.name}; declare the right one in microvolts per step.")
    return gain, float(definition.get("ChannelBaseline") or 0.0) * unit


def _number(item: Dataset, keyword: str) -> float | None:
    try:
        value = float(item.get(keyword) or 0.0) if keyword in item else np.nan
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def _filters(definition: Dataset) -> Filters:
    """Return the 3 dB corners: Filter Low Frequency is where the high-pass begins (C.10.9.1.4.5)."""
    corners = (_number(definition, f"{kind}Frequency") for kind in ("FilterLow", "FilterHigh", "NotchFilter"))
    return Filters(*(corner or None for corner in corners))


def machine(dataset: Dataset) -> Machine:
    """Return what the object says of the machine that recorded it."""
    annotations = [item for item in dataset.get("WaveformAnnotationSequence") or [] if isinstance(item, Dataset)]
    return Machine(
        MappingProxyType(_measured(annotations)),
        tuple(str(item.UnformattedTextValue) for item in annotations if item.get("UnformattedTextValue")),
        " ".join(str(dataset.get(name) or "") for name in ("Manufacturer", "ManufacturerModelName")).strip(),
        str(dataset.get("InstitutionName") or ""),
    )


def _measured(annotations: Sequence[Dataset]) -> dict[str, float]:
    """Return the measurements that speak of the whole recording (C.10.10), by the names of `ecg.device`."""
    found = {}
    for item in annotations:
        concept = (item.get("ConceptNameCodeSequence") or [Dataset()])[0]
        name = _MEASURES.get((str(concept.get("CodingSchemeDesignator", "")), str(concept.get("CodeValue", ""))))
        value = _number(item, "NumericValue")
        if name and value is not None:
            found[name] = value
    return found


def patient(dataset: Dataset) -> PatientTags:
    """Return whose recording it is."""
    sex = str(dataset.get("PatientSex") or "")
    age = str(dataset.get("PatientAge") or "")
    years = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
    return PatientTags(
        patient_id=str(dataset.get("PatientID") or ""),
        name=str(dataset.get("PatientName") or ""),
        sex=sex if sex in _SEX else "",
        birth_date=_date(str(dataset.get("PatientBirthDate") or "")),
        age_years=int(age[:-1]) * years[age[-1]] if age[:-1].isdigit() and age[-1:] in years else None,
    )


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def moment(dataset: Dataset) -> datetime | None:
    """Return the acquisition time by the offset from UTC that the file states, else by `UNSTATED_ZONE`."""
    text = str(dataset.get("AcquisitionDateTime") or "")
    plain, offset = text[:14], text[-5:] if text[-5:-4] in ("+", "-") else str(dataset.get("TimezoneOffsetFromUTC") or "")
    try:
        if offset:
            return datetime.strptime(f"{plain}{offset}", "%Y%m%d%H%M%S%z").astimezone(UTC)
        return datetime.strptime(plain, "%Y%m%d%H%M%S").replace(tzinfo=UNSTATED_ZONE).astimezone(UTC)
    except ValueError:
        return None
