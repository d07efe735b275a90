"""Two browsers in a round: each decodes the other's picture, and what one scrolls the other sees."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect
from support import dcmtk
from support.server import until

import sample_data

#: Video frames that this page has decoded of others.
DECODED = """async () => [...document.querySelectorAll('[data-testid=round-video-remote]')]
  .reduce((sum, video) => sum + video.getVideoPlaybackQuality().totalVideoFrames, 0)"""


def test_two_in_a_round_see_each_other_and_the_same_image(server, sign_in, tmp_path: Path):
    slices = [path for path in sample_data.studies() if path.parent.name == "ct-head"]
    sent = dcmtk.storescu(server.dicom_port, *slices, options=("-xt",))
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == len(slices)
    coordinator, clinic = sign_in("coordinator"), sign_in("clinic")
    client = server.client("coordinator")
    study = until(lambda: [one for one in client.get("/api/v1/studies")["items"] if one["instance_count"] == len(slices)])[0]
    round_ = client.post("/api/v1/rounds", {"study_instance_uid": study["study_instance_uid"], "title": "颅脑 CT 会诊"})

    for page in (coordinator, clinic):
        page.goto(f"{server.http}/rounds/{round_['id']}")
        page.get_by_test_id("round-join").click()
    for page in (coordinator, clinic):
        expect(page.get_by_test_id("round-video-remote")).to_have_count(1)
        until(lambda page=page: page.evaluate(DECODED) > 20)

    canvases = [page.get_by_test_id("viewer-canvas").first for page in (coordinator, clinic)]
    for canvas in canvases:
        until(lambda canvas=canvas: canvas.get_attribute("data-instance"))
    before = canvases[1].get_attribute("data-instance")
    canvases[0].hover()
    for _ in range(7):
        coordinator.mouse.wheel(0, 100)
        coordinator.wait_for_timeout(60)
    moved = until(lambda: canvases[0].get_attribute("data-instance") != before and canvases[0].get_attribute("data-instance"))
    until(lambda: canvases[1].get_attribute("data-instance") == canvases[0].get_attribute("data-instance"))
    assert moved != before

    # And the other way round.
    canvases[1].hover()
    clinic.mouse.wheel(0, -100)
    until(lambda: canvases[1].get_attribute("data-instance") != moved)
    until(lambda: canvases[0].get_attribute("data-instance") == canvases[1].get_attribute("data-instance"))
