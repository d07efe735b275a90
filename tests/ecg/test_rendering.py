import itertools
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from ecg import EcgError
from ecg.leads import LEADS, TWELVE, Lead
from ecg.pipeline import analyse
from ecg.recording import Filters, Recording
from ecg.rendering import FILTERS, LAYOUTS, Paper, Particulars, Sheet, sheets, svg
from sample_data.ecg_synthesis import synthesise

TEXT = "{http://www.w3.org/2000/svg}text"


def said_on(page: Sheet) -> str:
    return "\n".join(label.text for label in (*(strip.label for strip in page.strips), *page.labels))


def order_of(page: Sheet) -> list[str]:
    return [strip.lead for strip in page.strips]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_page_is_a4_on_its_side_and_its_unit_is_a_millimetre(layout: str):
    page = sheets(synthesise("normal", seed=1), Paper(layout), Particulars())[0]
    root = ET.fromstring(svg(page))
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("297mm", "210mm", "0 0 297 210")
    assert {lead.name for lead in TWELVE} <= {text.text for text in root.iter(TEXT)}


def test_cabrera_follows_the_frontal_plane_in_every_layout_and_turns_avr_over():
    recording = synthesise("normal", seed=1)
    limb = ["aVL", "I", "-aVR", "II", "aVF", "III"]
    for layout in ("6x2", "12x1"):
        assert [lead for lead in order_of(sheets(recording, Paper(layout, cabrera=True))[0]) if not lead.startswith("V")] == limb
    assert order_of(sheets(recording, Paper("3x4+1R", cabrera=True))[0])[:4] == ["aVL", "II", "V1", "V4"]
    plain, turned = (sheets(recording, Paper("12x1", cabrera=cabrera))[0] for cabrera in (False, True))
    upright = np.array(next(strip for strip in plain.strips if strip.lead == "aVR").lines[0])[:, 1]
    over = np.array(next(strip for strip in turned.strips if strip.lead == "-aVR").lines[0])[:, 1]
    assert np.ptp(upright + over) < 0.05


def test_three_rhythm_strips_run_through_the_whole_sheet():
    page = sheets(synthesise("normal", seed=1), Paper("3x4+3R"))[0]
    assert order_of(page)[-3:] == ["V1", "II", "V5"]
    for strip in page.strips[-3:]:
        assert strip.lines[0][-1][0] - strip.lines[0][0][0] == pytest.approx(250, abs=0.2)


def test_a_missing_lead_says_so_and_a_hole_breaks_the_line():
    samples = np.array(synthesise("normal", seed=1).millivolts[:2])
    samples[1, 1000:1100] = np.nan
    page = sheets(Recording("t", TWELVE[:2], 500, samples), Paper("12x1"))[0]
    strips = {strip.lead: strip for strip in page.strips}
    assert strips["V1"].lines == ()
    assert len(strips["II"].lines) == 2
    assert "未记录 not recorded" in said_on(page)


def test_a_lead_that_could_not_be_measured_says_why_beside_its_name():
    recording = synthesise("noisy-leads", seed=1)
    page = sheets(recording, Paper("12x1"), Particulars(), analyse(recording))[0]
    name = next(strip.label for strip in page.strips if strip.lead == "V3")
    note = next(label for label in page.labels if "电极脱落" in label.text)
    assert note.y_mm == name.y_mm
    assert "lead off" in note.text


def test_the_filter_that_was_drawn_with_and_the_machines_own_are_named_and_none_is_too():
    recording = replace(synthesise("normal", seed=1), filters=(Filters(0.05, 150, 50),) * 12)
    assert "drawn with: 无 none" in said_on(sheets(recording)[0])
    page = sheets(recording, Paper(filter="monitor"))[0]
    for said in ("0.5–40 Hz（ST 段会变形 bends ST）", "recorded with: 0.05–150 Hz 陷波 notch 50 Hz"):
        assert said in said_on(page)
    assert "未注明 not stated" in said_on(sheets(replace(recording, filters=None))[0])


def test_a_filter_changes_the_drawing_and_keeps_missing_samples_missing():
    samples = np.array(synthesise("normal", seed=1).millivolts)
    samples[1] += np.linspace(0, 3, 5000)
    samples[1, 1000:1100] = np.nan
    recording = Recording("t", TWELVE, 500, samples)
    drawn = {name: sheets(recording, Paper("12x1", filter=name))[0].strips[1].lines for name in FILTERS}
    spread = {name: np.ptp([y for line in lines for _, y in line]) for name, lines in drawn.items()}
    assert spread["monitor"] < spread["none"] - 10
    assert {len(lines) for lines in drawn.values()} == {2}


def test_a_long_recording_goes_over_pages_and_each_says_which_part_it_shows():
    recording = synthesise("normal", seed=1, seconds=60)
    pages = sheets(recording, Paper(speed_mm_s=50, seconds=10, start_s=20), Particulars())
    assert ["第 1 页 / 共 2 页" in said_on(pages[0]), "第 2 页 / 共 2 页" in said_on(pages[1])] == [True, True]
    assert "第 25.0–30.0 秒，全长 60.0 秒" in said_on(pages[1])
    assert len(sheets(recording)) == 1
    assert "第 0.0–10.0 秒，全长 60.0 秒" in said_on(sheets(recording)[0])


def test_a_short_recording_leaves_no_column_empty():
    for strip in sheets(synthesise("normal", seed=1, seconds=5))[0].strips:
        assert len(strip.lines[0]) > 1000, strip.lead


def test_leads_beyond_the_twelve_and_lone_leads_get_rows_of_their_own():
    twelve = synthesise("normal", seed=1)
    more = np.concatenate([twelve.millivolts, twelve.millivolts[:3]])
    recording = Recording("t", (*TWELVE, *(LEADS[name] for name in ("V7", "V8", "V9"))), 500, more)
    assert [order_of(page) for page in sheets(recording)][1] == ["V7", "V8", "V9"]
    lone = Recording("t", (Lead("ch1"), Lead("ch2")), 500, twelve.millivolts[:2].copy())
    assert order_of(sheets(lone)[0]) == ["ch1", "ch2"]


def test_no_trace_leaves_the_grid_and_what_reaches_beyond_it_is_named():
    samples = np.array(synthesise("normal", seed=1).millivolts)
    samples[7] *= 12
    page = sheets(Recording("t", TWELVE, 500, samples), Paper("6x2", gain_mm_mv=20), Particulars())[0]
    top, bottom = page.grid.top_mm, page.grid.top_mm + page.grid.height_mm
    assert all(top <= y <= bottom for strip in page.strips for line in strip.lines for _, y in line)
    assert "beyond the paper: V2" in said_on(page)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("gain", [5, 10, 20])
def test_rows_make_room_so_that_usual_voltages_are_never_cut(layout: str, gain: float):
    for page in sheets(synthesise("normal", seed=1), Paper(layout, gain_mm_mv=gain), Particulars()):
        assert "beyond" not in said_on(page)
        tops = [min(y for _, y in pulse) for pulse in page.pulses]
        assert min(tops) >= page.grid.top_mm
        assert all(later - earlier >= gain / 2 for earlier, later in itertools.pairwise(tops))


def test_a_spike_between_the_drawn_points_of_a_fast_recording_is_drawn():
    samples = np.zeros((1, 80_000))
    samples[0, 30_003] = 2.0
    page = sheets(Recording("t", (Lead("ch1"),), 8000, samples))[0]
    heights = [y for line in page.strips[0].lines for _, y in line]
    assert max(heights) - min(heights) == pytest.approx(20)
    assert len(heights) < 25_000


def test_a_lead_name_from_a_file_cannot_write_into_the_page():
    page = svg(sheets(Recording("t", (Lead("<script>"),), 500, np.zeros((1, 500))))[0])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("choice", [{"layout": "5x5"}, {"speed_mm_s": 30}, {"gain_mm_mv": 7}, {"filter": "strong"}])
def test_a_choice_that_is_not_offered_is_refused(choice):
    with pytest.raises(EcgError, match="not offered; choose one of"):
        Paper(**choice)
