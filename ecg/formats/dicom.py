"""DICOM waveforms (PS3.3 A.34, C.10.9): 12-lead, general and ambulatory ECG, read and written."""

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian

from ecg.errors import EcgError
from ecg.formats import Declared
from ecg.leads import TWELVE, Lead, lead_named
from ecg.recording import MAX_SAMPLES, Millivolts, PatientTags, Recording, unique_names

TWELVE_LEAD = UID("1.2.840.10008.5.1.4.1.1.9.1.1")
GENERAL = UID("1.2.840.10008.5.1.4.1.1.9.1.2")
AMBULATORY = UID("1.2.840.10008.5.1.4.1.1.9.1.3")

#: Millivolts of one unit (UCUM codes as written, and as some machines write them).
UNITS_MV = {"uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "mV": 1.0, "V": 1e3, "nV": 1e-6}

#: Waveform Sample Interpretation -> cell type; the companded ones (MB, AB) are audio's.
CELLS = {"SB": "i1", "UB": "u1", "SS": "i2", "US": "u2", "SL": "i4", "UL": "u4"}

PADDING = -32768
_SEX = ("M", "F", "O")


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the rhythm strips of the one DICOM file in *files*.

    Of several multiplex groups the original one that lasts longest is taken (median beats are derived). Channels that are no
    voltage are left out with a note. `EcgError` when there is no waveform, no sensitivity, or fewer samples than announced.
    """
    name, data = next((item for item in files.items() if item[1][128:132] == b"DICM"), ("", b""))
    try:
        return _read(name, pydicom.dcmread(io.BytesIO(data)), declared)
    except EcgError:
        raise
    except RecursionError as error:
        raise EcgError(f"{name} is not readable as a DICOM waveform: it is nested too deep; export it again.") from error
    except (
        InvalidDicomError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        NotImplementedError,
    ) as error:
        raise EcgError(
            f"{name} is not readable as a DICOM waveform; export it again ({type(error).__name__}: {error})."
        ) from error


def _read(name: str, dataset: Dataset, declared: Declared) -> Recording:
    groups = list(dataset.get("WaveformSequence") or [])
    if not groups:
        kind = UID(str(dataset.get("SOPClassUID", ""))).name
        raise EcgError(f"{name} is DICOM but holds no waveform ({kind or 'no SOP class'}); send an ECG.")
    group = max(groups, key=_preference)
    patient, started_at = _patient(dataset), _moment(dataset)
    return _recording(name, group, little=_little_endian(dataset), declared=declared, patient=patient, started_at=started_at)


def _preference(group: Dataset) -> tuple[bool, bool, float, int]:
    samples, rate = int(group.NumberOfWaveformSamples), float(group.SamplingFrequency)
    label = str(group.get("MultiplexGroupLabel", "")).upper()
    original = str(group.get("WaveformOriginality", "ORIGINAL")) == "ORIGINAL"
    return original, "MEDIAN" not in label, samples / max(rate, 1e-9), int(group.NumberOfWaveformChannels)


def _little_endian(dataset: Dataset) -> bool:
    meta = getattr(dataset, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    return syntax is None or bool(UID(str(syntax)).is_little_endian)


def _recording(
    name: str, group: Dataset, *, little: bool, declared: Declared, patient: PatientTags, started_at: datetime | None
) -> Recording:
    channels, samples = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    definitions = list(group.get("ChannelDefinitionSequence") or [])
    if channels < 1 or samples < 1 or len(definitions) != channels:
        raise EcgError(
            f"{name} announces {channels} channels of {samples} samples and defines {len(definitions)}; export it again."
        )
    if channels * samples > MAX_SAMPLES:
        raise EcgError(f"{name} holds {channels * samples} samples; at most {MAX_SAMPLES} are read.")
    stored = _stored(name, group, channels, samples, little=little)
    padding = _padding(group)
    leads, rows, resolution, notes = [], [], [], []
    for number, definition in enumerate(definitions):
        lead = _lead(definition, number)
        gain, offset = _gain(name, lead, definition, declared)
        if gain is None:
            notes.append(f"Channel {lead.name} is no voltage and was left out.")
            continue
        row: Millivolts = stored[number] * gain + offset
        if padding is not None:
            row[stored[number] == padding] = np.nan
        leads.append(lead)
        rows.append(row)
        resolution.append(abs(gain))
    if not rows:
        raise EcgError(f"{name} holds no channel measured in volts; send an ECG.")
    return Recording(
        format="dicom",
        leads=unique_names(leads),
        sampling_frequency_hz=float(group.SamplingFrequency),
        millivolts=np.stack(rows),
        resolution_mv=tuple(resolution),
        started_at=started_at,
        patient=patient,
        notes=tuple(notes),
    )


def _stored(name: str, group: Dataset, channels: int, samples: int, *, little: bool) -> NDArray[np.int64]:
    """Return the stored numbers as (channels, samples), sign-extended from the bits really used (C.10.9.1.4)."""
    interpretation = str(group.get("WaveformSampleInterpretation", "SS"))
    if interpretation not in CELLS:
        raise EcgError(f"{name} stores its samples as {interpretation}, which no ECG does; export it as 16-bit signed.")
    cell = np.dtype(CELLS[interpretation]).newbyteorder("<" if little else ">")
    data = group.get("WaveformData")
    if not isinstance(data, bytes) or len(data) < channels * samples * cell.itemsize:
        have = len(data) if isinstance(data, bytes) else 0
        raise EcgError(
            f"{name} is cut off: {have} of {channels * samples * cell.itemsize} bytes of its waveform are there; send it again."
        )
    values = np.frombuffer(data, cell, channels * samples).astype(np.int64)
    first = (group.get("ChannelDefinitionSequence") or [Dataset()])[0]
    used = int(first.get("WaveformBitsStored") or cell.itemsize * 8)
    spare = 64 - used
    if 0 < used < cell.itemsize * 8:
        values = (values << spare) >> spare if cell.kind == "i" else values & ((1 << used) - 1)
    return np.ascontiguousarray(values.reshape(samples, channels).T)


def _padding(group: Dataset) -> int | None:
    value = group.get("WaveformPaddingValue")
    if isinstance(value, bytes) and len(value) >= 2:
        return int.from_bytes(value[:2], "little", signed=True)
    return int(value) if isinstance(value, int) else None


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


def _patient(dataset: Dataset) -> PatientTags:
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


def _moment(dataset: Dataset) -> datetime | None:
    """Return the acquisition time where the file states its offset from UTC; a local time alone is kept as if it were UTC."""
    text = str(dataset.get("AcquisitionDateTime") or "")
    plain, offset = text[:14], text[-5:] if text[-5:-4] in ("+", "-") else str(dataset.get("TimezoneOffsetFromUTC") or "+0000")
    try:
        return datetime.strptime(f"{plain}{offset}", "%Y%m%d%H%M%S%z").astimezone(UTC)
    except ValueError:
        return None


def sop_class_of(recording: Recording) -> UID:
    """Return the storage class that may hold *recording*: the limits of PS3.3 A.34.3.4, A.34.4.4 and A.34.5.4."""
    if recording.sampling_frequency_hz < 200:
        return AMBULATORY
    return TWELVE_LEAD if all(lead in recording.leads for lead in TWELVE) and len(recording.leads) <= 13 else GENERAL


def write(
    recording: Recording,
    patient: PatientTags,
    *,
    study_instance_uid: str,
    series_instance_uid: str,
    sop_instance_uid: str,
    acquired_at: datetime,
    accession_number: str = "",
    study_id: str = "",
    institution_name: str = "",
    manufacturer: str = "telemed",
    character_set: str = "ISO_IR 192",
) -> bytes:
    """Return *recording* as a Part 10 file: Explicit VR Little Endian, 16 bit signed, one multiplex group.

    The class is 12-Lead ECG when all twelve leads are there, General ECG or (under 200 Hz) Ambulatory ECG otherwise. The
    source's resolution is kept where its numbers fit into 16 bits; missing samples become the Waveform Padding Value. The same
    arguments give the same bytes. *acquired_at* must be aware; it is written in UTC. `EcgError` when a channel is no ECG.
    """
    dataset = Dataset()
    dataset.SpecificCharacterSet = character_set
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class_of(recording), UID(sop_instance_uid)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = UID(study_instance_uid), UID(series_instance_uid)
    moment = acquired_at.astimezone(UTC)
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = f"{moment:%Y%m%d}"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = f"{moment:%H%M%S}"
    dataset.AcquisitionDateTime = f"{moment:%Y%m%d%H%M%S}+0000"
    dataset.TimezoneOffsetFromUTC = "+0000"
    dataset.AccessionNumber, dataset.StudyID = accession_number, study_id
    dataset.Modality = "ECG"
    dataset.Manufacturer, dataset.InstitutionName = manufacturer, institution_name
    dataset.StudyDescription = dataset.SeriesDescription = "ECG"
    dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = patient.name, patient.patient_id, patient.sex
    dataset.PatientBirthDate = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    if patient.age_years is not None:
        dataset.PatientAge = f"{int(patient.age_years):03d}Y"
    dataset.AcquisitionContextSequence = []
    dataset.WaveformSequence = [_group(recording)]
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    dataset.file_meta = meta
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def _group(recording: Recording) -> Dataset:
    group = Dataset()
    group.MultiplexGroupTimeOffset = 0.0
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = recording.millivolts.shape
    group.SamplingFrequency = _decimal(recording.sampling_frequency_hz)
    group.MultiplexGroupLabel = "RHYTHM"
    definitions, cells = [], []
    resolution = recording.resolution_mv or (0.001,) * len(recording.leads)
    for lead, row, step in zip(recording.leads, recording.millivolts, resolution, strict=True):
        stored, step_uv, offset_uv = _encoded(lead, row, step)
        definitions.append(_channel(lead, step_uv, offset_uv))
        cells.append(stored)
    group.ChannelDefinitionSequence = definitions
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new("WaveformPaddingValue", "OW", PADDING.to_bytes(2, "little", signed=True))
    group.add_new("WaveformData", "OW", np.stack(cells, axis=1).astype("<i2").tobytes())
    return group


def _encoded(lead: Lead, row: Millivolts, step_mv: float) -> tuple[NDArray[np.int64], str, str]:
    """Return the stored numbers with the sensitivity and baseline (microvolts, as decimal strings) that give *row* back."""
    finite = np.isfinite(row)
    low, high = (float(row[finite].min()), float(row[finite].max())) if finite.any() else (0.0, 0.0)
    if not max(abs(low), abs(high)) < 1e6:
        raise EcgError(f"Lead {lead.name} reaches {max(abs(low), abs(high)):g} mV, which is no ECG; check its gain.")
    offset_steps = 0.0
    if max(abs(low), abs(high)) / step_mv > 32767:
        offset_steps = float(np.rint((low + high) / 2 / step_mv))
        step_mv = max(step_mv, (high - low) / 2 / 32766)
    step_uv, offset_uv = _decimal(step_mv * 1000), _decimal(offset_steps * step_mv * 1000)
    exact = np.rint((np.where(finite, row, 0.0) * 1000 - float(offset_uv)) / float(step_uv)).clip(-32767, 32767)
    return np.where(finite, exact, PADDING).astype(np.int64), step_uv, offset_uv


def _decimal(value: float) -> str:
    """Return *value* as a DS, at most 16 characters, as exact as fits."""
    return next(text for digits in range(15, 0, -1) if len(text := f"{value:.{digits}g}") <= 16)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _channel(lead: Lead, step_uv: str, offset_uv: str) -> Dataset:
    channel: Any = Dataset()
    channel.ChannelLabel = lead.name
    known = lead.mdc_code
    channel.ChannelSourceSequence = [_code(known or lead.name, "MDC" if known else "99TELEMED", f"Lead {lead.name}")]
    channel.ChannelSensitivity = step_uv
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor = "1"
    channel.ChannelBaseline = offset_uv
    channel.ChannelSampleSkew = "0"
    channel.WaveformBitsStored = 16
    item: Dataset = channel
    return item
