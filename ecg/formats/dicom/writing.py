"""A recording in, a DICOM waveform object out; a long one piece by piece, from disk to disk."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from ecg.device import DEVICE_MEASURES
from ecg.errors import EcgError
from ecg.formats.streams import Source, of_recording
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

UNDEFINED_LENGTH = 0xFFFFFFFF  # PS3.5 7.1.1

#: The number that means "no sample here", and so is no sample's.
PADDING = {16: -(1 << 15), 32: -(1 << 31)}


@dataclass(frozen=True)
class _Scale:
    """How one channel is stored: a number times *step_uv* plus *offset_uv* (decimal strings) is its voltage.

    *largest* is the greatest of its numbers, the sign aside.
    """

    step_uv: str
    offset_uv: str
    largest: float

    def numbers(self, row: Millivolts) -> NDArray[np.float64]:
        """Return *row* in whole steps, NaN where a sample is missing."""
        whole: NDArray[np.float64] = np.rint((row * 1000 - float(self.offset_uv)) / float(self.step_uv))
        return whole


def _class_for(source: Source, scales: Sequence[_Scale]) -> UID:
    """Return the storage class that may hold *source* without losing a step of its resolution."""
    if any(scale.largest > -PADDING[16] - 1 for scale in scales):
        return GENERAL_32_BIT
    for sop_class, limits in LIMITS:
        fits = limits.rates_hz[0] <= source.sampling_frequency_hz <= limits.rates_hz[1] and len(source.leads) <= limits.channels
        whole = sop_class != TWELVE_LEAD or all(lead in source.leads for lead in TWELVE)
        if fits and whole and source.samples <= (limits.samples or source.samples):
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
    """Return *recording* as `write_to` writes it."""
    out = io.BytesIO()
    write_to(
        out, of_recording(recording), patient, study_instance_uid=study_instance_uid, series_instance_uid=series_instance_uid,
        sop_instance_uid=sop_instance_uid, acquired_at=acquired_at, accession_number=accession_number, study_id=study_id,
        institution_name=institution_name, manufacturer=manufacturer, character_set=character_set,
    )  # fmt: skip
    return out.getvalue()


def write_to(
    file: BinaryIO,
    source: Source,
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
) -> None:
    """Write *source*, piece by piece, as a Part 10 file: Explicit VR Little Endian, one multiplex group.

    The class is the most particular whose limits hold the recording: 12-Lead, General or (under 200 Hz) Ambulatory ECG with 16
    bits, else General 32-bit ECG. The source's resolution is kept, so that every sample reads back as it was; missing samples
    become the Waveform Padding Value. Filters go to the channels, what the machine measured and said to annotations. The same
    arguments give the same bytes. *acquired_at* must be aware; it is written in UTC. `EcgError` when a channel is no ECG, or all
    together are more than one value of DICOM holds.
    """
    scales = _scales(source)
    dataset = Dataset()
    dataset.SpecificCharacterSet = character_set
    dataset.SOPClassUID, dataset.SOPInstanceUID = _class_for(source, scales), UID(sop_instance_uid)
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
    dataset.WaveformSequence = [_group(source, scales, bits)]
    if annotations := _annotations(source):
        dataset.WaveformAnnotationSequence = annotations
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    size = source.samples * len(source.leads) * bits // 8
    file.write(_with_room(out.getvalue(), size))
    for piece in source.pieces():
        rows = [np.nan_to_num(scale.numbers(row), nan=PADDING[bits]) for scale, row in zip(scales, piece, strict=True)]
        file.write(np.stack(rows, axis=1).astype(f"<i{bits // 8}").tobytes())


def _with_room(written: bytes, size: int) -> bytes:
    """Return an object whose last value, the waveform's data, was written empty, with its lengths as of *size* bytes.

    The value ends the group's item, and the item the sequence, so that their three lengths are all that changes (PS3.5 7.5.2).
    """
    sequence = written.rindex(b"\x00\x54\x00\x01SQ\0\0") + 8
    content = bytearray(written)
    for at in (sequence, sequence + 8, len(content) - 4):
        length = int.from_bytes(content[at : at + 4], "little") + size
        if length >= UNDEFINED_LENGTH - 1:
            raise EcgError(f"The recording takes {size >> 20} MB as DICOM, more than one object holds; send a part of it.")
        content[at : at + 4] = length.to_bytes(4, "little")
    return bytes(content)


def _scales(source: Source) -> list[_Scale]:
    """Return the scale of every channel, from one look at all samples."""
    first = np.full(len(source.leads), np.nan)
    low, high = np.full(len(source.leads), np.inf), np.full(len(source.leads), -np.inf)
    off_step = np.zeros((len(STEPS_UV), len(source.leads)), np.bool_)
    for piece in source.pieces():
        known = np.isfinite(piece)
        begun = piece[np.arange(len(piece)), known.argmax(axis=1)]
        first = np.where(np.isnan(first), begun, first)
        low = np.fmin(low, np.where(known, piece, np.inf).min(axis=1))
        high = np.fmax(high, np.where(known, piece, -np.inf).max(axis=1))
        if source.resolution_mv is None:
            microvolts = np.where(known, piece, 0.0) * 1000
            for number, step in enumerate(STEPS_UV):
                off_step[number] |= (abs(microvolts / step - np.rint(microvolts / step)) >= 1e-6).any(axis=1)
    silent = ~np.isfinite(first)
    first[silent] = low[silent] = high[silent] = 0.0
    steps = source.resolution_mv or tuple(map(_step_mv, off_step.T, high - low))
    return list(map(_scale, source.leads, first, low, high, steps))


def _step_mv(off: NDArray[np.bool_], span_mv: float) -> float:
    """Return the coarsest of STEPS_UV that is not *off* the samples, in millivolts, or else as fine a one as 16 bits can keep."""
    on = (step for step, is_off in zip(STEPS_UV, off, strict=True) if not is_off)
    return next(on, min(max(span_mv * 1000 / 65_000, STEPS_UV[-1]), STEPS_UV[0])) / 1000


def _scale(lead: Lead, first: float, low: float, high: float, step_mv: float) -> _Scale:
    """Count whole steps from the first sample's place between two steps, and from the middle when it lies far off."""
    largest = max(abs(low), abs(high))
    if not largest < 1e6:
        raise EcgError(f"Lead {lead.name} reaches {largest:g} mV, which is no ECG; check its gain.")
    step_uv = _decimal(step_mv * 1000)
    begin, least, most = (value * 1000 / float(step_uv) for value in (first, low, high))
    offset = begin - float(np.rint(begin))
    offset = 0.0 if abs(offset) < 1e-6 else offset
    if max(abs(least), abs(most)) > -PADDING[16] - 1:
        offset += float(np.rint((least + most) / 2))
    if (most - least) / 2 > -PADDING[32] - 2:
        raise EcgError(f"Lead {lead.name} spans {high - low:g} mV in steps of {step_uv} uV; check its gain.")
    scale = _Scale(step_uv, _decimal(offset * float(step_uv)), 0.0)
    return replace(scale, largest=float(abs(scale.numbers(np.array([low, high]))).max()))


def _group(source: Source, scales: Sequence[_Scale], bits: int) -> Dataset:
    """Return the multiplex group, its data still empty."""
    group = Dataset()
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = len(source.leads), source.samples
    group.SamplingFrequency = _decimal(source.sampling_frequency_hz)
    group.MultiplexGroupLabel = "RHYTHM"
    filters = source.filters or (Filters(),) * len(scales)
    definitions = zip(source.leads, scales, filters, strict=True)
    group.ChannelDefinitionSequence = [_channel(lead, scale, own, bits) for lead, scale, own in definitions]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = bits, {16: "SS", 32: "SL"}[bits]
    group.add_new("WaveformPaddingValue", "OW", PADDING[bits].to_bytes(bits // 8, "little", signed=True))
    group.add_new("WaveformData", "OW", b"")
    return group


def _decimal(value: float) -> str:
    """Return *value* as a DS, at most 16 characters, as exact as fits."""
    return next(text for digits in range(15, 0, -1) if len(text := f"{value:.{digits}g}") <= 16)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _channel(lead: Lead, scale: _Scale, filters: Filters, bits: int) -> Dataset:
    channel: Any = Dataset()
    channel.ChannelLabel = lead.name
    known = lead.mdc_code
    channel.ChannelSourceSequence = [_code(known or lead.name, "MDC" if known else "99TELEMED", f"Lead {lead.name}")]
    channel.ChannelSensitivity = scale.step_uv
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor = "1"
    channel.ChannelBaseline = scale.offset_uv
    channel.ChannelSampleSkew = "0"
    channel.WaveformBitsStored = bits
    corners = {"FilterLow": filters.high_pass_hz, "FilterHigh": filters.low_pass_hz, "NotchFilter": filters.notch_hz}
    for kind, corner in corners.items():
        if corner is not None:
            setattr(channel, f"{kind}Frequency", _decimal(corner))
    item: Dataset = channel
    return item


def _annotations(source: Source) -> list[Dataset]:
    """Return what the machine measured and said as annotations of the whole group (C.10.10)."""
    items = []
    for name, value in source.device.items():
        measure = DEVICE_MEASURES[name]
        item = Dataset()
        item.ConceptNameCodeSequence = [_code(measure.code, measure.scheme, measure.meaning)]
        item.NumericValue = _decimal(value)
        item.MeasurementUnitsCodeSequence = [_code(measure.unit, "UCUM", measure.unit)]
        items.append(item)
    for text in source.device_statements:
        item = Dataset()
        item.UnformattedTextValue = text[:1024]
        items.append(item)
    for item in items:
        item.ReferencedWaveformChannels = [1, 0]  # every channel of the first group
        item.AnnotationGroupNumber = 1
    return items
