"""The walk over a header ends, whatever the bytes are, and finds what pydicom finds."""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_node.imaging.elements import BytesSource, Encoding, open_data_set, top_level
from dicom_node.imaging.layout import read_layout
from telemed.kernel.errors import Invalid, NotFound

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
CT = (FOLDER / "CT_small.dcm").read_bytes()
RLE = (FOLDER / "SC_rgb_rle_2frame.dcm").read_bytes()


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "rtplan.dcm", "liver_expb_1frame.dcm", "waveform_ecg.dcm", "MR_small_bigendian.dcm"]
)
def test_the_walk_names_the_elements_pydicom_names(name):
    _, source, offset, encoding = open_data_set(BytesSource((FOLDER / name).read_bytes()))
    expected = [int(tag) for tag in pydicom.dcmread(FOLDER / name, force=True).keys()]  # noqa: SIM118 - a data set yields its elements
    assert [element.tag for element in top_level(source, offset, encoding)] == expected


@settings(max_examples=150, deadline=2000)
@given(data=st.data(), original=st.sampled_from([CT, RLE]))
def test_any_damage_ends_in_a_layout_or_in_a_sentence(data, original):
    """A byte changed, a piece cut out, an end cut off: never another exception, never long."""
    damaged = bytearray(original[: data.draw(st.integers(0, len(original)))] if data.draw(st.booleans()) else original)
    for _ in range(data.draw(st.integers(0, 8))):
        if len(damaged) > 140:
            damaged[data.draw(st.integers(132, min(len(damaged), 8000) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Invalid, NotFound):
        assert read_layout(BytesSource(bytes(damaged))).frames >= 1


def test_sequences_nested_ten_thousand_deep_are_refused_at_once():
    level = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    began = time.process_time()
    with pytest.raises(Invalid, match="deeper"):
        list(top_level(BytesSource(level * 10_000), 0, Encoding(explicit=True, big=False)))
    assert time.process_time() - began < 1
