import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ecg import EcgError
from ecg.leads import TWELVE, Lead
from ecg.recording import Recording
from ecg.rendering import LAYOUTS, MARGIN_MM, PULSE_MM, sheet, svg
from sample_data.ecg_synthesis import synthesise


@pytest.mark.parametrize("layout", LAYOUTS)
def test_ten_seconds_are_250_mm_and_the_unit_of_the_svg_is_a_millimetre(layout: str):
    root = ET.fromstring(svg(synthesise("normal", seed=1), layout=layout))
    assert root.get("width") == f"{250 + PULSE_MM + 2 * MARGIN_MM:g}mm"
    assert root.get("viewBox", "").split()[2] + "mm" == root.get("width")
    labels = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {lead.name for lead in TWELVE} <= labels


def test_a_millivolt_is_ten_millimetres_high_and_its_pulse_five_wide():
    step = np.where(np.arange(5000) % 2500 < 1500, 0.0, 1.0)[None, :]
    page = sheet(Recording("t", TWELVE[1:2], 500, step), layout="12x1")
    line = next(strip for strip in page.strips if strip.label == "II").lines[0]
    heights = {y for _, y in line}
    assert max(heights) - min(heights) == pytest.approx(10)
    pulse = page.pulses[0]
    assert pulse[1][1] - pulse[2][1] == pytest.approx(10)
    assert pulse[3][0] - pulse[2][0] == pytest.approx(5)


def test_a_missing_lead_leaves_its_place_and_a_hole_breaks_the_line():
    samples = np.array(synthesise("normal", seed=1).millivolts[:2])
    samples[1, 1000:1100] = np.nan
    strips = {strip.label: strip for strip in sheet(Recording("t", TWELVE[:2], 500, samples), layout="12x1").strips}
    assert strips["V1"].lines == ()
    assert len(strips["II"].lines) == 2


def test_a_lead_name_from_a_file_cannot_write_into_the_page():
    page = svg(Recording("t", (Lead("<script>"),), 500, np.zeros((1, 500))))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_unknown_layout_is_refused():
    with pytest.raises(EcgError, match="must be one of"):
        svg(synthesise("normal", seed=1), layout="5x5")
