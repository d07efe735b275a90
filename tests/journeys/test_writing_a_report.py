"""Writing: a template chosen and filled in by keyboard, macros, a measurement, a key image; and what a killed browser loses."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect
from pydicom import dcmread
from support import dcmtk
from support.server import until

LOBE, KIND = "右肺上叶", "实性"

#: Puts a page behind another window, and counts the notices its browser has put on the desktop. Asking for them meanwhile would
#: not do: Chromium drops a notice that is written down but not yet on display when it is asked what it shows.
BEHIND = """() => {
  document.hasFocus = () => false;
  const worker = ServiceWorkerRegistration.prototype, show = worker.showNotification;
  window.noticed = 0;
  worker.showNotification = async function (...notice) {
    await show.apply(this, notice);
    window.noticed += 1;
  };
}"""
NOTICES = "navigator.serviceWorker.ready.then(worker => worker.getNotifications()).then(shown => shown.map(({ title }) => title))"


@pytest.fixture(scope="module")
def ct_head(tmp_path_factory, ct_small) -> Path:
    """pydicom's CT, said to be of the head: of a region that nobody names no template is one key away."""
    image = dcmread(ct_small)
    image.BodyPartExamined = "HEAD"
    target = tmp_path_factory.mktemp("head") / "ct.dcm"
    image.save_as(target)
    return target


def claim(reading, server, ct_head) -> str:
    """Send the CT, let the reader claim it, and return its StudyInstanceUID once it is drawn."""
    study_uid = str(dcmread(ct_head).StudyInstanceUID)
    sent = dcmtk.storescu(server.dicom_port, ct_head)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    reading.locator(f"[data-testid=queue-item][data-study-uid='{study_uid}']").click()
    reading.get_by_test_id("claim").click()
    expect(reading.get_by_test_id("viewer-canvas").first).to_have_attribute("data-frame", re.compile(r"\d+"))
    expect(reading.get_by_test_id("best-template")).to_be_visible()
    return study_uid


def test_a_template_is_filled_in_by_keyboard_with_a_measurement_and_signed_with_its_key_image(server, sign_in, ct_head):
    clinic, reading = sign_in("clinic"), sign_in("radiologist")
    clinic.context.grant_permissions(["notifications"])
    clinic.reload()
    clinic.evaluate(BEHIND)
    study_uid = claim(reading, server, ct_head)
    findings, impression = reading.get_by_test_id("findings"), reading.get_by_test_id("impression")

    # One key applies what fits a CT best; it has no blank.
    reading.keyboard.press("F2")
    expect(findings).to_have_value(re.compile("颅骨结构完整"))
    reading.get_by_text("撤销").click()
    expect(findings).to_have_value("")

    reading.keyboard.press("F4")
    reading.get_by_test_id("template-seek").press_sequentially("肺结节")
    reading.keyboard.press("Enter")
    expect(reading.get_by_test_id("findings-options")).to_contain_text(LOBE)
    reading.keyboard.press("1")
    expect(findings).to_have_value(re.compile(f"^{LOBE}见"))
    expect(impression).to_have_value(re.compile(f"^{LOBE}"))  # the same blank, filled once
    reading.keyboard.press("1")
    expect(findings).to_have_value(re.compile(f"^{LOBE}见{KIND}结节，大小约 {{{{大小}}}} mm"))

    # The size is measured: it goes into the blank that waits for it, and its image becomes a key image.
    box = reading.get_by_test_id("viewer-canvas").first.bounding_box()
    reading.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    reading.get_by_test_id("viewer-canvas").first.click(position={"x": 20, "y": 120})
    reading.locator(".viewer").focus()
    reading.keyboard.press("l")
    reading.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    reading.mouse.down()
    reading.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2 + 20, steps=4)
    reading.mouse.up()
    reading.keyboard.press("c")
    expect(findings).to_have_value(re.compile(r"大小约 (≈ )?\d+\.\d mm，"))
    expect(reading.get_by_test_id("key-image")).to_have_count(1)

    # The blanks that are left are named, and nothing is signed.
    reading.keyboard.press("Control+Enter")
    expect(reading.get_by_test_id("sign-missing")).to_contain_text("还有 3 处待填")
    expect(reading.get_by_test_id("findings-options")).to_contain_text("毛刺")
    reading.keyboard.press("1")
    expect(reading.get_by_test_id("findings-options")).to_contain_text("可见")
    reading.keyboard.press("1")
    expect(findings).to_have_value(re.compile("边缘光滑，未见钙化"))
    reading.keyboard.type("3")
    reading.keyboard.press("Control+End")
    reading.keyboard.type("；；jhlc")
    expect(reading.get_by_test_id("impression-options")).to_contain_text("请结合临床")
    reading.keyboard.press("Enter")
    expect(impression).to_have_value(f"{LOBE}{KIND}结节，建议 3 个月后复查。请结合临床。")
    reading.get_by_test_id("kind-diagnosis").click()
    reading.keyboard.press("Control+Enter")
    reading.get_by_test_id("sign-password").fill("telemed-demo")
    reading.get_by_test_id("sign-confirm").click()

    until(lambda: clinic.evaluate("window.noticed"), 90)
    assert clinic.evaluate(NOTICES) == ["新报告"]
    row = clinic.locator(f"[data-testid=study-row][data-study-uid='{study_uid}']")
    row.get_by_test_id("report-open").click()
    picture = clinic.get_by_test_id("key-image").locator("img")
    until(lambda: picture.evaluate("image => image.complete && image.naturalWidth > 0"))


def test_of_what_was_typed_a_killed_browser_loses_five_seconds_at_most_and_versions_bring_it_back(
    server, sign_in, mortal, ct_head
):
    page, kill = mortal("radiologist")
    claim(page, server, ct_head)
    findings, typed = page.get_by_test_id("findings"), []
    findings.focus()
    begun = time.monotonic()
    while time.monotonic() - begun < 8:  # without ever resting long enough to be taken for done
        page.keyboard.type(str(len(typed) % 10))
        typed.append(time.monotonic())
        time.sleep(0.1)
    killed = time.monotonic()
    kill()

    (task,) = server.client("radiologist").get("/api/v1/tasks")["items"]
    kept = server.client("radiologist").get(f"/api/v1/tasks/{task['id']}/report")["findings"]
    assert kept == "".join(str(n % 10) for n in range(len(kept)))
    lost = typed[len(kept) :]
    assert not lost or killed - lost[0] < 5, (
        f"{len(lost)} of {len(typed)} characters are lost, typed over {killed - lost[0]:.1f} s"
    )

    # Somebody goes on elsewhere, clears it all, and has it back.
    reading = sign_in("radiologist")
    reading.goto(f"{server.http}/reading?task={task['id']}")
    expect(reading.get_by_test_id("findings")).to_have_value(kept)
    reading.get_by_text("清空").click()
    expect(reading.get_by_test_id("save-state")).to_contain_text("已保存")
    until(lambda: server.client("radiologist").get(f"/api/v1/tasks/{task['id']}/report")["findings"] == "")
    reading.get_by_test_id("draft-versions").click()
    reading.get_by_test_id("draft-version").nth(1).click()
    expect(reading.get_by_test_id("draft-version-text")).to_contain_text(kept)
    reading.get_by_test_id("restore-version").click()
    expect(reading.get_by_test_id("findings")).to_have_value(kept)
    until(lambda: server.client("radiologist").get(f"/api/v1/tasks/{task['id']}/report")["findings"] == kept)
