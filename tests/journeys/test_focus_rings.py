"""Whoever comes by keyboard sees where they are: every control that Tab reaches wears a ring, in light rooms and dark ones."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from support import dcmtk

#: WCAG 2.2, 2.4.13: of a pixel with the ring to the same one without it; and so much of each side wears it.
CONTRAST, MOST_OF_A_SIDE = 3, 0.7
#: Pixels before and behind an edge among which the ring runs, and those of a side that round corners may take.
BEFORE, BEHIND, CORNERS = 4, 4, 6
MOST_STOPS = 250

#: The focused element, and every box that may wear its ring: a radio button is invisible, its sibling is what people see.
FOCUSED = """() => {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  focused.scrollIntoView({ block: "nearest", inline: "nearest" });
  const boxes = [focused, focused.nextElementSibling, focused.firstElementChild, focused.closest(
    ".el-input__wrapper, .el-select__wrapper, .el-checkbox__input, .el-radio__input"), focused.closest("label")];
  const seen = (box) => box.width > 3 && box.height > 3;
  const places = boxes.filter((box) => box).map((box) => box.getBoundingClientRect()).filter(seen);
  const visited = (window.__visited ??= new WeakSet());
  const again = visited.has(focused);
  visited.add(focused);
  const name = focused.dataset.testid ?? focused.getAttribute("aria-label") ?? focused.textContent.trim().slice(0, 20);
  const kind = [focused.tagName, focused.type, focused.className, focused.closest("[class*=el-]")?.className].join(" ");
  return { again, kind, name, places: places.map((box) => [box.left, box.top, box.right, box.bottom]) };
}"""
STILL = "* { caret-color: transparent !important; transition: none !important; animation: none !important; scroll-margin: 12px }"

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Stop:
    """Something that Tab has come to, and how much of the least covered side of it wears a ring that can be seen."""

    kind: str
    name: str
    covered: float


def stops(page: Page, root: str = "body") -> Iterator[Stop]:
    """Tab through *page* once, beginning where it is, and yield every stop below *root* of a kind that was not met twice yet."""
    page.add_style_tag(content=STILL)
    met: dict[str, int] = {}
    outside = 0
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found is None:  # the browser's own controls; once round at the second time
            outside += 1
            if outside > 1:
                return
            continue
        if found["again"]:
            return
        if not found["places"] or not page.evaluate("root => document.activeElement.closest(root) !== null", root):
            continue
        met[found["kind"]] = met.get(found["kind"], 0) + 1
        if met[found["kind"]] <= 2:
            yield Stop(found["kind"], found["name"], ring(page, [tuple(box) for box in found["places"]]))


def ring(page: Page, boxes: list[Box]) -> float:
    """Return how much of the least covered side of one of *boxes* changes visibly when the focus leaves, as a share."""
    size = page.viewport_size
    left, top = (max(0, int(min(box[side] for box in boxes)) - 8) for side in (0, 1))
    right = min(size["width"], int(max(box[2] for box in boxes)) + 8)
    bottom = min(size["height"], int(max(box[3] for box in boxes)) + 8)
    if right - left < 2 or bottom - top < 2:
        return 0
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    with_it = luminance(page.screenshot(clip=clip))
    page.evaluate("() => { window.__left = document.activeElement; document.activeElement.blur(); }")
    without = luminance(page.screenshot(clip=clip))
    page.evaluate("() => window.__left.focus({ preventScroll: true })")
    seen = (np.maximum(with_it, without) + 0.05) / (np.minimum(with_it, without) + 0.05) >= CONTRAST
    return max(around(seen, (box[0] - left, box[1] - top, box[2] - left, box[3] - top)) for box in boxes)


def luminance(png: bytes) -> NDArray[np.float64]:
    """Return the relative luminance of each pixel, as WCAG defines it."""
    light = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) / 255
    linear = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def around(seen: NDArray[np.bool_], box: Box) -> float:
    """Return which share of the least covered side of *box* has a pixel of *seen* near it."""
    left, top, right, bottom = (round(edge) for edge in box)
    across, down = slice(max(0, left), max(0, right)), slice(max(0, top), max(0, bottom))
    sides = [
        *(seen[max(0, y - BEFORE) : max(0, y + BEHIND), across].any(axis=0) for y in (top, bottom)),
        *(seen[down, max(0, x - BEFORE) : max(0, x + BEHIND)].any(axis=1) for x in (left, right)),
    ]
    return min(min(1.0, (int(side.sum()) + CORNERS) / side.size) if side.size else 0.0 for side in sides)


def bare(found: Iterator[Stop]) -> list[Stop]:
    """Return the stops without a ring; there is at least one stop."""
    listed = list(found)
    assert listed
    return [stop for stop in listed if stop.covered < MOST_OF_A_SIDE]


@pytest.fixture
def image(server, ct_small) -> None:
    sent = dcmtk.storescu(server.dicom_port, ct_small)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr


@pytest.fixture
def tracing(server, ecg) -> None:
    sent = dcmtk.storescu(server.dicom_port, ecg)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1, sent.stderr


def opened(page: Page) -> None:
    """Open the first task of the queue and claim it."""
    page.get_by_test_id("queue-item").first.click()
    page.get_by_test_id("claim").click()
    expect(page.get_by_test_id("findings")).to_be_visible()


@pytest.mark.usefixtures("image")
def test_every_control_of_the_rooms_wears_a_ring(server, sign_in):
    for username, rooms in {
        "clinic": ("/clinic", "/rounds"),
        "radiologist": ("/reading", "/rounds", "/schedule"),
        "admin": ("/admin", "/patients", "/figures"),
    }.items():
        page = sign_in(username)
        for room in rooms:
            page.goto(server.http + room)
            expect(page.locator("main, .page, section").first).to_be_visible()
            assert bare(stops(page)) == [], room


@pytest.mark.usefixtures("image")
def test_every_control_of_an_image_that_is_read_wears_a_ring(sign_in):
    page = sign_in("radiologist")
    opened(page)
    expect(page.get_by_test_id("viewer-series")).to_be_visible()
    found = list(stops(page))
    assert any(stop.kind.startswith("DIV  viewer") for stop in found)
    assert bare(iter(found)) == []


@pytest.mark.usefixtures("tracing")
def test_every_control_of_an_ecg_that_is_read_wears_a_ring(sign_in):
    page = sign_in("cardiologist")
    opened(page)
    expect(page.get_by_test_id("ecg-canvas")).to_be_visible()
    expect(page.get_by_test_id("insert-measurements")).to_be_visible()
    found = list(stops(page))
    assert any(stop.kind.startswith("DIV  ecg") for stop in found)
    assert bare(iter(found)) == []


def test_every_control_of_a_dialog_wears_a_ring(sign_in):
    page = sign_in("clinic")
    page.get_by_test_id("early-request").click()
    assert bare(stops(page, ".el-dialog")) == []


def test_the_calendars_day_and_year_wear_a_ring(sign_in):
    page = sign_in("admin")
    page.get_by_placeholder("生效日").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".el-date-table td:focus")).to_have_count(1)
    page.add_style_tag(content=STILL)
    assert ring(page, [edges(page.locator(".el-date-table td:focus .el-date-table-cell__text"))]) > 0.3  # of a circle's box
    year = page.locator(".el-date-picker__header-label").locator("visible=true").first
    year.focus()
    assert ring(page, [edges(year)]) >= MOST_OF_A_SIDE


def edges(what: Locator) -> Box:
    """Return where *what* is on the screen."""
    box = what.bounding_box()
    return (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])


@pytest.mark.usefixtures("image")
def test_a_mouse_that_comes_over_the_viewer_draws_no_ring(sign_in):
    page = sign_in("radiologist")
    page.get_by_test_id("queue-item").first.click()
    expect(page.get_by_test_id("viewer-series")).to_be_visible()
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("Shift")  # the keyboard was used last
    page.mouse.move(5, 5)
    page.get_by_test_id("viewer-canvas").first.hover()
    expect(page.locator(".viewer:focus")).to_have_count(1)
    expect(page.locator(".viewer:focus-visible")).to_have_count(0)
