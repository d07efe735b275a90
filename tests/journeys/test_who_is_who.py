"""The administrator in a browser: two patients become one and two again, and a name nobody could read is read."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect
from support import dcmtk
from support.objects import an_image
from support.server import until


def test_an_administrator_merges_parts_and_reads_names(server, sign_in, tmp_path: Path):
    people = [("OLD", "王^小明".encode("gb18030"), "GB18030"), ("NEW", "王^晓明".encode("gb18030"), "GB18030")]
    people.append(("J1", "山田^太郎".encode("shift_jis"), "ISO_IR 192"))
    files = []
    for number, (patient_id, name, charset) in enumerate(people):
        uids = {
            "StudyInstanceUID": f"1.9.{number}",
            "SeriesInstanceUID": f"1.9.{number}.1",
            "SOPInstanceUID": f"1.9.{number}.1.1",
        }
        sex = "F" if number else "M"
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(
            an_image(PatientID=patient_id, PatientName=name, SpecificCharacterSet=charset, PatientSex=sex, **uids)
        )
    sent = dcmtk.storescu(server.dicom_port, *files)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == len(files)
    client = server.client("clinic")
    until(lambda: len(client.get("/api/v1/studies")["items"]) == len(files))

    page = sign_in("admin")
    page.goto(f"{server.http}/patients")
    page.get_by_test_id("seek-patients").fill("wxm")
    expect(page.get_by_test_id("found-person")).to_have_count(2)
    for found in page.get_by_test_id("found-person").all():
        found.click()
    page.get_by_test_id("compare").click()
    page.get_by_test_id("merge-reason").fill("同一身份证")
    expect(page.get_by_test_id("merge-confirm")).to_be_disabled()  # a man and a woman
    page.get_by_text("我已核实，仍要合并").click()
    page.get_by_test_id("merge-confirm").click()
    expect(page.get_by_test_id("merge")).to_have_count(1)
    assert len(client.get("/api/v1/studies?q=OLD")["items"]) == 2
    page.get_by_test_id("undo-merge").click()
    page.get_by_role("button", name="撤销").last.click()
    expect(page.get_by_test_id("undo-merge")).to_have_count(0)
    assert len(client.get("/api/v1/studies?q=OLD")["items"]) == 1

    page.get_by_test_id("seek-patients").fill("NEW")
    expect(page.get_by_test_id("found-person")).to_have_count(1)
    page.get_by_test_id("found-person").click()
    page.get_by_test_id("split-studies").click()
    expect(page.get_by_test_id("split-study")).to_have_count(1)
    page.get_by_test_id("split-study").click()
    page.get_by_test_id("split-reason").fill("两个人")
    expect(page.get_by_test_id("split-confirm")).to_be_disabled()  # somebody has to keep a study
    page.keyboard.press("Escape")

    page.goto(f"{server.http}/admin")
    page.get_by_test_id("illegible").get_by_role("button", name="山田^太郎").click()
    until(lambda: [one["patient"]["name"] for one in client.get("/api/v1/studies?q=J1")["items"]] == ["山田太郎"])
    expect(page.get_by_test_id("illegible")).to_have_count(0)
