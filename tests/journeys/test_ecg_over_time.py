"""A long ECG beside the patient's earlier one, as the cardiologist looks at them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import expect
from pydicom import dcmread
from support import dcmtk
from support.long_hearts import fibrillation, heart, sinus

from ecg.formats import dicom
from ecg.recording import PatientTags
from sample_data.ecg_synthesis import synthesise

NAMES = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
COUPLET = [("V", 0.5), ("V", 0.45), ("N", 1.0)]


def written(path: Path, recording, *, day: int) -> Path:
    uids = {name: f"2.25.81.{day}.{part}" for part, name in enumerate(NAMES)}
    content = dicom.write(recording, PatientTags("P7", "LI^Ming"), **uids, acquired_at=datetime(2026, 3, day, 9, tzinfo=UTC))
    path.write_bytes(content)
    return path


def test_the_previous_ecg_is_laid_under_this_one_and_an_episode_leads_to_its_strip(server, sign_in, tmp_path):
    long = heart([*sinus(150), *COUPLET, *sinus(60), *fibrillation(60), *sinus(60)])
    earlier = written(tmp_path / "earlier.dcm", synthesise("normal", seed=3), day=2)
    current = written(tmp_path / "current.dcm", long, day=9)
    study_uid = str(dcmread(current).StudyInstanceUID)
    reading = sign_in("cardiologist")
    for path in (earlier, current):
        sent = dcmtk.storescu(server.dicom_port, path)
        assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    item = reading.locator(f"[data-testid=queue-item][data-study-uid='{study_uid}']")
    expect(item).to_be_visible()
    item.click()
    reading.get_by_test_id("claim").click()
    canvas = reading.get_by_test_id("ecg-canvas").first
    expect(canvas).to_be_visible()

    reading.get_by_test_id("ecg-compare").click()
    picture = reading.get_by_test_id("ecg-comparison").locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    expect(reading.get_by_test_id("ecg-comparison").locator("li").first).to_be_visible()

    reading.get_by_test_id("ecg-long-view").click()
    overview = reading.get_by_test_id("ecg-long")
    expect(overview.locator("tbody tr")).to_have_count(1)
    expect(overview.locator("[data-kind=atrial-fibrillation] [data-testid=ecg-episode]")).to_have_count(1)
    overview.locator("[data-kind=couplet] [data-testid=ecg-episode]").click()
    expect(canvas).to_be_visible()
    expect(canvas).to_have_attribute("data-start", re.compile(r"14[678]\."))
