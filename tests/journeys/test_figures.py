"""The figures on their screen: the days are the hospitals', wherever the browser is."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import expect
from support import dcmtk
from support.server import until

from consult.requests.model import HOUSE_ZONE


def test_the_chart_shows_the_servers_days_in_a_browser_of_another_zone(server, sign_in, ct_small: Path):
    sent = dcmtk.storescu(server.dicom_port, ct_small)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    regulator = server.client("regulator")
    (score,) = until(lambda: regulator.get("/api/v1/figures/scores?by=day")["items"])
    # At any hour it is another day than the hospitals' in the first of these or in the second.
    for zone in ("Etc/GMT+12", "Pacific/Kiritimati", "America/Los_Angeles", "Asia/Shanghai"):
        page = sign_in("regulator", zone=zone)
        bar = page.locator(f"[data-testid=bar][data-day='{score['key']}']")
        expect(bar).to_have_attribute("data-count", "1")
        today = datetime.now(HOUSE_ZONE)
        near = {f"{today - timedelta(days=back):%Y-%m-%d}" for back in (0, 1)}  # midnight may pass meanwhile
        assert page.get_by_test_id("bar").last.get_attribute("data-day") in near
