"""HL7 aECG, GE MUSE and Philips Sierra documents."""

import base64
import zlib
from collections.abc import Sequence

import numpy as np

STEP_UV, RATE = 5.0, 500
_LATIN = '<?xml version="1.0" encoding="UTF-8"?>\n'


def aecg(rows: np.ndarray, leads: Sequence[str]) -> bytes:
    sequences = "".join(
        f'<component><sequence><code code="MDC_ECG_LEAD_{lead.upper()}"/><value xsi:type="SLIST_PQ">'
        f'<origin value="0" unit="uV"/><scale value="{STEP_UV}" unit="uV"/><digits>{" ".join(map(str, row))}</digits></value>'
        "</sequence></component>"
        for lead, row in zip(leads, rows.tolist(), strict=True)
    )
    measured = "".join(
        f'<component><annotation><code code="MDC_ECG_{code}"/><value xsi:type="PQ" value="{value}" unit="{unit}"/>'
        "</annotation></component>"
        for code, value, unit in (("TIME_PD_PR", 156, "ms"), ("TIME_PD_QRS", 92, "ms"), ("ANGLE_QRS_FRONT", 34, "deg"))
    )
    return (
        f'{_LATIN}<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<componentOf><subject><trialSubject><id extension="P-7"/><subjectDemographicPerson><name>WANG^Fang</name>'
        '<administrativeGenderCode code="F"/><birthTime value="19600131"/></subjectDemographicPerson></trialSubject></subject>'
        '</componentOf><component><series><code code="RHYTHM"/><component><sequenceSet><component><sequence>'
        '<code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS"><head value="20260302013000.000"/>'
        f'<increment value="{1 / RATE}" unit="s"/></value></sequence></component>{sequences}</sequenceSet></component>'
        f"<subjectOf><annotationSet>{measured}</annotationSet></subjectOf></series></component></AnnotatedECG>"
    ).encode()


def muse(rows: np.ndarray, leads: Sequence[str], *, doctype: str = '<!DOCTYPE RestingECG SYSTEM "restecg.dtd">') -> bytes:
    parts = []
    for lead, row in zip(leads, rows, strict=False):
        data = row.astype("<i2").tobytes()
        parts.append(
            f"<LeadData><LeadSampleCountTotal>{row.size}</LeadSampleCountTotal>"
            f"<LeadAmplitudeUnitsPerBit>{STEP_UV}</LeadAmplitudeUnitsPerBit><LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>"
            f"<LeadID>{lead}</LeadID><LeadSampleSize>2</LeadSampleSize><LeadDataCRC32>{zlib.crc32(data)}</LeadDataCRC32>"
            f"<WaveFormData>{base64.encodebytes(data).decode()}</WaveFormData></LeadData>"
        )
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{doctype}\n<RestingECG><PatientDemographics><PatientID>P-7</PatientID>'
        "<PatientLastName>WANG</PatientLastName><PatientFirstName>Fang</PatientFirstName><Gender>FEMALE</Gender>"
        "<DateofBirth>01-31-1960</DateofBirth></PatientDemographics><TestDemographics>"
        "<AcquisitionDate>03-02-2026</AcquisitionDate><AcquisitionTime>01:30:00</AcquisitionTime></TestDemographics>"
        "<RestingECGMeasurements><PRInterval>156</PRInterval><QRSDuration>92</QRSDuration><RAxis>34</RAxis>"
        "</RestingECGMeasurements><Diagnosis><DiagnosisStatement><StmtText>Sinus rhythm</StmtText></DiagnosisStatement>"
        f"</Diagnosis><Waveform><WaveformType>Rhythm</WaveformType><SampleBase>{RATE}</SampleBase>"
        "<SampleExponent>0</SampleExponent><HighPassFilter>5</HighPassFilter><LowPassFilter>150</LowPassFilter>"
        f"<ACFilter>50</ACFilter>{''.join(parts)}</Waveform></RestingECG>"
    ).encode("latin-1")


def sierra(rows: np.ndarray, leads: Sequence[str], *, compressed: bool = False) -> bytes:
    data = b"".join(map(xli, residuals(rows))) if compressed else rows.astype("<i2").tobytes()
    return (
        f'<?xml version="1.0" encoding="utf-16"?><restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo>'
        "<documenttype>PhilipsECG</documenttype><documentversion>1.04</documentversion></documentinfo>"
        '<dataacquisition date="2026-03-02" time="01:30:00"><signalcharacteristics>'
        f"<samplingrate>{RATE}</samplingrate><resolution>{STEP_UV:g}</resolution><hipass>0.05</hipass><lowpass>150</lowpass>"
        "<acsetting>50</acsetting><notchfiltered>True</notchfiltered></signalcharacteristics></dataacquisition>"
        "<patient><generalpatientdata><patientid>P-7</patientid><name><lastname>WANG</lastname><firstname>Fang</firstname></name>"
        "<age><dateofbirth>1960-01-31</dateofbirth></age><sex>Female</sex></generalpatientdata></patient>"
        "<interpretations><interpretation><globalmeasurements><print>156</print><qrsdur>92</qrsdur>"
        "<qrsfrontaxis>34</qrsfrontaxis><pfrontaxis>Failed</pfrontaxis></globalmeasurements>"
        "<statement><leftstatement>Sinus rhythm</leftstatement></statement></interpretation></interpretations>"
        f'<waveforms><parsedwaveforms dataencoding="Base64" compression="{"XLI" if compressed else "Uncompressed"}" '
        f'numberofleads="{len(leads)}" leadlabels="{" ".join(leads)}" durationperchannel="{rows.shape[1] * 1000 // RATE}">'
        f"{base64.b64encode(data).decode()}</parsedwaveforms></waveforms></restingecgdata>"
    ).encode("utf-16")


def residuals(rows: np.ndarray) -> list[np.ndarray]:
    """Return the leads with the four derived ones less their prediction (it undoes itself)."""
    one, two, three = rows[0], rows[1], rows[2]
    derived = [two - one - three, -rows[3] - (one + two) // 2, (one - three) // 2 - rows[4], (two + three) // 2 - rows[5]]
    return [one, two, *derived, *rows[6:]]


def xli(row: np.ndarray) -> bytes:
    """Return one XLI chunk: second differences biased by 64, high bytes before low, LZW in codes of 10 bits."""
    samples = row.astype(np.int64)
    bends = -np.diff(samples, 2)
    differences = np.concatenate([samples[:2], bends[1:] + 64, [0]]).astype(np.int16).view(np.uint16)
    packed = lzw(bytes((differences >> 8).astype(np.uint8)) + bytes((differences & 0xFF).astype(np.uint8)))
    return len(packed).to_bytes(4, "little") + b"\0\0" + int(bends[0]).to_bytes(2, "little", signed=True) + packed


def lzw(data: bytes) -> bytes:
    table = {bytes([value]): value for value in range(256)}
    codes, held = [], b""
    for byte in data:
        longer = held + bytes([byte])
        if longer in table:
            held = longer
            continue
        codes.append(table[held])
        if len(table) < 1023:
            table[longer] = len(table)
        held = bytes([byte])
    codes.append(table[held])
    bits = "".join(f"{code:010b}" for code in [*codes, 1023])
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
