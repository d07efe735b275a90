"""Peer review over HTTP: its reviewer is not told the author, the clinic nothing, and the figures have it."""

from __future__ import annotations

import csv
import io

import pytest
from support.builders import a_task
from support.site import PASSWORD

from consult.peer_review.actions import draw
from consult.peer_review.model import drawn, month_of
from consult.reports.views import of_record

CALM = {"findings": "颅内未见出血", "impression": "未见异常", "kind": "diagnosis"}


@pytest.fixture
def review(site):
    """A report by 王敏 that was drawn, as her colleague 陈晨 is shown it; the seed is one under which it is drawn."""
    task_id = a_task(site.database, site.chronicle, site.people["clinic"])
    author = site.browser("radiologist")
    path = f"/api/v1/tasks/{task_id}"
    author.post(f"{path}/claim")
    author.request("PUT", f"{path}/report", json=CALM)
    report_id = author.post(f"{path}/report/sign", json={"password": PASSWORD}).json()["id"]
    with site.database.reading() as db:
        month = month_of(of_record(db, report_id).signed_at)
    seed = next(str(number) for number in range(10_000) if drawn(report_id, month, seed=str(number), percent=10))
    sampling = {"specialty": "radiologist", "percent": 10, "seed": seed}
    assert sampling in site.browser("admin").request("PUT", "/api/v1/review-sampling", json=sampling).json()["items"]
    with site.database.transaction() as db:
        draw(db, site.chronicle, report_id)
    (found,) = site.browser("radiologist2").get("/api/v1/reviews").json()["items"]
    return found


def test_a_review_is_scored_blind_and_a_miss_taken_to_the_author(site, review):
    reviewer, author = site.browser("radiologist2"), site.browser("radiologist")
    assert "王敏" not in str(review)
    path = f"/api/v1/reviews/{review['id']}"
    assert author.post(f"{path}/claim").status == 404
    assert site.browser("clinic").get("/api/v1/reviews").status == 403
    assert reviewer.post(f"{path}/claim").json()["status"] == "claimed"
    assert reviewer.post(f"{path}/score", json={"score": "4"}).status == 422
    scored = reviewer.post(f"{path}/score", json={"score": "3b", "comment": "漏诊出血", "raised": True})
    assert scored.json()["status"] == "raised"
    (asked,) = author.get("/api/v1/reviews").json()["items"]
    assert (asked["comment"], asked["reviewer"]) == ("漏诊出血", None)
    assert author.post(f"{path}/uphold", json={"reason": "钙化"}).json()["status"] == "upheld"

    regulator = site.browser("regulator")
    (line,) = regulator.get("/api/v1/figures/discordance?by=reader").json()["items"]
    assert (line["name"], line["scores"]["3b"], line["share_significant"]) == ("王敏", 1, 1.0)
    (place,) = regulator.get("/api/v1/figures/quality").json()["items"]
    assert (place["name"], place["reports"], place["significant"]) == ("莲花乡卫生院", 1, 1)
    lines = regulator.get("/api/v1/figures/discordance.csv").body.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(lines))
    assert (row["way"], row["score"]) == ("peer", "3b")
    devices = regulator.get("/api/v1/figures/quality.csv?by=device").body.decode("utf-8-sig")
    assert [one["name"] for one in csv.DictReader(io.StringIO(devices))] == ["莲花乡卫生院 · TEST"]
    assert site.browser("radiologist").get("/api/v1/figures/discordance").status == 403


def test_the_share_of_reports_has_its_bounds(site):
    admin = site.browser("admin")
    assert admin.request("PUT", "/api/v1/review-sampling", json={"specialty": "radiologist", "percent": 50}).status == 422
    shown = admin.get("/api/v1/review-sampling").json()["items"]
    assert [(one["specialty"], one["percent"]) for one in shown] == [("cardiologist", 5), ("radiologist", 5)]
    assert site.browser("radiologist").request("PUT", "/api/v1/review-sampling", json={"specialty": "radiologist"}).status == 403
