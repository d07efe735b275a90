from __future__ import annotations

import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader

from consult.phrases.model import Region
from consult.practitioners.model import Institution, Level, Person
from consult.queue.model import Stage
from consult.reports.document.content import Attachments, Hints, Illustration, Ledger
from consult.reports.document.documents import hints_of
from consult.reports.document.fonts import typesetting
from consult.reports.document.pages import write
from consult.reports.document.slip import write_slip
from consult.reports.document.wording import span
from consult.reports.model import Addendum, EarlierReading, Report, ReportStatus, Signing, Withdrawal, sealed
from consult.requests.model import Kind, Patient
from ecg.rendering import sheets
from sample_data.ecg_synthesis import synthesise
from telemed.kernel.errors import Invalid, Unavailable

FONTS = Path(__file__).parents[2] / "web" / "static" / "fonts"
T0 = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
STAMPS = [T0 + timedelta(minutes=minutes) for minutes in (0, 1, 2, 5, 14, 15, 31)]


def a_report(**changes) -> Report:
    report = Report(
        id="5e" * 16,
        task_id="7a" * 16,
        study_instance_uid="2.25.1",
        status=ReportStatus.FINAL,
        version=1,
        kind=Kind.DIAGNOSIS,
        findings="颅骨未见骨折。<b>血肿</b> & 水肿 < 30 ml。",
        impression="左侧基底节区脑出血。",
        critical=False,
        key_images=(),
        signed_at=STAMPS[4],
        signed_by=Person("p1", "王𬭎"),
        institution=Institution("i1", "莲花乡卫生院", "Lianhua Township Clinic", Level.TOWNSHIP),
        performer=Institution("i2", "青山县医院", "Qingshan County Hospital", Level.COUNTY),
        patient=Patient("P-001", "㛃䶮", "F", date(1958, 2, 14), 68),
        modalities=("CT",),
        study_description="头颅平扫",
        study_at=T0,
        lane="imaging",
        budget_s=1200,
    )
    return sealed(replace(report, **changes))


def made(report: Report, attachments: Attachments | None = None) -> bytes:
    return write(report, attachments or Attachments(), Ledger([*STAMPS[:5], None, None], report.budget_s), FONTS)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf), strict=True).pages)


def a_picture(width: int = 640, height: int = 480) -> bytes:
    kept = io.BytesIO()
    Image.new("L", (width, height), 90).save(kept, "JPEG")
    return kept.getvalue()


def test_the_document_names_who_read_which_region():
    chest = EarlierReading(Stage.FIRST, Person("p2", "陈涛"), STAMPS[3], "ab" * 32, Region.CHEST)
    assert "分区阅片·胸部 Chest section: 陈涛" in text_of(made(a_report(readings=(chest,))))


def test_the_document_says_who_what_and_when_in_chinese():
    text = text_of(made(a_report()))
    for said in (
        "青山县医院",
        "莲花乡卫生院",
        "远程诊断报告",
        "左侧基底节区脑出血。",
        "头颅平扫",
        "2026-03-02 09:44:00",
        "14:00",
    ):
        assert said in text


def test_names_in_rare_characters_can_be_searched_as_they_are_printed():
    text = text_of(made(a_report()))
    assert "㛃䶮" in text
    assert "王𬭎" in text


def test_every_font_is_embedded_so_that_any_machine_prints_it():
    for page in PdfReader(io.BytesIO(made(a_report()))).pages:
        for reference in page["/Resources"]["/Font"].values():
            font = reference.get_object()
            if "NotoSans" in str(font["/BaseFont"]):
                assert "/FontFile2" in font["/FontDescriptor"]
                assert "/ToUnicode" in font


def test_a_strangers_text_is_never_markup():
    hostile = a_report(
        findings='<img src="file:///etc/passwd"/><font size="900">x</font>',
        patient=Patient("<b>", '</font><a href="x">甲', "F", None, None),
        study_description="<para>&",
        reason="<i>",
        amends="1f" * 16,
    )
    text = text_of(made(hostile))
    assert '<img src="file:///etc/passwd"/>' in text.replace("\n", "")
    assert '</font><a href="x">甲' in text.replace("\n", "")


def test_advice_and_diagnosis_are_told_apart():
    advice, diagnosis = text_of(made(a_report(kind=Kind.CONSULTATION))), text_of(made(a_report()))
    assert "远程会诊意见" in advice
    assert "诊断与治疗由邀请方医师决定" in advice
    assert "远程会诊意见" not in diagnosis


def test_a_critical_value_an_amendment_and_a_draft_say_so():
    assert "危急值" in text_of(made(a_report(critical=True)))
    assert "危急值" not in text_of(made(a_report()))
    amended = text_of(made(a_report(version=2, amends="1f" * 16, reason="补充测量", status=ReportStatus.AMENDED)))
    assert "1f" * 16 in amended
    assert "补充测量" in amended
    assert "初步" in text_of(made(a_report(status=ReportStatus.PRELIMINARY)))


def test_each_version_that_replaces_another_says_what_it_is_and_why():
    replacing = {"version": 2, "amends": "1f" * 16}
    corrected = text_of(made(a_report(**replacing, reason="左右写反", status=ReportStatus.CORRECTED)))
    for said in ("更正版 Corrected version 2", "1f" * 16, "左右写反", "更正 Corrected"):
        assert said in corrected
    written = Signing(Person("p2", "陈涛"), STAMPS[3])
    addendum = Addendum("另见左侧第 5 肋骨骨折。", Person("p3", "吴进"), STAMPS[4])
    appended = text_of(made(a_report(**replacing, addenda=(addendum,), text_signed=written, status=ReportStatus.APPENDED)))
    for said in (
        "补充版",
        "补充报告",
        "吴进",
        "另见左侧第 5 肋骨骨折。",
        "正文签发 Text signed by: 陈涛",
        "左侧基底节区脑出血。",
        "补充医师",
    ):
        assert said in appended
    assert "作废" not in appended


def test_a_cancelled_report_says_so_across_the_page_and_what_it_said_is_struck_through():
    withdrawal = {"version": 2, "amends": "1f" * 16, "cause": Withdrawal.WRONG_PATIENT, "status": ReportStatus.CANCELLED}
    pdf = made(a_report(**withdrawal, reason="影像属同名患者"))
    text = text_of(pdf)
    for said in ("本报告已作废，请勿使用", "患者错误 Wrong patient；影像属同名患者", "作废医师", "左侧基底节区脑出血。"):
        assert said in text
    assert lines_drawn(pdf) > lines_drawn(made(a_report(version=2, amends="1f" * 16, status=ReportStatus.AMENDED)))


def lines_drawn(pdf: bytes) -> int:
    """Count the straight strokes on the first page."""
    return PdfReader(io.BytesIO(pdf)).pages[0].get_contents().get_data().count(b" l S")


def test_long_text_flows_over_pages_that_are_numbered():
    findings = "\n".join(f"第{number}段：" + "两肺纹理清晰，未见明确实质性病变。" * 12 for number in range(60))
    pdf = made(a_report(findings=findings))
    pages = PdfReader(io.BytesIO(pdf)).pages
    assert len(pages) > 3
    text = text_of(pdf)
    assert all(f"第{number}段" in text for number in range(60))
    assert f"第 {len(pages)} 页 / 共 {len(pages)} 页" in text


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_every_key_image_is_on_the_page(count):
    shown = [Illustration(a_picture(640 + number, 480), f"图像 {number}") for number in range(count)]
    reader = PdfReader(io.BytesIO(made(a_report(), Attachments(shown))))
    names = {(page.page_number, name) for page in reader.pages for name in page["/Resources"].get("/XObject", {})}
    assert len(names) == count


def test_a_key_image_that_is_none_is_refused_in_a_sentence():
    with pytest.raises(Invalid, match="key image"):
        made(a_report(), Attachments([Illustration(b"not a picture", "x")]))


def test_an_ecg_lies_in_true_size_on_a_wide_page_with_its_hints():
    sheet = sheets(synthesise("normal", seed=1))[0]
    hints = Hints([("心率 Heart rate", "72 bpm")], ["窦性心律 Sinus rhythm"])
    pdf = made(a_report(), Attachments((), [sheet], hints))
    last = PdfReader(io.BytesIO(pdf)).pages[-1]
    assert last.mediabox.width > last.mediabox.height
    text = text_of(pdf)
    for said in ("提示，非诊断", "72 bpm", "窦性心律", "25 mm/s", "II"):
        assert said in text


def test_hints_leave_out_what_could_not_be_measured():
    measured = {"heart_rate_bpm": 72, "pr_interval_ms": None, "qtc_ms": {"bazett": 425}, "rv5_sv1_mv": 1.9}
    statements = [{"text": {"zh": "窦性心律", "en": "Sinus rhythm"}}]
    hints = hints_of({"measurements": measured, "statements": statements})
    assert [value for _, value in hints.measurements] == ["72 bpm", "425 ms", "1.9 mV"]
    assert list(hints.statements) == ["窦性心律 Sinus rhythm"]


def test_the_same_report_gives_the_same_bytes():
    assert made(a_report()) == made(a_report())


def test_the_slip_says_t5_and_t6_and_names_the_signed_document():
    report = a_report()
    signed = made(report)
    read = replace(report, delivered_at=STAMPS[5], read_at=STAMPS[6], read_by=Person("n1", "赵兰"))
    slip = text_of(write_slip(signed, read, Ledger(STAMPS, 1200), FONTS))
    for said in (
        *(f"T{number}" for number in range(7)),
        "09:45:00",
        "10:01:00",
        "赵兰",
        "按时",
        f"{len(signed)} 字节",
        hashlib.sha256(signed).hexdigest(),
    ):
        assert said in slip


def test_the_slip_of_an_undelivered_report_says_nothing_happened_yet():
    slip = text_of(write_slip(made(a_report()), a_report(), Ledger([*STAMPS[:5], None, None], 1200), FONTS))
    assert "—" in slip
    assert "按时" not in slip
    assert "超时" not in slip


def test_a_late_delivery_is_called_late():
    stamps = [*STAMPS[:5], T0 + timedelta(minutes=21), None]
    assert "超时" in text_of(write_slip(made(a_report()), a_report(), Ledger(stamps, 1200), FONTS))


def test_missing_fonts_are_a_sentence_not_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr("consult.reports.document.fonts.FILES", {"Absent": "Absent.ttf"})
    with pytest.raises(Unavailable, match="build the front end"):
        write(a_report(), Attachments(), Ledger([None] * 7, 0), tmp_path)


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (307, "5:07"), (3723, "1:02:03")])
def test_a_span_reads_as_a_clock(seconds, said):
    assert span(seconds) == said


def test_one_document_is_set_at_a_time_for_the_fonts_keep_one_reading_position():
    finished = threading.Event()

    def set_another():
        made(a_report())
        finished.set()

    other = threading.Thread(target=set_another)
    with typesetting(FONTS):
        other.start()
        assert not finished.wait(1.5)
    assert finished.wait(20)
    other.join()


def test_documents_asked_for_at_the_same_time_are_the_ones_made_alone():
    reports = [a_report(findings="".join(chr(0x4E00 + 40 * number + k) for k in range(40))) for number in range(8)]
    alone = [made(report) for report in reports]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(made, reports)) == alone
