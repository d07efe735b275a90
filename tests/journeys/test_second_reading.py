"""A study that two read blind and differ about: a third writes the one report the clinic gets, and the ledger is right."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydicom import dcmread
from support import dcmtk
from support.server import TELEMED, Server, until

PASSWORD = "telemed-demo"
CALM = "双肺未见异常。"
NODULE = "右肺上叶小结节，建议三个月后复查。"
FINAL = "右肺上叶小结节，建议六个月后复查。"


@pytest.fixture
def colleagues(server: Server) -> None:
    """Two more radiologists of the demo's hospital."""
    for name in ("second", "third"):
        add = (TELEMED, "user", "add", name, "--data", server.data, "--institution", "青山县医院", "--role", "radiologist")
        subprocess.run(add, input=PASSWORD, text=True, check=True, capture_output=True)


def claim(reading: Page) -> None:
    reading.get_by_test_id("queue-item").click()
    reading.get_by_test_id("claim").click()
    expect(reading.get_by_test_id("impression")).to_be_enabled()


def sign(reading: Page, impression: str) -> None:
    reading.get_by_test_id("findings").fill("胸部平扫。")
    reading.get_by_test_id("impression").fill(impression)
    reading.get_by_test_id("kind-diagnosis").click()
    reading.get_by_test_id("sign").click()
    reading.get_by_test_id("sign-password").fill(PASSWORD)
    reading.get_by_test_id("sign-confirm").click()


def test_two_blind_readings_that_differ_are_settled_by_a_third_and_the_clinic_gets_one_report(
    server, sign_in, colleagues, ct_small: Path
):
    clinic, first, second, third = (sign_in(name) for name in ("clinic", "radiologist", "second", "third"))
    sent = dcmtk.storescu(server.dicom_port, ct_small)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    study = str(dcmread(ct_small).StudyInstanceUID)
    claim(first)
    first.get_by_test_id("ask-second").click()
    first.locator(".el-message-box__btns .el-button--primary").click()
    expect(first.locator(".el-message")).to_contain_text("双人阅片")
    expect(first.get_by_test_id("ask-second")).to_have_count(0)
    first.reload()
    expect(first.get_by_test_id("course-why")).to_contain_text("演示·放射科医师")
    expect(first.locator("[data-stage=first][data-state=held]")).to_contain_text("演示·放射科医师")
    expect(first.get_by_test_id("ask-second")).to_have_count(0)
    sign(first, CALM)
    expect(first.get_by_test_id("stage")).to_have_text("二次阅片")

    expect(clinic.get_by_test_id("study-row")).to_contain_text("等待另一位")

    # The first may not be their own second, and sees how far it is; the second is told nothing by page or server.
    expect(second.get_by_test_id("stage")).to_have_text("二次阅片")
    # Beside the list of reviews no key claims what is in the queue.
    second.get_by_test_id("tab-review").click()
    second.evaluate("document.activeElement.blur()")
    second.keyboard.press("j")
    second.keyboard.press("Enter")
    second.get_by_test_id("tab-open").click()
    claim(second)
    expect(second.get_by_test_id("course")).not_to_contain_text("演示·放射科医师")
    first.get_by_test_id("queue-item").click()
    expect(first.locator("[data-stage=second][data-state=held]")).to_contain_text("second")
    expect(first.get_by_test_id("take-over")).to_have_count(0)
    expect(second.get_by_test_id("impression")).to_have_value("")
    expect(second.get_by_test_id("readings")).to_have_count(0)
    blind = server.client("second", PASSWORD)
    task_id = second.get_by_test_id("queue-item").get_attribute("data-task-id")
    assert blind.get(f"/api/v1/tasks/{task_id}/readings")["items"] == []
    assert CALM not in second.content()
    sign(second, NODULE)

    # At the comparison nothing there is the first reader's to do.
    expect(first.locator("[data-stage=comparison][data-state=held]")).to_contain_text("second")
    verbs = ("claim", "take-over", "release", "decline", "sign")
    expect(first.locator(", ".join(f"[data-testid={verb}]" for verb in verbs))).to_have_count(0)
    expect(second.get_by_test_id("release")).to_be_visible()

    # Both texts beside each other, what differs marked; the keyboard scores.
    expect(second.get_by_test_id("compared-left").locator("mark").first).to_be_visible()
    expect(second.get_by_test_id("compared-right")).to_contain_text(NODULE)
    second.keyboard.press("3")
    expect(second.get_by_test_id("score-2b")).to_have_class("on")
    expect(second.get_by_test_id("compare-confirm")).to_be_disabled()
    second.get_by_test_id("score-comment").fill("右肺上叶结节")
    second.get_by_test_id("compare-password").fill(PASSWORD)
    second.get_by_test_id("compare-confirm").click()
    expect(third.get_by_test_id("stage")).to_have_text("第三方仲裁")
    client = server.client("clinic")
    assert client.get(f"/api/v1/reports?study_instance_uid={study}")["items"] == []

    claim(third)
    expect(third.get_by_test_id("readings").locator("article")).to_have_count(2)
    expect(third.get_by_test_id("comparison")).to_contain_text("RADPEER 2b")
    third.get_by_test_id("adopt").nth(1).click()
    expect(third.get_by_test_id("impression")).to_have_value(NODULE)
    sign(third, FINAL)

    clinic.locator(f"[data-testid=study-row][data-study-uid='{study}']").get_by_test_id("report-open").click()
    expect(clinic.get_by_test_id("report-impression")).to_have_text(FINAL)
    expect(clinic.get_by_test_id("report-readings")).to_contain_text("second")
    (report,) = until(
        lambda: [one for one in client.get(f"/api/v1/reports?study_instance_uid={study}")["items"] if one["read_at"]]
    )
    assert (report["status"], report["version"], report["signed_by"]["name"]) == ("final", 1, "third")
    ledger = client.get(f"/api/v1/tasks/{task_id}/turnaround")
    stamps = [ledger[point] for point in ("T0", "T1", "T2", "T3", "T4", "T5", "T6")]
    assert stamps == sorted(stamps)
    assert ledger["T4"] == report["signed_at"]
    (line,) = server.client("regulator").get("/api/v1/figures/discordance?by=reader")["items"]
    assert (line["name"], line["compared"], line["scores"]["2b"]) == ("演示·放射科医师", 1, 1)
