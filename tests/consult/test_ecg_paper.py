"""The paper as it comes out of the printer: rendered, and measured with a ruler of pixels."""

from __future__ import annotations

import io
import itertools
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics

from consult.reports.document.ecg_paper import write_ecg
from consult.reports.document.fonts import BOLD, REGULAR, typesetting
from ecg.analysis import Severity, Statement, Text
from ecg.leads import TWELVE
from ecg.pipeline import analyse
from ecg.recording import PatientTags, Recording
from ecg.rendering import GAINS_MM_MV, LAYOUTS, SPEEDS_MM_S, Paper, Particulars, Sheet, sheets, svg
from sample_data.ecg_synthesis import synthesise

FONTS = Path(__file__).parents[2] / "web" / "static" / "fonts"
DPI = 300
CHOICES = tuple(itertools.product(LAYOUTS, SPEEDS_MM_S[1:], GAINS_MM_MV))
DARK = 110
#: Of the last row enough is rendered, for the sake of time.
TOP_MM = 135


def a_patient(kind: str = "normal", **changes) -> Recording:
    patient = PatientTags("330100-88", "Ouyang^Xiaofang=欧阳^小芳", "F", date(1958, 2, 14))
    at = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    return replace(synthesise(kind, seed=1), patient=patient, started_at=at, equipment="Example ECG-12", **changes)


def seconds_marked() -> Recording:
    """A narrow spike of a millivolt upwards every second, in every lead."""
    samples = np.zeros((12, 2500))
    samples[:, 100::250] = 1.0
    return Recording("t", TWELVE, 250, samples)


def pages_of_all_choices() -> list[Sheet]:
    return [sheets(seconds_marked(), Paper(*choice), Particulars())[0] for choice in CHOICES]


def printed(pdf: bytes, folder: Path) -> list[np.ndarray]:
    """The lower left part of every page, grey, as a printer of DPI puts it down."""
    file = folder / "paper.pdf"
    file.write_bytes(pdf)
    left_top, size = ["-x", "0", "-y", str(px(TOP_MM))], ["-W", str(px(100)), "-H", str(px(200 - TOP_MM))]
    subprocess.run(["/usr/bin/pdftoppm", "-r", str(DPI), "-gray", *left_top, *size, file, folder / "page"], check=True)
    return [np.asarray(Image.open(page)) for page in sorted(folder.glob("page*.pgm"))]


def px(millimetres: float) -> int:
    return round(millimetres / 25.4 * DPI)


def measured(page: np.ndarray, sheet: Sheet) -> tuple[float, float]:
    """Return the height of the last row's pulse and the distance of two spikes in it, in millimetres of paper."""
    pulse = sheet.pulses[-1]
    middle = px((pulse[2][0] + pulse[3][0]) / 2)
    near = slice(px(pulse[2][1] - 1 - TOP_MM), px(pulse[1][1] + 1 - TOP_MM))
    top = np.flatnonzero(page[near, middle] < DARK)
    foot = np.flatnonzero(page[near, px((pulse[0][0] + pulse[1][0]) / 2)] < DARK)
    run = [strip for strip in sheet.strips if strip.lines[0][0][0] < 40][-1].lines[0]
    halfway = px(run[0][1] - (pulse[1][1] - pulse[2][1]) / 2 - TOP_MM)
    left = px(run[0][0]) + 3
    spikes = left + np.flatnonzero(page[halfway, left:] < DARK)
    beats = [group.mean() for group in np.split(spikes, np.flatnonzero(np.diff(spikes) > 20) + 1)]
    return (foot.mean() - top.mean()) / DPI * 25.4, (beats[-1] - beats[-2]) / DPI * 25.4


def assert_true_size(pages: list[np.ndarray], drawn: list[Sheet]) -> None:
    assert len(pages) == len(drawn) == len(CHOICES)
    for page, sheet, (layout, speed, gain) in zip(pages, drawn, CHOICES, strict=True):
        height, second = measured(page, sheet)
        assert height == pytest.approx(gain, abs=0.09), (layout, speed, gain)
        assert second == pytest.approx(speed, abs=0.09), (layout, speed, gain)


def test_on_the_printed_pdf_a_millivolt_and_a_second_are_as_long_as_said_in_every_choice(tmp_path):
    drawn = pages_of_all_choices()
    assert_true_size(printed(write_ecg(drawn, FONTS), tmp_path), drawn)


def test_a_browser_prints_the_svg_in_true_size_in_every_choice(tmp_path):
    drawn = pages_of_all_choices()
    style = "<style>@page{size:297mm 210mm;margin:0}body{margin:0}svg{display:block;break-after:page}</style>"
    (tmp_path / "all.html").write_text(f"<!doctype html><meta charset=utf-8>{style}" + "".join(map(svg, drawn)), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={tmp_path / 'profile'}"]
    out = tmp_path / "browser.pdf"
    command = ["/usr/bin/chromium", *flags, f"--print-to-pdf={out}", (tmp_path / "all.html").as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert_true_size(printed(out.read_bytes(), tmp_path)[: len(drawn)], drawn)


def text_of(pdf: bytes, tmp_path: Path) -> str:
    (tmp_path / "text.pdf").write_bytes(pdf)
    command = ["/usr/bin/pdftotext", "-layout", str(tmp_path / "text.pdf"), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_paper_says_who_when_where_and_what_the_machine_noticed_in_chinese(tmp_path):
    recording = a_patient("noisy-leads")
    pages = sheets(recording, Paper("6x2"), Particulars("莲花乡卫生院"), analyse(recording))
    text = text_of(write_ecg(pages, FONTS), tmp_path).replace(" ", "")
    for said in (
        "欧阳 小芳", "68 岁", "330100-88", "2026-03-02 09:30:00", "莲花乡卫生院", "Example ECG-12", "提示，非诊断", "窦性心律",
        "25 mm/s", "10 mm/mV", "电极脱落", "第 1 页 / 共 1 页", "按 100% 打印",
    ):  # fmt: skip
        assert said.replace(" ", "") in text, said


def boxes(page: Sheet) -> list[tuple[str, float, float, float, float]]:
    """Every label with its left, top, right and bottom in millimetres, by the type's own widths."""
    found = []
    for label in (*(strip.label for strip in page.strips), *page.labels):
        wide = pdfmetrics.stringWidth(label.text, BOLD if label.bold else REGULAR, label.size_mm * mm) / mm
        left = label.x_mm - wide if label.ends else label.x_mm
        found.append((label.text, left, label.y_mm - 0.75 * label.size_mm, left + wide, label.y_mm + 0.12 * label.size_mm))
    return found


@pytest.mark.parametrize(("layout", "speed", "gain"), CHOICES)
def test_no_words_overlap_and_none_are_cut_off_however_much_there_is_to_say(layout, speed, gain):
    recording = a_patient("noisy-leads", millivolts=np.array(synthesise("noisy-leads", seed=1).millivolts) * 1.8)
    long = PatientTags("330100199912310000" * 3, "=" + "阿不都热依木·" * 8, "F", date(1958, 2, 14))
    recording = replace(recording, patient=long, equipment="Manufacturer of a long name " * 4)
    analysis = analyse(recording)
    many = tuple(Statement(f"s{n}", Text("很长的一条提示" * n, "a long hint " * n), Severity.CRITICAL, {}) for n in range(1, 9))
    paper = Paper(layout, speed, gain, cabrera=True, filter="monitor")
    pages = sheets(recording, paper, Particulars("名字很长的乡镇卫生院" * 6), replace(analysis, statements=many))
    with typesetting(FONTS):
        for page in pages:
            placed = boxes(page)
            for text, left, top, right, bottom in placed:
                assert left >= 5, text
                assert right <= page.width_mm - 5, text
                assert top >= 4, text
                assert bottom <= page.height_mm - 2, text
            for one, other in itertools.combinations(placed, 2):
                apart = one[3] <= other[1] or other[3] <= one[1] or one[4] <= other[2] or other[4] <= one[2]
                assert apart, (one, other)


def test_the_same_recording_gives_the_same_bytes():
    recording = a_patient()
    drawn = sheets(recording, Paper(), Particulars(), analyse(recording))
    assert write_ecg(drawn, FONTS) == write_ecg(drawn, FONTS)


def test_a_printer_is_asked_not_to_scale_the_page():
    assert b"/PrintScaling /None" in io.BytesIO(write_ecg(sheets(seconds_marked()), FONTS)).getvalue()
