"""One trauma patient whom three read in regions at once: three sections, one report, and the clinic sees who read what."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydicom import dcmread
from support import dcmtk
from support.server import TELEMED, Server

PASSWORD = "telemed-demo"


@pytest.fixture
def colleagues(server: Server) -> None:
    """Two more radiologists of the demo's hospital."""
    for name in ("second", "third"):
        add = (TELEMED, "user", "add", name, "--data", server.data, "--institution", "青山县医院", "--role", "radiologist")
        subprocess.run(add, input=PASSWORD, text=True, check=True, capture_output=True)


def write(reading: Page, region: str, words: str) -> None:
    reading.locator(f"[data-testid=section][data-region={region}]").get_by_test_id("section-claim").click()
    reading.get_by_test_id("section-findings").fill(f"{words}所见。")
    reading.get_by_test_id("section-impression").fill(f"{words}意见。")


def confirm(reading: Page) -> None:
    reading.get_by_test_id("sign-password").fill(PASSWORD)
    reading.get_by_test_id("sign-confirm").click()


def test_three_read_the_regions_of_one_patient_and_one_report_names_them(server, sign_in, colleagues, ct_small: Path):
    clinic, lead, second, third = (sign_in(name) for name in ("clinic", "radiologist", "second", "third"))
    sent = dcmtk.storescu(server.dicom_port, ct_small)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    study = str(dcmread(ct_small).StudyInstanceUID)
    lead.get_by_test_id("queue-item").click()
    lead.get_by_test_id("claim").click()
    lead.get_by_test_id("split").click()
    for region in ("spine", "head", "chest"):
        lead.get_by_test_id(f"region-{region}").click()
    lead.get_by_test_id("split-confirm").click()
    expect(lead.get_by_test_id("section")).to_have_count(3)
    expect(lead.get_by_test_id("sign")).to_have_count(0)

    for reading in (second, third):
        expect(reading.get_by_test_id("regions")).to_contain_text("待领分区")
        reading.get_by_test_id("queue-item").click()
    write(second, "chest", "胸部")
    write(third, "spine", "脊柱")
    expect(third.locator("[data-testid=section][data-region=chest]")).to_have_attribute("data-status", "claimed")
    expect(lead.locator("[data-testid=section][data-region=spine]")).to_have_attribute("data-status", "claimed")
    assert "胸部意见" not in lead.content()
    write(lead, "head", "头部")
    for reading in (second, third, lead):
        reading.get_by_test_id("section-sign").click()
        confirm(reading)
        expect(reading.get_by_test_id("section-editor")).to_have_count(0)

    expect(lead.get_by_test_id("impression")).to_have_value(
        "【头部 Head】\n头部意见。\n\n【胸部 Chest】\n胸部意见。\n\n【脊柱 Spine】\n脊柱意见。"
    )
    lead.get_by_test_id("kind-diagnosis").click()
    lead.get_by_test_id("sign").click()
    confirm(lead)
    clinic.locator(f"[data-testid=study-row][data-study-uid='{study}']").get_by_test_id("report-open").click()
    expect(clinic.get_by_test_id("report-impression")).to_contain_text("脊柱意见。")
    expect(clinic.get_by_test_id("report-readings")).to_contain_text("分区阅片·胸 second")
