"""HL7 aECG, GE MUSE and Philips Sierra: what each says, and what is wrong with those that lie."""

import numpy as np
import pytest
from support.ecg_files import EIGHT, LEADS, counts, markup

from ecg import EcgError
from ecg.formats import Declared, read


def changed(data: bytes, old: str, new: str) -> dict[str, bytes]:
    encoding = "utf-16" if data[:2] == b"\xff\xfe" else "utf-8"
    text = data.decode(encoding)
    assert old in text
    return {"a.xml": text.replace(old, new).encode(encoding)}


MUSE = markup.muse(counts(), EIGHT)
AECG = markup.aecg(counts(), LEADS)
SIERRA = markup.sierra(counts(), LEADS)
XLI = markup.sierra(counts(), LEADS, compressed=True)


def test_the_four_leads_that_muse_leaves_out_follow_from_i_and_ii():
    rows = counts(8)
    recording = read({"a.xml": markup.muse(rows, EIGHT)})
    assert recording.names == LEADS
    one, two = rows[:2] * 0.005
    for lead, expected in {"III": two - one, "aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}.items():
        row = recording.lead(lead)
        assert row is not None
        np.testing.assert_allclose(row, expected, atol=1e-15)


def test_a_lead_the_machine_called_off_is_noted():
    recording = read(changed(MUSE, "<LeadID>V2</LeadID>", "<LeadID>V2</LeadID><LeadOff>TRUE</LeadOff>"))
    assert recording.notes == ("The machine says lead V2 was off.",)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (changed(MUSE, "<LeadAmplitudeUnitsPerBit>5.0</LeadAmplitudeUnitsPerBit>", ""), "carries no gain for lead I;"),
        (changed(MUSE, "MICROVOLTS", "FURLONGS"), "carries no gain for lead I;"),
        (changed(MUSE, "<SampleBase>500<", "<SampleBase>many<"), "names no sampling frequency"),
        (changed(MUSE, "<SampleExponent>0<", "<SampleExponent>300<"), "names no sampling frequency"),
        (changed(MUSE, "<LeadDataCRC32>", "<LeadDataCRC32>1"), "fails the checksum of lead I;"),
        (changed(MUSE, "<LeadSampleCountTotal>1000<", "<LeadSampleCountTotal>9999<"), "announces 9999 samples of lead I "),
        (changed(MUSE, ">Rhythm<", ">Median<"), "holds no rhythm waveform"),
        (changed(AECG, '<scale value="5.0" unit="uV"/>', ""), "carries no gain for MDC_ECG_LEAD_I"),
        (
            changed(AECG, '<scale value="5.0" unit="uV"/>', '<scale value="5.0" unit="mmHg"/>'),
            "carries no gain for MDC_ECG_LEAD_I",
        ),
        (changed(AECG, '<increment value="0.002" unit="s"/>', '<increment value="0" unit="s"/>'), "no usable sampling interval"),
        (changed(AECG, "<digits>", "<digits>x "), "is damaged: it is not readable as aecg"),
        (changed(AECG, "sequenceSet", "somethingElse"), "holds no rhythm series"),
        (changed(SIERRA, "<resolution>5</resolution>", ""), "carries no gain"),
        (changed(SIERRA, "<samplingrate>500</samplingrate>", ""), "names no sampling frequency"),
        (changed(SIERRA, "PhilipsECG", "MortaraECG"), "is a MortaraECG document of version 1.04"),
        (changed(SIERRA, ">1.04<", ">9.99<"), "is a PhilipsECG document of version 9.99"),
        (
            changed(SIERRA, 'durationperchannel="2000"', 'durationperchannel="9000"'),
            "is cut off: it holds 12000 of 54000 samples",
        ),
        (changed(SIERRA, 'durationperchannel="2000"', 'durationperchannel="90000000"'), "announces 45000000 samples of 12 leads"),
        (changed(SIERRA, 'numberofleads="12"', 'numberofleads="900"'), "announces 900 leads"),
        (changed(SIERRA, "Base64", "Base85"), "which is not read"),
        (changed(XLI, 'durationperchannel="2000"', 'durationperchannel="4000"'), "holds 1000 of 2000 samples of its lead 1"),
        (changed(XLI, 'numberofleads="12"', 'numberofleads="13"'), "is cut off in the samples of its lead 13"),
    ],
)
def test_a_document_that_lies_is_one_sentence(files: dict[str, bytes], sentence: str):
    with pytest.raises(EcgError, match=sentence):
        read(files)


@pytest.mark.parametrize(
    ("files", "step"),
    [
        (changed(MUSE, "MICROVOLTS", "FURLONGS"), 0.004),
        (changed(AECG, '<scale value="5.0" unit="uV"/>', ""), 0.004),
        (changed(SIERRA, "<resolution>5</resolution>", ""), 0.004),
    ],
)
def test_a_declared_gain_serves_a_document_without_one(files: dict[str, bytes], step: float):
    recording = read(files, declared=Declared(gain_uv_per_unit=4))
    assert recording.resolution_mv is not None
    assert recording.resolution_mv[0] == step


def test_sequence_sets_of_different_moments_lie_at_their_times():
    text = AECG.decode()
    first = text[
        text.index("<component><sequenceSet>") : text.index("</sequenceSet></component>") + len("</sequenceSet></component>")
    ]
    second = first.replace("20260302013000.000", "20260302013003.000").replace("MDC_ECG_LEAD_V", "MDC_ECG_LEAD_VV")
    recording = read({"a.xml": text.replace(first, first + second).encode()})
    assert recording.duration_s == 5
    one = recording.lead("I")
    assert one is not None
    assert np.isnan(one[1000:1500]).all()
    assert (one[1500:] == one[:1000]).all()


def test_a_measurement_of_one_lead_is_not_the_recordings():
    boundary = '<component><boundary><code code="MDC_ECG_LEAD_V1"/></boundary></component>'
    value = '<value xsi:type="PQ" value="156" unit="ms"/>'
    files = changed(AECG, value, f"{value}<support><supportingROI>{boundary}</supportingROI></support>")
    assert "pr_interval_ms" not in read(files).device


@pytest.mark.parametrize("number", ["nan", "inf", "1e300", "many", ""])
def test_a_measurement_that_is_no_number_is_left_out(number: str):
    for data, old in ((AECG, 'value="156"'), (MUSE, ">156<"), (SIERRA, ">156<")):
        device = read(changed(data, old, old.replace("156", number))).device
        assert "pr_interval_ms" not in device
        assert device["qrs_duration_ms"] == 92


def test_an_older_sierra_document_has_the_standard_leads_and_its_band_in_one_field():
    text = (
        SIERRA.decode("utf-16")
        .replace(">1.04<", ">1.03<")
        .replace("<resolution>5</resolution>", "<signalresolution>5</signalresolution>")
    )
    text = text.replace("<hipass>0.05</hipass><lowpass>150</lowpass>", "<signalbandwidth>0.05-150</signalbandwidth>")
    text = text.replace(f' numberofleads="12" leadlabels="{" ".join(LEADS)}"', "").replace(
        "<samplingrate>", "<numberchannelsallocated>12</numberchannelsallocated><samplingrate>"
    )
    recording = read({"a.xml": text.encode("utf-16")})
    assert recording.names == LEADS
    assert recording.filters is not None
    assert (recording.filters[0].high_pass_hz, recording.filters[0].low_pass_hz) == (0.05, 150)
