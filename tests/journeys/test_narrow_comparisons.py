"""What is compared before somebody decides can be read on a telephone: nothing is cut off, nothing lies beside the screen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from support import dcmtk
from support.objects import an_image
from support.server import TELEMED, Server, until

PASSWORD = "telemed-demo"
TELEPHONE = {"width": 360, "height": 740}
LOCALES = ("zh-CN", "en-US")
LONG_ID = "440106195802140023-20260302-ZYH0012345"

#: What of *root* reaches beyond its box or the screen, or hides a part of its text.
CUT = """root => {
  const shown = (one) => one.getClientRects().length && !one.closest(".tm-visually-hidden");
  const all = [root, ...root.querySelectorAll("*")].filter(shown);
  const name = (one) => `${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 40)}`;
  const beside = (one) => {
    const box = one.getBoundingClientRect();
    return box.width > 1 && (box.left < -1 || box.right > innerWidth + 1);
  };
  const clips = (one) => getComputedStyle(one).overflowX !== "visible";
  const hides = (one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 1 && clips(one);
  return all.filter((one) => beside(one) || hides(one)).map(name);
}"""


#: Pairs of texts of *root* that lie over one another.
OVERLAPPING = """root => {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const lines = [];
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (!text.data.trim() || text.parentElement.closest(".tm-visually-hidden, select")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const box of range.getClientRects()) lines.push([text.data.trim().slice(0, 30), box]);
  }
  const across = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const down = (a, b) => Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  const over = (a, b) => across(a, b) > 2 && down(a, b) > 4;
  return lines.flatMap(([said, box], at) =>
    lines.slice(at + 1).filter(([, other]) => over(box, other)).map(([other]) => `${said} / ${other}`));
}"""


#: How wide the hint of an empty box is, and how wide the box is, in pixels.
HINT = """box => {
  const style = getComputedStyle(box), pen = document.createElement("canvas").getContext("2d");
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  return [pen.measureText(box.placeholder).width, box.clientWidth];
}"""


def dialog(page: Page) -> Locator:
    """Return the dialog that is open."""
    return page.locator(".el-dialog").locator("visible=true")


def fits(page: Page, root: Locator) -> None:
    """Check that *root* is whole, and that the page does not scroll sideways."""
    expect(root).to_be_visible()
    assert root.evaluate(CUT) == []
    assert root.evaluate(OVERLAPPING) == []
    assert page.evaluate("document.documentElement.scrollWidth") == TELEPHONE["width"]


@pytest.fixture
def two_patients(server: Server, tmp_path: Path) -> None:
    """Two patients of one name who differ in all else, and one object with two contents."""
    files = []
    for number, (patient_id, sex, born) in enumerate(((LONG_ID, "M", "19580214"), ("P2", "F", "19850102"))):
        uids = {
            "StudyInstanceUID": f"1.9.{number}",
            "SeriesInstanceUID": f"1.9.{number}.1",
            "SOPInstanceUID": f"1.9.{number}.1.1",
        }
        name = "OUYANG WANGXIAOMING^XIAOMING=欧阳王^小明".encode("gb18030")
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(
            an_image(
                PatientID=patient_id,
                PatientName=name,
                SpecificCharacterSet="GB18030",
                PatientSex=sex,
                PatientBirthDate=born,
                StudyDescription="CT chest plain, enhanced, 3D reconstruction of both lungs",
                AccessionNumber="CT20260302001234",
                **uids,
            )
        )
    other = tmp_path / "other.dcm"
    other.write_bytes(
        an_image(
            PatientID="P3", PatientName="LI^SI", PatientSex="M", PatientBirthDate="19700101", StudyInstanceUID="1.9.1",
            SeriesInstanceUID="1.9.1.1", SOPInstanceUID="1.9.1.1.1",
        )
    )  # fmt: skip
    dcmtk.storescu(server.dicom_port, *files)
    dcmtk.storescu(server.dicom_port, other)
    client = server.client("clinic")
    until(lambda: len(client.get("/api/v1/studies")["items"]) == 2)


@pytest.mark.usefixtures("two_patients")
def test_two_patients_and_two_contents_are_compared_on_a_telephone(server, sign_in):
    for locale in LOCALES:
        page = sign_in("admin", locale=locale, **TELEPHONE)
        page.goto(f"{server.http}/patients")
        page.get_by_test_id("seek-patients").fill("欧阳")
        expect(page.get_by_test_id("found-person")).to_have_count(2)
        for found in page.get_by_test_id("found-person").all():
            found.click()
        page.get_by_test_id("compare").click()
        expect(page.get_by_test_id("merge-reason")).to_be_visible()
        fits(page, dialog(page))
        page.keyboard.press("Escape")
        expect(dialog(page)).to_have_count(0)
        page.get_by_test_id("split-studies").click()
        expect(page.get_by_test_id("split-study")).to_have_count(1)
        fits(page, dialog(page))
        page.goto(f"{server.http}/admin")
        expect(page.get_by_test_id("conflicts").locator("article")).to_have_count(1)
        fits(page, page.get_by_test_id("conflicts"))
        page.get_by_test_id("conflicts").locator("article button").click()
        fits(page, page.locator(".el-message-box"))


def test_two_readings_are_compared_on_a_telephone(server, sign_in, ct_small):
    add = (TELEMED, "user", "add", "second", "--data", server.data, "--institution", "青山县医院", "--role", "radiologist")
    subprocess.run(add, input=PASSWORD, text=True, check=True, capture_output=True)
    first, second = sign_in("radiologist"), sign_in("second")
    sent = dcmtk.storescu(server.dicom_port, ct_small)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr
    first.get_by_test_id("queue-item").click()
    first.get_by_test_id("claim").click()
    first.get_by_test_id("ask-second").click()
    first.locator(".el-message-box__btns .el-button--primary").click()
    expect(first.get_by_test_id("ask-second")).to_have_count(0)
    sign(first, "双肺未见异常。Lungs clear; no pneumothorax, no pleural effusion.")
    second.get_by_test_id("queue-item").click()
    second.get_by_test_id("claim").click()
    sign(second, "右肺上叶小结节，建议三个月后复查。Nodule of the right upper lobe, follow-up advised.")
    expect(second.get_by_test_id("compared-left")).to_be_visible()
    for locale in LOCALES:
        page = sign_in("second", locale=locale, **TELEPHONE)
        page.get_by_test_id("tab-mine").click()
        page.get_by_test_id("queue-item").click()
        expect(page.get_by_test_id("compared-left")).to_be_visible()
        fits(page, dialog(page))


def sign(reading: Page, impression: str) -> None:
    expect(reading.get_by_test_id("impression")).to_be_enabled()
    reading.get_by_test_id("findings").fill("胸部平扫。")
    reading.get_by_test_id("impression").fill(impression)
    reading.get_by_test_id("kind-diagnosis").click()
    reading.get_by_test_id("sign").click()
    reading.get_by_test_id("sign-password").fill(PASSWORD)
    reading.get_by_test_id("sign-confirm").click()


def test_the_clinics_search_box_shows_its_hint_whole(sign_in):
    for locale in LOCALES:
        page = sign_in("clinic", locale=locale)
        box = page.locator(".seek input")
        expect(box).to_be_visible()
        wanted, given = box.evaluate(HINT)
        assert wanted <= given, locale
