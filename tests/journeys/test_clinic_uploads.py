"""A clinic without a connected modality: files chosen in the browser, each answered in a sentence; and the other language."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from pydicom import dcmread
from support.screens import CUT_OFF

import sample_data


def test_images_and_an_ecg_chosen_in_the_browser_arrive_and_a_bad_file_is_named(sign_in, ct_small, tmp_path):
    letter = tmp_path / "letter.dcm"
    letter.write_text("this is no image")
    page = sign_in("clinic")
    page.get_by_test_id("upload-input").first.set_input_files([str(ct_small), str(letter)])
    study_uid = str(dcmread(ct_small).StudyInstanceUID)
    expect(page.locator(f"[data-testid=study-row][data-study-uid='{study_uid}']")).to_be_visible()
    expect(page.get_by_test_id("upload-item").filter(has_text="letter.dcm")).to_contain_text(re.compile("DICOM"))

    rows = page.get_by_test_id("study-row")
    before = rows.count()
    record = [str(path) for path in sample_data.uploads() if path.suffix in (".hea", ".dat")]
    page.get_by_test_id("upload-input").first.set_input_files(record)
    page.get_by_test_id("ecg-patient-id").fill("A-17")
    page.get_by_test_id("ecg-send").click()
    expect(rows).to_have_count(before + 1)
    expect(rows.filter(has_text="A-17")).to_contain_text("ECG")


def test_every_door_speaks_both_languages_and_fits_a_narrow_screen(sign_in):
    for username in ("clinic", "radiologist", "coordinator", "regulator", "admin"):
        page = sign_in(username, width=360, height=740)
        chinese = page.get_by_test_id("lang-switch")
        expect(chinese).to_contain_text("English")
        chinese.click()
        expect(page.get_by_test_id("lang-switch")).to_contain_text("中文")
        assert page.evaluate("document.documentElement.lang") == "en"
        page.wait_for_load_state("networkidle")
        assert page.evaluate(CUT_OFF) == [], username
        for door in page.get_by_role("navigation").first.get_by_role("link").all():
            expect(door).to_be_in_viewport(ratio=0.99)
