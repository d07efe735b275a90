"""A recording in, a DICOM waveform object out."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from ecg.device import DEVICE_MEASURES
from ecg.errors import EcgError
from ecg.leads import TWELVE, Lead
from ecg.recording import Filters, Millivolts, PatientTags, Recording

TWELVE_LEAD = UID("1.2.840.10008.5.1.4.1.1.9.1.1")
GENERAL = UID("1.2.840.10008.5.1.4.1.1.9.1.2")
AMBULATORY = UID("1.2.840.10008.5.1.4.1.1.9.1.3")
GENERAL_32_BIT = UID("1.2.840.10008.5.1.4.1.1.9.1.4")


@dataclass(frozen=True)
class _Limits:
    """What a storage class may hold in one multiplex group (PS3.3 A.34.3.4, A.34.4.4, A.34.5.4)."""

    rates_hz: tuple[float, float]
    channels: int
    samples: int | None = None


#: The classes of 16 bits, the most particular first; whatever fits none of them is a 32-bit ECG, which has no such limits.
LIMITS = (
    (TWELVE_LEAD, _Limits((200, 1000), 13, 16384)),
    (GENERAL, _Limits((200, 1000), 24)),
    (AMBULATORY, _Limits((50, 1000), 12)),
)

#: Steps in microvolts that are tried for a recording whose own is not known: the coarsest on which all its samples lie.
STEPS_UV = (1.0, 0.5, 0.1, 0.05, 0.01, 0.001)

#: The number that means "no sample here", and so is no sample's.
PADDING = {16: -(1 << 15), 32: -(1 << 31)}


@dataclass(frozen=True)
class _Stored:
    """One channel as stored: *numbers* times *step_uv* plus *offset_uv* (decimal strings) is its voltage; *missing* has none."""

    numbers: NDArray[np.int64]
    missing: NDArray[np.bool_]
    step_uv: str
    offset_uv: str


def sop_class_of(recording: Recording) -> UID:
    """Return the storage class that may hold *recording* without losing a step of its resolution."""
    return _class_for(recording, _channels(recording))


def _class_for(recording: Recording, channels: list[_Stored]) -> UID:
    leads, samples = recording.millivolts.shape
    if any(abs(channel.numbers).max() > -PADDING[16] - 1 for channel in channels):
        return GENERAL_32_BIT
    for sop_class, limits in LIMITS:
        fits = limits.rates_hz[0] <= recording.sampling_frequency_hz <= limits.rates_hz[1] and leads <= limits.channels
        whole = sop_class != TWELVE_LEAD or all(lead in recording.leads for lead in TWELVE)
        if fits and whole and samples <= (limits.samples or samples):
            return sop_class
    return GENERAL_32_BIT


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
    """Return *recording* as a Part 10 file: Explicit VR Little Endian, one multiplex group.

    The class is the most particular whose limits hold the recording: 12-Lead, General or (under 200 Hz) Ambulatory ECG with 16
    bits, else General 32-bit ECG. The source's resolution is kept, so that every sample reads back as it was; missing samples
    become the Waveform Padding Value. Filters go to the channels, what the machine measured and said to annotations. The same
    arguments give the same bytes. *acquired_at* must be aware; it is written in UTC. `EcgError` when a channel is no ECG.
    """
    channels = _channels(recording)
    dataset = Dataset()
    dataset.SpecificCharacterSet = character_set
    dataset.SOPClassUID, dataset.SOPInstanceUID = _class_for(recording, channels), UID(sop_instance_uid)
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
    bits = 32 if dataset.SOPClassUID == GENERAL_32_BIT else 16
    dataset.WaveformSequence = [_group(recording, channels, bits)]
    if annotations := _annotations(recording):
        dataset.WaveformAnnotationSequence = annotations
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    dataset.file_meta = meta
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def _channels(recording: Recording) -> list[_Stored]:
    steps = recording.resolution_mv or tuple(map(_step_of, recording.millivolts))
    return [_stored(lead, row, step) for lead, row, step in zip(recording.leads, recording.millivolts, steps, strict=True)]


def _step_of(row: Millivolts) -> float:
    """Return the coarsest of STEPS_UV on which all samples lie, in millivolts, or else as fine a one as 16 bits can keep."""
    microvolts = row[np.isfinite(row)] * 1000
    on = (step for step in STEPS_UV if bool((abs(microvolts / step - np.rint(microvolts / step)) < 1e-6).all()))
    fine = float(np.ptp(microvolts)) / 65_000 if microvolts.size else STEPS_UV[0]
    return next(on, min(max(fine, STEPS_UV[-1]), STEPS_UV[0])) / 1000


def _stored(lead: Lead, row: Millivolts, step_mv: float) -> _Stored:
    """Return *row* in whole steps from its first sample's place between two steps, and from its middle when it lies far off."""
    finite = np.isfinite(row)
    known = row[finite] if finite.any() else np.zeros(1)
    largest = float(abs(known).max())
    if not largest < 1e6:
        raise EcgError(f"Lead {lead.name} reaches {largest:g} mV, which is no ECG; check its gain.")
    step_uv = _decimal(step_mv * 1000)
    steps = known * 1000 / float(step_uv)
    offset = float(steps[0] - np.rint(steps[0]))
    offset = 0.0 if abs(offset) < 1e-6 else offset
    if max(abs(steps)) > -PADDING[16] - 1:
        offset += float(np.rint((steps.min() + steps.max()) / 2))
    if np.ptp(steps) / 2 > -PADDING[32] - 2:
        raise EcgError(f"Lead {lead.name} spans {np.ptp(known):g} mV in steps of {step_uv} uV; check its gain.")
    offset_uv = _decimal(offset * float(step_uv))
    numbers = np.zeros(row.size, np.int64)
    numbers[finite] = np.rint((row[finite] * 1000 - float(offset_uv)) / float(step_uv))
    return _Stored(numbers, ~finite, step_uv, offset_uv)


def _group(recording: Recording, channels: list[_Stored], bits: int) -> Dataset:
    group = Dataset()
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = recording.millivolts.shape
    group.SamplingFrequency = _decimal(recording.sampling_frequency_hz)
    group.MultiplexGroupLabel = "RHYTHM"
    filters = recording.filters or (Filters(),) * len(channels)
    definitions = zip(recording.leads, channels, filters, strict=True)
    group.ChannelDefinitionSequence = [_channel(lead, stored, own, bits) for lead, stored, own in definitions]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = bits, {16: "SS", 32: "SL"}[bits]
    cells = np.stack([np.where(stored.missing, PADDING[bits], stored.numbers) for stored in channels], axis=1)
    group.add_new("WaveformPaddingValue", "OW", PADDING[bits].to_bytes(bits // 8, "little", signed=True))
    group.add_new("WaveformData", "OW", cells.astype(f"<i{bits // 8}").tobytes())
    return group


def _decimal(value: float) -> str:
    """Return *value* as a DS, at most 16 characters, as exact as fits."""
    return next(text for digits in range(15, 0, -1) if len(text := f"{value:.{digits}g}") <= 16)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _channel(lead: Lead, stored: _Stored, filters: Filters, bits: int) -> Dataset:
    channel: Any = Dataset()
    channel.ChannelLabel = lead.name
    known = lead.mdc_code
    channel.ChannelSourceSequence = [_code(known or lead.name, "MDC" if known else "99TELEMED", f"Lead {lead.name}")]
    channel.ChannelSensitivity = stored.step_uv
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor = "1"
    channel.ChannelBaseline = stored.offset_uv
    channel.ChannelSampleSkew = "0"
    channel.WaveformBitsStored = bits
    corners = {"FilterLow": filters.high_pass_hz, "FilterHigh": filters.low_pass_hz, "NotchFilter": filters.notch_hz}
    for kind, corner in corners.items():
        if corner is not None:
            setattr(channel, f"{kind}Frequency", _decimal(corner))
    item: Dataset = channel
    return item


def _annotations(recording: Recording) -> list[Dataset]:
    """Return what the machine measured and said as annotations of the whole group (C.10.10)."""
    items = []
    for name, value in recording.device.items():
        measure = DEVICE_MEASURES[name]
        item = Dataset()
        item.ConceptNameCodeSequence = [_code(measure.code, measure.scheme, measure.meaning)]
        item.NumericValue = _decimal(value)
        item.MeasurementUnitsCodeSequence = [_code(measure.unit, "UCUM", measure.unit)]
        items.append(item)
    for text in recording.device_statements:
        item = Dataset()
        item.UnformattedTextValue = text[:1024]
        items.append(item)
    for item in items:
        item.ReferencedWaveformChannels = [1, 0]  # every channel of the first group
        item.AnnotationGroupNumber = 1
    return items
