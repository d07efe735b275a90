"""The main job: a clinic's CT and ECG, a specialist's signed answer, the clinic told and the report open on its screen."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime

from playwright.sync_api import expect
from pydicom import dcmread
from pydicom.uid import generate_uid
from support import dcmtk
from support.server import TELEMED, until

IMPRESSION = "右肺上叶小结节，建议三个月后复查。"
FINDINGS = "平扫示右肺上叶见一小结节影，边缘光滑；余未见明显异常。"

#: How many different grey levels the viewer's canvas shows: 1 for a blank one.
SHADES = """canvas => { const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set(); for (let i = 0; i < data.length; i += 4) seen.add(data[i]); return seen.size; }"""

POINTS = ("T0", "T1", "T2", "T3", "T4", "T5", "T6")


def queue_item(page, study_instance_uid):
    return page.locator(f"[data-testid=queue-item][data-study-uid='{study_instance_uid}']")


def test_a_ct_sent_by_storescu_is_read_signed_announced_opened_and_its_ledger_is_whole(server, sign_in, ct_small, tmp_path):
    study_uid = str(dcmread(ct_small).StudyInstanceUID)
    clinic, reading = sign_in("clinic"), sign_in("radiologist")
    clinic.wait_for_url("**/clinic")
    reading.wait_for_url("**/reading")
    expect(reading.get_by_test_id("queue-item")).to_have_count(0)

    sent = dcmtk.storescu(server.dicom_port, ct_small)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr

    # Both open pages show it by themselves.
    expect(queue_item(reading, study_uid)).to_be_visible()
    expect(clinic.locator(f"[data-testid=study-row][data-study-uid='{study_uid}']")).to_be_visible()

    queue_item(reading, study_uid).click()
    reading.get_by_test_id("claim").click()
    canvas = reading.get_by_test_id("viewer-canvas").first
    expect(canvas).to_have_attribute("data-frame", re.compile(r"\d+"))
    until(lambda: canvas.evaluate(SHADES) > 20)

    reading.get_by_test_id("findings").fill(FINDINGS)
    reading.get_by_test_id("impression").fill(IMPRESSION)
    reading.get_by_test_id("kind-diagnosis").click()
    reading.get_by_test_id("sign").click()
    reading.get_by_test_id("sign-password").fill("telemed-demo")
    reading.get_by_test_id("sign-confirm").click()

    # The clinic is told without a reload: the title's badge, and a report to open.
    opened = clinic.locator(f"[data-testid=study-row][data-study-uid='{study_uid}'] [data-testid=report-open]")
    expect(opened).to_be_visible()
    expect(clinic).to_have_title(re.compile(r"\(1\)"))
    opened.click()
    expect(clinic.get_by_text(IMPRESSION).first).to_be_visible()

    client = server.client("clinic")
    (report,) = client.get(f"/api/v1/reports?study_instance_uid={study_uid}")["items"]
    status, pdf, headers = client.ask("GET", f"/api/v1/reports/{report['id']}.pdf", raw=True)
    assert (status, headers["Content-Type"]) == (200, "application/pdf")
    text = _text_of(pdf, tmp_path / "report.pdf")
    assert IMPRESSION in re.sub(r"\s", "", text)
    assert "诊断" in text
    for point in POINTS[:5]:
        assert point in text
    _, slip, _ = client.ask("GET", f"/api/v1/reports/{report['id']}/slip.pdf", raw=True)
    assert set(POINTS) <= set(_text_of(slip, tmp_path / "slip.pdf").split())

    turnaround = until(lambda: _whole(client.get(f"/api/v1/tasks/{report['task_id']}/turnaround")))
    stamps = [turnaround[point] for point in POINTS]
    assert stamps == sorted(stamps)
    assert turnaround["elapsed_s"] < turnaround["budget_s"]


def _text_of(pdf, file):
    file.write_bytes(pdf)
    return subprocess.run(["/usr/bin/pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True).stdout


def _whole(turnaround):
    return turnaround if all(turnaround[point] for point in POINTS) else None


def test_an_ecg_sent_by_storescu_is_on_paper_and_measured_in_the_cardiologists_queue(server, sign_in, ecg):
    study_uid = str(dcmread(ecg).StudyInstanceUID)
    reading = sign_in("cardiologist")
    sent = dcmtk.storescu(server.dicom_port, ecg)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    item = queue_item(reading, study_uid)
    expect(item).to_be_visible()
    item.click()
    reading.get_by_test_id("claim").click()
    canvas = reading.get_by_test_id("ecg-canvas").first
    expect(canvas).to_be_visible()
    until(lambda: canvas.evaluate(SHADES) > 5)
    expect(reading.get_by_text("提示，非诊断").first).to_be_visible()

    client = server.client("cardiologist")
    detail = client.get(f"/api/v1/studies/{study_uid}")
    sop_instance_uid = detail["series"][0]["instances"][0]["sop_instance_uid"]
    analysis = client.get(f"/api/v1/recordings/{sop_instance_uid}/analysis")
    assert analysis["leads"][:3] == ["I", "II", "III"]
    assert 40 < analysis["measurements"]["heart_rate_bpm"] < 180


def test_a_radiologist_does_not_see_the_cardiologists_queue(server, sign_in, ecg):
    study_uid = str(dcmread(ecg).StudyInstanceUID)
    dcmtk.storescu(server.dicom_port, ecg)
    client = server.client("cardiologist")
    until(lambda: [one for one in client.get("/api/v1/tasks")["items"] if one["study_instance_uid"] == study_uid])
    assert server.client("radiologist").get("/api/v1/tasks")["items"] == []


def test_a_reader_asks_the_clinic_answers_and_the_clock_stood_meanwhile(server, sign_in, ct_small):
    study_uid = str(dcmread(ct_small).StudyInstanceUID)
    clinic, reading = sign_in("clinic"), sign_in("radiologist")
    sent = dcmtk.storescu(server.dicom_port, ct_small)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    queue_item(reading, study_uid).click()
    reading.get_by_test_id("claim").click()
    reading.get_by_test_id("ask").click()
    reading.get_by_test_id("ask-words").fill("何时起病？")
    reading.get_by_test_id("ask-confirm").click()
    expect(queue_item(reading, study_uid)).to_have_attribute("data-status", "on-hold")
    expect(reading.get_by_test_id("questions")).to_contain_text("何时起病？")

    # The clinic's open page says who asks what, and takes the answer.
    row = clinic.locator(f"[data-testid=study-row][data-study-uid='{study_uid}']")
    expect(row).to_contain_text("何时起病？")
    # Its notice lies at the left: at the right is the report that may be open.
    notice = clinic.locator(".el-notification", has_text="何时起病？")
    expect(notice).to_have_class(re.compile(r"\bleft\b"))
    row.get_by_test_id("answer").click()
    clinic.get_by_test_id("answer-words").fill("昨晚八点")
    clinic.get_by_test_id("answer-confirm").click()
    expect(queue_item(reading, study_uid)).to_have_attribute("data-status", "in-progress")
    expect(reading.get_by_test_id("questions")).to_contain_text("昨晚八点")

    reading.get_by_test_id("findings").fill(FINDINGS)
    reading.get_by_test_id("impression").fill(IMPRESSION)
    reading.get_by_test_id("kind-consultation").click()
    reading.get_by_test_id("sign").click()
    reading.get_by_test_id("sign-password").fill("telemed-demo")
    reading.get_by_test_id("sign-confirm").click()
    expect(row.get_by_test_id("report-open")).to_be_visible()
    client = server.client("clinic")
    (report,) = client.get(f"/api/v1/reports?study_instance_uid={study_uid}")["items"]
    ledger = client.get(f"/api/v1/tasks/{report['task_id']}/turnaround")
    (asked,) = client.get(f"/api/v1/tasks/{report['task_id']}/questions")
    t0, t3, t4 = (datetime.fromisoformat(ledger[point]) for point in ("T0", "T3", "T4"))
    asked_at, answered_at = (datetime.fromisoformat(asked[moment]) for moment in ("asked_at", "answered_at"))
    assert ledger["paused_s"] == int((answered_at - asked_at).total_seconds())
    assert ledger["paused_since"] is None
    assert t0 <= t3 < asked_at < answered_at < t4


def test_a_refused_study_tells_the_clinic_why_and_a_second_reader_answers_it(server, sign_in, ct_small):
    study_uid = str(dcmread(ct_small).StudyInstanceUID)
    command = [TELEMED, "user", "add", "second", "--data", server.data, "--institution", "青山县医院", "--role", "radiologist"]
    subprocess.run(command, input="telemed-demo\n", text=True, check=True, capture_output=True)
    clinic, reading, second = sign_in("clinic"), sign_in("radiologist"), sign_in("second")
    sent = dcmtk.storescu(server.dicom_port, ct_small)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    queue_item(reading, study_uid).click()
    reading.get_by_test_id("decline").click()
    reading.get_by_test_id("decline-words").fill("缺少薄层图像")
    reading.get_by_test_id("decline-confirm").click()

    # The clinic reads why, and the next reader does before claiming.
    row = clinic.locator(f"[data-testid=study-row][data-study-uid='{study_uid}']")
    expect(row).to_contain_text("曾被退回：缺少薄层图像；已重新分派")
    queue_item(second, study_uid).click()
    expect(second.get_by_label("报告", exact=True).first).to_contain_text("曾被退回：缺少薄层图像")
    second.get_by_test_id("claim").click()
    second.get_by_test_id("findings").fill(FINDINGS)
    second.get_by_test_id("impression").fill(IMPRESSION)
    second.get_by_test_id("kind-consultation").click()
    second.get_by_test_id("sign").click()
    second.get_by_test_id("sign-password").fill("telemed-demo")
    second.get_by_test_id("sign-confirm").click()
    row.get_by_test_id("report-open").click()
    expect(clinic.get_by_text(IMPRESSION).first).to_be_visible()

    client = server.client("clinic")
    (report,) = client.get(f"/api/v1/reports?study_instance_uid={study_uid}")["items"]
    ledger = until(lambda: _whole(client.get(f"/api/v1/tasks/{report['task_id']}/turnaround")))
    stamps = [ledger[point] for point in POINTS]
    assert stamps == sorted(stamps)
    # The refusal costs the clinic time, never the clock: it runs from the upload to the answer without a pause.
    assert ledger["paused_s"] == 0
    assert server.client("second").get(f"/api/v1/tasks/{report['task_id']}")["owner"]["name"] == report["signed_by"]["name"]


def test_news_of_two_reports_at_one_moment_lies_one_below_the_other(server, sign_in, ct_small, tmp_path):
    image = dcmread(ct_small)
    image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = (generate_uid() for _ in range(3))
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.save_as(tmp_path / "another.dcm")
    for file in (ct_small, tmp_path / "another.dcm"):
        assert dcmtk.storescu(server.dicom_port, file).returncode == 0
    reader = server.client("radiologist")
    for task in until(lambda: len(found := reader.get("/api/v1/tasks")["items"]) == 2 and found):
        path = f"/api/v1/tasks/{task['id']}"
        reader.post(f"{path}/claim")
        draft = {"findings": FINDINGS, "impression": IMPRESSION, "kind": "diagnosis"}
        assert reader.ask("PUT", f"{path}/report", draft)[0] == 200
        reader.post(f"{path}/report/sign", {"password": "telemed-demo"})

    toasts = sign_in("clinic").locator(".report-news")
    expect(toasts).to_have_count(2)

    def apart() -> bool:
        upper, lower = sorted((one.bounding_box() for one in toasts.all()), key=lambda box: box["y"])
        return upper["y"] + upper["height"] <= lower["y"]

    until(apart)
