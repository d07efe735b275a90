"""The report comes back to the clinic's own PACS: signed in the browser, received by its AE, its outcome beside the report."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect
from pydicom import dcmread
from support import dcmtk
from support.destinations import free_port, storescp
from support.server import Server, until

from telemed import cli

PASSWORD = "telemed-demo"
FINDINGS, IMPRESSION = "平扫示右肺上叶见一小结节影。", "右肺上叶小结节。"


def test_a_signed_report_is_received_by_the_clinics_ae_and_its_row_says_so(
    server: Server, sign_in, ct_small: Path, tmp_path: Path
):
    port = free_port()
    whose = ("--institution", "莲花乡卫生院", "--data", str(server.data))
    assert cli.main(["peer", "add", "LIANHUA", f"127.0.0.1:{port}", *whose]) == 0
    admin = sign_in("admin")
    admin.goto(server.http + "/admin")
    panel = admin.get_by_test_id("forwarding")
    for name, choice in (("AE", "LIANHUA"), ("机构", "莲花乡卫生院")):
        panel.get_by_role("combobox", name=name, exact=True).click(force=True)
        admin.get_by_role("option", name=choice, exact=True).click()
    panel.get_by_test_id("reports-only").click()
    panel.get_by_role("button", name="添加规则").click()
    expect(panel.locator("[data-aet=LIANHUA]")).to_contain_text("签发的报告")

    assert dcmtk.storescu(server.dicom_port, ct_small).returncode == 0
    reading, clinic = sign_in("radiologist"), sign_in("clinic")
    reading.get_by_test_id("queue-item").click()
    reading.get_by_test_id("claim").click()
    reading.get_by_test_id("findings").fill(FINDINGS)
    reading.get_by_test_id("impression").fill(IMPRESSION)
    reading.get_by_test_id("kind-diagnosis").click()
    reading.get_by_test_id("sign").click()
    reading.get_by_test_id("sign-password").fill(PASSWORD)
    reading.get_by_test_id("sign-confirm").click()
    clinic.get_by_test_id("report-open").click()
    expect(clinic.get_by_test_id("returns")).to_contain_text("等待回传")
    with storescp(tmp_path / "received", port, "+xa") as folder:
        files = until(lambda: len(found := list(folder.iterdir())) == 2 and found, 60)
        expect(clinic.get_by_test_id("returns")).to_contain_text("已回传")
    assert {dcmread(file).Modality for file in files} == {"SR", "DOC"}
    row = clinic.locator(f"[data-study-uid='{dcmread(ct_small).StudyInstanceUID}']")
    expect(row).to_contain_text("1 份")
