"""What must not be missed at the clinic: a report that was changed or cancelled after it was read, and a critical value."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom import dcmread
from support import dcmtk
from support.server import Client, Server, until

PASSWORD = "telemed-demo"
FINDINGS = "平扫示右肺上叶见一小结节影，边缘光滑。"
IMPRESSION = "右肺上叶小结节，建议三个月后复查。"
CORRECTED = "左肺上叶小结节，建议三个月后复查。"
REASON = "侧别更正"
BADGE = re.compile(r"^\(1\) ")

#: Counts the oscillators the page starts: what a person would hear.
LISTEN = """() => { window.heard = 0; const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) { window.heard++; return start.apply(this, when); }; }"""


@pytest.fixture
def pages(server: Server, sign_in, ct_small: Path) -> tuple[Page, Page, Locator]:
    """The clinic's page, the reader's with a CT claimed, and the clinic's row of it."""
    clinic, reading = sign_in("clinic"), sign_in("radiologist")
    clinic.evaluate(LISTEN)
    # A browser plays nothing before the page was touched.
    clinic.get_by_role("heading").first.click()
    sent = dcmtk.storescu(server.dicom_port, ct_small)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    reading.get_by_test_id("queue-item").click()
    reading.get_by_test_id("claim").click()
    study_uid = str(dcmread(ct_small).StudyInstanceUID)
    return clinic, reading, clinic.locator(f"[data-testid=study-row][data-study-uid='{study_uid}']")


def sign(reading: Page, impression: str = IMPRESSION, *, critical: bool = False) -> None:
    reading.get_by_test_id("findings").fill(FINDINGS)
    reading.get_by_test_id("impression").fill(impression)
    reading.get_by_test_id("kind-diagnosis").click()
    if critical:
        reading.get_by_test_id("critical").click()
    reading.get_by_test_id("sign").click()
    confirm(reading)


def confirm(reading: Page) -> None:
    reading.get_by_test_id("sign-password").fill(PASSWORD)
    reading.get_by_test_id("sign-confirm").click()


def assert_in_order(report):
    """A report is signed before it is delivered, and that before it is read."""
    signed, delivered, read = (datetime.fromisoformat(report[moment]) for moment in ("signed_at", "delivered_at", "read_at"))
    assert signed < delivered <= read


def versions_of(client: Client, row: Locator) -> list[dict]:
    """Every version of the row's report, the oldest first."""
    uid = row.get_attribute("data-study-uid")
    found = client.get(f"/api/v1/reports?study_instance_uid={uid}")["items"]
    return sorted(found, key=lambda report: report["version"])


def pdf_status(client: Client, report: dict) -> int:
    return client.ask("GET", f"/api/v1/reports/{report['id']}.pdf", raw=True)[0]


def test_a_report_amended_after_delivery_is_told_again_opened_again_and_the_old_version_stays(server, pages):
    clinic, reading, row = pages
    sign(reading)
    row.get_by_test_id("report-open").click()
    expect(clinic.get_by_test_id("report-impression")).to_have_text(IMPRESSION)
    expect(reading.get_by_test_id("read-line")).to_be_visible()
    client = server.client("clinic")
    (first,) = until(lambda: [one for one in versions_of(client, row) if one["read_at"]])
    ledger = client.get(f"/api/v1/tasks/{first['task_id']}/turnaround")
    expect(clinic).not_to_have_title(BADGE)
    quiet = clinic.evaluate("window.heard")

    reading.get_by_test_id("amend").click()
    editor = reading.get_by_test_id("amend-editor")
    expect(editor.get_by_test_id("findings")).to_have_value(FINDINGS)
    editor.get_by_test_id("impression").fill(CORRECTED)
    # A change is not thrown away unasked; nor is it signed without a reason.
    editor.get_by_test_id("amend-cancel").click()
    reading.get_by_role("button", name="继续更改").click()
    editor.get_by_test_id("amend-sign").click()
    expect(editor.get_by_test_id("amend-lack")).to_have_text("请填写修订原因。")
    editor.get_by_test_id("amend-reason").fill(REASON)
    expect(editor.get_by_test_id("amend-lack")).to_have_count(0)
    expect(editor.get_by_test_id("amend-changes").locator("ins")).to_contain_text("左")
    reading.keyboard.press("Control+Enter")
    confirm(reading)

    # Both sides mark what changed; the reader sees that the clinic has not opened it yet.
    expect(reading.get_by_test_id("report-versions").get_by_role("button")).to_have_count(2)
    expect(reading.get_by_test_id("report-impression").locator("del")).to_contain_text("右")

    # The clinic, with the old version still open, is told by sound, badge, toast and on the page itself.
    expect(clinic).to_have_title(BADGE)
    expect(clinic.locator(".report-news")).to_contain_text(REASON)
    assert clinic.evaluate("window.heard") > quiet
    expect(clinic.get_by_test_id("newer-version")).to_contain_text(REASON)
    (first, second) = versions_of(client, row)
    assert (second["amends"], second["reason"], second["read_at"]) == (first["id"], REASON, None)
    clinic.get_by_test_id("show-newer").click()
    expect(clinic.get_by_test_id("report-impression").locator("ins")).to_contain_text("左")
    expect(reading.get_by_test_id("read-line")).to_be_visible()
    expect(clinic).not_to_have_title(BADGE)
    clinic.get_by_test_id("version-1").click()
    expect(clinic.get_by_test_id("report-impression")).to_have_text(IMPRESSION)

    (kept, second) = versions_of(client, row)
    assert (kept["impression"], kept["amended_by"], kept["read_at"]) == (IMPRESSION, second["id"], first["read_at"])
    assert_in_order(second)
    # The clock of record ended with the first answer.
    assert client.get(f"/api/v1/tasks/{first['task_id']}/turnaround") == ledger


def test_a_critical_value_is_read_back_before_its_document_is_there_and_so_is_its_amendment(server, pages):
    clinic, reading, row = pages
    sign(reading, "张力性气胸，请立即处理。", critical=True)
    row.get_by_test_id("report-open").click()
    expect(clinic.get_by_test_id("read-back-words")).to_be_visible()
    expect(clinic.get_by_test_id("report-pdf")).to_have_count(0)
    client = server.client("clinic")
    (first,) = versions_of(client, row)
    assert pdf_status(client, first) == 409
    # Opened is not repeated: the row goes on saying so, whoever looks at the list.
    expect(row).to_contain_text("危急值尚未复述")
    repeat(clinic, "右侧张力性气胸，已告知值班医生")
    expect(row).not_to_contain_text("危急值尚未复述")
    # The words are at the reader's side without a reload.
    expect(reading.get_by_test_id("read-back")).to_contain_text("右侧张力性气胸，已告知值班医生")
    assert pdf_status(client, first) == 200

    reading.get_by_test_id("amend").click()
    reading.get_by_test_id("impression").fill("左侧张力性气胸，请立即处理。")
    reading.get_by_test_id("amend-reason").fill(REASON)
    reading.get_by_test_id("amend-sign").click()
    confirm(reading)
    clinic.get_by_test_id("show-newer").click()
    expect(clinic.get_by_test_id("read-back-words")).to_be_visible()
    expect(clinic.get_by_test_id("report-pdf")).to_have_count(0)
    (_, second) = versions_of(client, row)
    assert pdf_status(client, second) == 409
    repeat(clinic, "更正为左侧")
    expect(reading.get_by_test_id("read-back")).to_contain_text("更正为左侧")
    assert pdf_status(client, second) == 200

    ledger = client.get(f"/api/v1/tasks/{first['task_id']}/turnaround")
    stamps = [ledger[point] for point in ("T0", "T1", "T2", "T3", "T4", "T5", "T6")]
    assert stamps == sorted(stamps)
    assert ledger["T4"] == first["signed_at"]


def change(reading: Page, way: str) -> Locator:
    """Open the editor of the signed report and choose what becomes of it, by the keyboard."""
    reading.get_by_test_id("amend").click()
    editor = reading.get_by_test_id("amend-editor")
    editor.get_by_role("radio", name=way).focus()
    reading.keyboard.press("Space")
    return editor


def opened_again(clinic: Page, reading: Page) -> None:
    """The clinic opens the newest version: both sides see that it has."""
    clinic.get_by_test_id("show-newer").click()
    expect(reading.get_by_test_id("read-line")).to_be_visible()
    expect(clinic).not_to_have_title(BADGE)


def test_a_report_added_to_corrected_and_cancelled_is_acknowledged_each_time_and_asked_for_anew(server, pages):
    clinic, reading, row = pages
    sign(reading)
    row.get_by_test_id("report-open").click()
    expect(reading.get_by_test_id("read-line")).to_be_visible()
    client = server.client("clinic")
    (first,) = until(lambda: [one for one in versions_of(client, row) if one["read_at"]])
    ledger = client.get(f"/api/v1/tasks/{first['task_id']}/turnaround")

    editor = change(reading, "补充")
    expect(editor.get_by_test_id("amend-means")).to_contain_text("原文一字不改")
    expect(editor.get_by_test_id("report-findings")).to_have_text(FINDINGS)
    editor.get_by_test_id("amend-sign").click()
    expect(editor.get_by_test_id("amend-lack")).to_have_text("请填写补充内容。")
    editor.get_by_test_id("addendum").fill("另见左侧第 5 肋骨陈旧性骨折。")
    reading.keyboard.press("Control+Enter")
    confirm(reading)
    expect(clinic.locator(".report-news")).to_contain_text("原文未改")
    opened_again(clinic, reading)
    expect(clinic.get_by_test_id("report-findings")).to_have_text(FINDINGS)
    expect(clinic.get_by_test_id("report-addendum")).to_have_text("另见左侧第 5 肋骨陈旧性骨折。")

    editor = change(reading, "更正")
    editor.get_by_test_id("amend-reason").fill(REASON)
    editor.get_by_test_id("impression").fill(CORRECTED)
    editor.get_by_test_id("amend-sign").click()
    confirm(reading)
    expect(clinic.locator(".report-news")).to_contain_text("更正了报告")
    expect(clinic.get_by_test_id("newer-version")).to_contain_text(REASON)
    opened_again(clinic, reading)
    expect(clinic.get_by_test_id("report-impression").locator("ins")).to_contain_text("左")
    expect(clinic.get_by_test_id("report-addendum")).to_be_visible()

    editor = change(reading, "作废")
    editor.get_by_test_id("amend-sign").click()
    expect(editor.get_by_test_id("amend-lack")).to_have_text("请选择作废原因。")
    editor.get_by_test_id("cause-wrong-patient").click()
    expect(editor.get_by_test_id("amend-lack")).to_have_count(0)
    quiet = clinic.evaluate("window.heard")
    editor.get_by_test_id("amend-sign").click()
    confirm(reading)
    expect(reading.get_by_test_id("cancelled")).to_contain_text("患者错误")
    expect(reading.get_by_test_id("amend")).to_have_count(0)
    expect(clinic.locator(".report-news")).to_contain_text("患者错误")
    assert clinic.evaluate("window.heard") > quiet
    expect(clinic.get_by_test_id("newer-version")).to_contain_text("请勿使用")
    opened_again(clinic, reading)
    # It is shown struck through with the reason, and so is every version before it; none is hidden.
    for version in ("version-4", "version-1"):
        clinic.get_by_test_id(version).click()
        expect(clinic.get_by_test_id("report-impression")).to_have_css("text-decoration-line", "line-through")
    clinic.keyboard.press("Escape")
    expect(row).to_contain_text("报告已作废，请勿使用：患者错误")
    expect(row.get_by_test_id("report-open")).to_be_visible()

    versions = versions_of(client, row)
    assert [one["status"] for one in versions] == ["final", "appended", "corrected", "cancelled"]
    assert [one["amends"] for one in versions] == [None, *(one["id"] for one in versions[:-1])]
    for one in versions:
        assert_in_order(one)
        assert pdf_status(client, one) == 200
    assert client.get(f"/api/v1/tasks/{first['task_id']}/turnaround") == ledger

    # What is withdrawn is no answer: the clinic asks again, and the question is in the queue.
    expect(clinic.get_by_test_id("tray-study")).to_have_count(1)
    expect(row.get_by_test_id("request")).to_have_text("重新申请")
    row.get_by_test_id("request").click()
    clinic.get_by_test_id("request-complaint").fill("胸痛")
    clinic.get_by_test_id("request-reason").fill("请按本人影像重新出具报告")
    clinic.get_by_text("已取得书面同意").click()
    clinic.get_by_test_id("request-place").click()
    expect(row).to_contain_text("等待专家领取")
    expect(row.get_by_test_id("request")).to_have_count(0)
    expect(clinic.get_by_test_id("tray-study")).to_have_count(0)
    [waiting] = server.client("radiologist").get("/api/v1/tasks?status=requested")["items"]
    assert waiting["id"] != first["task_id"]


def repeat(clinic: Page, words: str) -> None:
    clinic.get_by_test_id("read-back-words").fill(words)
    clinic.get_by_test_id("read-back-confirm").click()
    expect(clinic.get_by_test_id("report-pdf")).to_be_visible()
