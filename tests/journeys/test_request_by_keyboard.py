"""The clinic asks: the whole form by keyboard alone; a consent with paper and signature, revoked; a request before its study."""

from __future__ import annotations

import time

import pydicom
import pytest
from playwright.sync_api import expect
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from support import dcmtk
from support.server import until


@pytest.fixture
def photograph(tmp_path):
    """A study that no rule routes, so that the clinic has to ask."""
    study = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    study.Modality, study.SOPClassUID = "OT", "1.2.840.10008.5.1.4.1.1.7"
    study.StudyInstanceUID, study.SeriesInstanceUID, study.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    study.file_meta.MediaStorageSOPClassUID, study.file_meta.MediaStorageSOPInstanceUID = study.SOPClassUID, study.SOPInstanceUID
    study.AccessionNumber, study.PatientID, study.PatientSex, study.PatientBirthDate = "J1", "J1", "M", ""
    study.save_as(tmp_path / "ot.dcm")
    return study, tmp_path / "ot.dcm"


def test_a_request_is_filled_in_and_sent_by_keyboard_alone_within_a_minute(server, sign_in, photograph, tmp_path):
    study, path = photograph
    clinic = sign_in("clinic")
    dcmtk.storescu(server.dicom_port, path)
    ask = clinic.get_by_test_id("request").first
    expect(ask).to_be_visible()
    clinic.evaluate("() => { window.pressed = 0; addEventListener('mousedown', () => window.pressed++, true); }")
    keys, began = 0, time.monotonic()

    def press(*names):
        nonlocal keys
        for name in names:
            clinic.keyboard.press(name)
            keys += 1

    def write(words):
        nonlocal keys
        clinic.keyboard.type(words)
        keys += len(words)

    ask.focus()
    press("Enter")
    expect(clinic.get_by_test_id("request-complaint")).to_be_focused()
    for words in ("右踝外伤2小时", "高血压十年", "是否骨折？"):
        write(words)
        press("Tab")
    write("青霉素过敏")
    press("Tab", "ArrowLeft", "Tab", "ArrowRight", "Tab", "ArrowDown", "Tab", "ArrowDown", "Tab")
    press("Space")  # the consent is written
    press("Control+Enter")
    expect(clinic.get_by_test_id("request-form")).to_be_hidden()
    seconds = time.monotonic() - began
    assert clinic.evaluate("window.pressed") == 0
    assert (keys < 80, seconds < 60) == (True, True), (keys, seconds)
    client = server.client("clinic")
    (row,) = [one for one in client.get("/api/v1/studies")["items"] if one["study_instance_uid"] == study.StudyInstanceUID]
    request = client.get(f"/api/v1/tasks/{row['task']['id']}/request")
    said = [request[name] for name in ("complaint", "history", "reason", "contraindications", "kind", "priority", "consent_kind")]
    assert said == ["右踝外伤2小时", "高血压十年", "是否骨折？", "青霉素过敏", "consultation", "urgent", "written"]


#: Somebody who is in the field while the dialog is still coming in, for 300 ms.
FASTER = """() => new MutationObserver((_, watching) => {
  const field = document.querySelector("[data-testid=request-reason]");
  if (!field) return;
  watching.disconnect();
  setTimeout(() => field.focus(), 50);
}).observe(document, { childList: true, subtree: true })"""


def test_who_is_faster_than_the_dialog_keeps_the_field(server, sign_in, photograph):
    _, path = photograph
    clinic = sign_in("clinic")
    dcmtk.storescu(server.dicom_port, path)
    clinic.get_by_test_id("request").first.wait_for()
    clinic.evaluate(FASTER)
    clinic.get_by_test_id("request").first.click()
    expect(clinic.get_by_role("dialog")).to_be_visible()
    until(lambda: clinic.evaluate("document.getAnimations().length") == 0)
    clinic.wait_for_timeout(500)  # what comes with the end of the coming in
    clinic.keyboard.type("是否骨折？")
    expect(clinic.get_by_test_id("request-reason")).to_have_value("是否骨折？")
    expect(clinic.get_by_test_id("request-complaint")).to_have_value("")


def test_a_guardian_s_paper_and_signature_are_kept_and_revoking_withdraws_the_request(server, sign_in, photograph, tmp_path):
    study, path = photograph
    clinic = sign_in("clinic", height=1000)
    dcmtk.storescu(server.dicom_port, path)
    clinic.get_by_test_id("request").first.click()
    clinic.get_by_test_id("request-complaint").fill("右踝外伤")
    clinic.get_by_test_id("request-reason").fill("是否骨折？")
    clinic.get_by_text("监护人已书面同意").click()
    clinic.get_by_test_id("consent-guardian").fill("张三")
    clinic.get_by_test_id("consent-relation").fill("父亲")
    paper = tmp_path / "paper.png"
    clinic.screenshot(path=paper)
    clinic.get_by_test_id("consent-paper").set_input_files(paper)
    pad = clinic.get_by_test_id("signature-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    clinic.mouse.move(box["x"] + 20, box["y"] + 20)
    clinic.mouse.down()
    clinic.mouse.move(box["x"] + 120, box["y"] + 40, steps=8)
    clinic.mouse.up()
    clinic.get_by_test_id("request-place").click()
    clinic.get_by_role("link", name="同意书", exact=True).click()
    expect(clinic.get_by_test_id("consent").locator("img")).to_have_count(2)
    clinic.get_by_test_id("consent-revoke").click()
    clinic.get_by_test_id("revoke-words").fill("家属要求转院")
    clinic.get_by_test_id("revoke-confirm").click()
    expect(clinic.get_by_test_id("consent")).to_contain_text("撤回")
    (task,) = server.client("clinic").get("/api/v1/tasks?status=cancelled")["items"]
    assert task["study_instance_uid"] == study.StudyInstanceUID
    assert server.client("radiologist").get("/api/v1/tasks")["items"] == []


def test_a_request_before_its_study_is_linked_by_one_click_and_taken_back(server, sign_in, photograph):
    _, path = photograph
    clinic = sign_in("clinic")
    clinic.get_by_test_id("early-request").click()
    clinic.get_by_test_id("early-id").fill("J2")
    clinic.get_by_test_id("early-name").fill("李四")
    clinic.get_by_test_id("request-complaint").fill("外伤")
    clinic.get_by_test_id("request-reason").fill("是否骨折？")
    clinic.get_by_text("已取得书面同意").click()
    clinic.get_by_test_id("request-place").click()
    expect(clinic.get_by_test_id("tray-request")).to_contain_text("李四")
    dcmtk.storescu(server.dicom_port, path)
    clinic.get_by_test_id("tray-choose").click()
    clinic.get_by_test_id("tray-link").click()
    expect(clinic.get_by_test_id("tray-request")).to_have_count(0)
    reader = server.client("radiologist")
    assert until(lambda: reader.get("/api/v1/tasks")["items"])
    clinic.get_by_test_id("tray-undo").click()
    expect(clinic.get_by_test_id("tray-request")).to_have_count(1)
    assert reader.get("/api/v1/tasks")["items"] == []
