"""Values of interest as PS3.3 C.11.2 defines them."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from dicom_node.imaging.voi import Function, Table, Window, automatic, looked_up, windowed

VALUES = np.arange(-2048, 2048, dtype=np.float64)


@pytest.mark.parametrize("function", list(Function))
@pytest.mark.parametrize(("centre", "width"), [(40.0, 400.0), (0.0, 1.0), (2048.0, 4096.0), (-600.5, 1500.0)])
def test_a_window_shows_what_pydicom_shows(function, centre, width):
    if width == 1.0 and function is not Function.LINEAR:
        width = 20.0  # pydicom's own exponent overflows below
    data_set = Dataset()
    data_set.WindowCenter, data_set.WindowWidth, data_set.VOILUTFunction = centre, width, function.value
    data_set.PhotometricInterpretation, data_set.PixelRepresentation = "MONOCHROME2", 1
    data_set.BitsStored = data_set.BitsAllocated = 16
    data_set.RescaleSlope, data_set.RescaleIntercept = 1.0, 0.0
    expected = apply_windowing(VALUES.astype(np.int16), data_set)
    low, high = -32768, 32767
    assert np.allclose(windowed(VALUES, Window(centre, width, function)), (expected - low) / (high - low), atol=1e-6)


def test_a_window_of_width_one_is_a_threshold():
    assert list(windowed(np.array([9.0, 9.5, 10.0, 11.0]), Window(10, 1))) == [0.0, 0.0, 1.0, 1.0]


def test_a_table_answers_with_its_ends_outside_its_range():
    table = Table(first=-2, bits=8, entries=np.array([10.0, 20.0, 255.0]))
    assert list(looked_up(np.array([-9, -2, -1, 0, 7]), table) * 255) == [10.0, 10.0, 20.0, 255.0, 255.0]


@pytest.mark.parametrize("values", [np.full((4, 4), 7.0), np.array([[7.0, np.nan], [7.0, np.inf]]), np.array([[7]])])
def test_a_single_value_is_shown_dark(values):
    shown = windowed(values[np.isfinite(values)], automatic(values))
    assert set(shown) == {0.0}


def test_the_automatic_window_leaves_padding_out():
    values = np.array([-2000.0, 0.0, 100.0])
    assert automatic(values, values == -2000).width == 100
    assert automatic(values).width == 2100
    assert automatic(np.array([np.nan])).width > 0
