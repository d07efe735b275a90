"""A bad ECG is told of while the patient still lies there, is recorded again, and is gone from the screen."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect
from support.ecg_files.uploads import as_csv, as_dicom
from test_clinic_uploads import CUT_OFF

from ecg.recording import Recording
from sample_data.ecg_synthesis import synthesise


def spoiled(*, off: int | None = None, arms: bool = False) -> Recording:
    good = synthesise("normal", seed=3)
    samples = np.array(good.millivolts)
    if off is not None:
        samples[off] = 0.0
    if arms:
        one, two, three, avr, avl, avf = samples[:6].copy()
        samples[:6] = -one, three, two, avl, avr, avf
    return Recording("t", good.leads, 500, samples)


def written(folder: Path, name: str, recording: Recording) -> str:
    (folder / name).write_bytes(as_csv(recording))
    return str(folder / name)


def upload(page: Page, file: str, patient_id: str) -> float:
    """Send *file* as the clinic does; return the seconds from the last click to the card."""
    page.get_by_test_id("upload-input").first.set_input_files([file])
    page.get_by_test_id("ecg-patient-id").fill(patient_id)
    begun = time.monotonic()
    page.get_by_test_id("ecg-send").click()
    expect(page.get_by_test_id("gate-card").filter(has_text=patient_id)).to_be_visible()
    return time.monotonic() - begun


def test_a_lead_that_is_off_is_shown_recorded_again_and_answers_the_same_request(sign_in, tmp_path):
    page = sign_in("clinic")
    seconds = upload(page, written(tmp_path, "bad.csv", spoiled(off=8)), "G-1")
    print(f"upload to card: {seconds:.2f} s")
    card = page.get_by_test_id("gate-card")
    expect(card).to_contain_text("V3 电极脱落")
    expect(card.get_by_test_id("electrode-map")).to_have_attribute("data-marked", "V3")
    expect(card.get_by_test_id("gate-trace")).to_have_count(2)
    rows = page.get_by_test_id("study-row").filter(has_text="G-1")
    expect(rows).to_have_count(1)

    card.get_by_test_id("gate-input").set_input_files([written(tmp_path, "good.csv", synthesise("normal", seed=4))])
    expect(page.get_by_test_id("gate-card")).to_have_count(0)
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(re.compile(r"\b2\b"))


def test_swapped_arms_are_drawn_and_an_emergency_is_sent_as_it_is_with_a_reason(sign_in, tmp_path):
    page = sign_in("clinic", width=360, height=740)
    upload(page, written(tmp_path, "arms.csv", spoiled(arms=True)), "G-2")
    card = page.get_by_test_id("gate-card")
    expect(card).to_contain_text("左右手电极可能接反")
    expect(card.get_by_test_id("electrode-map")).to_have_attribute("data-marked", "RA LA")
    assert page.evaluate(CUT_OFF) == []
    card.get_by_test_id("gate-keep").click()
    page.get_by_test_id("gate-reason-words").fill("胸痛，抢救中")
    page.get_by_test_id("gate-reason-confirm").click()
    expect(page.get_by_test_id("gate-card")).to_have_count(0)


def test_what_a_machine_sends_by_dicom_is_told_through_the_live_channel(sign_in, server, tmp_path):
    page = sign_in("clinic")
    expect(page.get_by_test_id("study-row").first).to_be_visible()
    (tmp_path / "machine.dcm").write_bytes(as_dicom(spoiled(off=10)))
    begun = time.monotonic()
    command = ["/usr/bin/storescu", "-aec", server.aet, "127.0.0.1", str(server.dicom_port), str(tmp_path / "machine.dcm")]
    subprocess.run(command, check=True, capture_output=True)
    expect(page.get_by_test_id("gate-card")).to_contain_text("V5 电极脱落")
    print(f"C-STORE to card: {time.monotonic() - begun:.2f} s")
