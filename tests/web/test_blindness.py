"""Whoever must be blind to a report learns by no door who has read the study, nor what they wrote: reviewer, second reader."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from support.builders import a_task
from support.objects import an_image
from support.site import PASSWORD, Site

from consult.peer_review.actions import draw
from consult.peer_review.model import drawn, month_of
from consult.reports.tables import object_table
from consult.reports.views import of_record
from consult.reports.watch import Returning
from telemed.kernel.events import events_of
from web.api.operations import PREFIX
from web.api.table import OPERATIONS

AUTHOR = "王敏"
CALM = {"findings": "颅内未见出血", "impression": "未见异常", "kind": "diagnosis"}
BLEEDING = {"findings": "左侧基底节区高密度", "impression": "左侧基底节区脑出血", "kind": "diagnosis", "critical": True}
#: They name everybody of the hospital, whoever has read what.
OF_EVERYBODY = {"/people", "/schedule", "/schedule/gaps", "/session"}


@dataclass
class Doors:
    """Everything that can be fetched of one consultation."""

    site: Site
    task_id: str
    study: str
    report_id: str = ""
    objects: list[str] = field(default_factory=list)

    def __iter__(self):
        known = {"task_id": self.task_id, "study_instance_uid": self.study, "report_id": self.report_id, "version": "1"}
        queries = {"/tasks": "?status=completed,requested,accepted,in-progress", "/reports": f"?study_instance_uid={self.study}"}
        for operation in OPERATIONS:
            if operation.method == "GET" and operation.path not in OF_EVERYBODY:
                path = PREFIX + operation.path
                for name, value in known.items():
                    path = path.replace(f"{{{name}}}", value)
                yield path + queries.get(operation.path, "")
        of_study = f"/dicom-web/studies/{self.study}"
        yield from (f"{of_study}{rest}" for rest in ("/instances?includefield=all", "/series", "/metadata", "", "/rendered"))
        for path in self.objects:
            yield from (f"{of_study}/{path}{rest}" for rest in ("", "/metadata", "/rendered"))

    def telling(self, username, *words):
        """Return the doors behind which *username* finds any of *words*, or the author's name or id."""
        browser = self.site.browser(username)
        told = [one.encode() for one in (AUTHOR, self.site.people["radiologist"].practitioner_id, *words)]
        return {door for door in self if any(one in browser.get(door).body for one in told)}

    def news(self, username, until):
        """Return what the live socket tells *username* of the task from its beginning until the event *until*."""
        live, heard = self.site.browser(username).live(after=0), []
        while not heard or heard[-1]["type"] != until:
            heard.append(live.hear())
        live.close()
        return [one for one in heard if one["data"].get("task_id") == self.task_id]


@pytest.fixture
def doors(site):
    kept = site.archive.store(an_image(), institution=site.clinic, transfer_syntax_uid=None, source="CT1@127.0.0.1")
    study = kept.study_instance_uid
    return Doors(site, a_task(site.database, site.chronicle, site.people["clinic"], study), study)


def read(doors, username, text):
    """Sign *text*, having asked the clinic something before."""
    browser, path = doors.site.browser(username), f"/api/v1/tasks/{doors.task_id}"
    assert browser.post(f"{path}/claim").status == 200
    assert browser.post(f"{path}/ask", json={"question": "何时起病？"}).status == 200
    assert doors.site.browser("clinic").post(f"{path}/answer", json={"answer": "昨晚"}).status == 200
    assert browser.request("PUT", f"{path}/report", json=text).status == 200
    signed = browser.post(f"{path}/report/sign", json={"password": PASSWORD})
    assert signed.status == 200, signed.body
    doors.report_id = signed.json()["id"]


@pytest.fixture
def review(doors):
    """The address of an open review of the author's report, which has gone back as DICOM, too."""
    site = doors.site
    read(doors, "radiologist", CALM)
    returning = Returning(site.database, site.chronicle, site.archive)
    for event in site.chronicle.events.after(0, types=["ReportSigned"], limit=10):
        write = returning.prepare(event)
        with site.database.transaction() as db:
            write(db)
    (detail,) = [site.browser("radiologist").get(f"/api/v1/studies/{doors.study}").json()]
    with site.database.reading() as db:
        filed = {row.sop_instance_uid for row in db.execute(object_table.select())}
        month = month_of(of_record(db, doors.report_id).signed_at)
    doors.objects = [
        f"series/{series['series_instance_uid']}/instances/{one['sop_instance_uid']}"
        for series in detail["series"]
        for one in series["instances"]
        if one["sop_instance_uid"] in filed
    ]
    assert len(doors.objects) == 2
    seed = next(str(number) for number in range(10_000) if drawn(doors.report_id, month, seed=str(number), percent=10))
    sampling = {"specialty": "radiologist", "percent": 10, "seed": seed}
    assert site.browser("admin").request("PUT", "/api/v1/review-sampling", json=sampling).status == 200
    with site.database.transaction() as db:
        draw(db, site.chronicle, doors.report_id)
    (found,) = site.browser("radiologist2").get("/api/v1/reviews").json()["items"]
    return f"/api/v1/reviews/{found['id']}"


def test_no_door_names_the_author_to_the_reviewer_until_the_review_is_scored(doors, review):
    site, reviewer = doors.site, doors.site.browser("radiologist2")
    before = doors.telling("radiologist2")
    assert {f"/api/v1/tasks/{doors.task_id}", f"/api/v1/tasks/{doors.task_id}/questions"} < before
    assert {f"/api/v1/reports/{doors.report_id}", f"/dicom-web/studies/{doors.study}/{doors.objects[0]}/metadata"} < before
    documents = [f"/api/v1/reports/{doors.report_id}{rest}" for rest in (".pdf", "/print.pdf", "/slip.pdf")]
    documents += [f"/dicom-web/studies/{doors.study}/{path}" for path in doors.objects]
    assert {reviewer.get(door).status for door in documents} == {200}

    assert reviewer.post(f"{review}/claim").status == 200
    assert doors.telling("radiologist2") == set()
    assert {reviewer.get(door).status for door in documents} == {404}
    amendment = {**CALM, "reason": "x", "password": PASSWORD}
    assert reviewer.post(f"/api/v1/reports/{doors.report_id}/amend", json=amendment).status == 404
    shown = reviewer.get(f"/api/v1/tasks/{doors.task_id}").json()
    assert (shown["blind"], shown["owner"], shown["assigned"], shown["dispatch"]) == (True, None, None, [])
    asked = reviewer.get(f"/api/v1/tasks/{doors.task_id}/questions").json()
    assert [(one["question"], one["asked_by"], one["answer"]) for one in asked] == [("何时起病？", None, "昨晚")]
    seen = reviewer.get(f"/api/v1/studies/{doors.study}").json()
    assert (len(seen["series"]), seen["report"]) == (1, None)
    # The others go on as they did.
    assert site.browser("clinic").get(f"/api/v1/reports/{doors.report_id}").json()["signed_by"]["name"] == AUTHOR
    assert f"/api/v1/tasks/{doors.task_id}" in doors.telling("radiologist")

    scored = reviewer.post(f"{review}/score", json={"score": "1"})
    assert scored.status == 200, scored.body
    assert doors.telling("radiologist2") == before
    assert {reviewer.get(door).status for door in documents} == {200}


def test_a_review_that_is_given_back_leaves_nobody_blind(doors, review):
    reviewer = doors.site.browser("radiologist2")
    for _ in range(2):
        assert reviewer.post(f"{review}/claim").status == 200
        assert reviewer.get(f"/api/v1/reports/{doors.report_id}").status == 404
        assert reviewer.post(f"{review}/release").status == 200
        assert reviewer.get(f"/api/v1/reports/{doors.report_id}").status == 200


def test_the_live_socket_names_no_author_while_the_report_is_reviewed(doors, review):
    site = doors.site
    author = site.people["radiologist"].practitioner_id
    assert author in str(doors.news("radiologist2", "ReportFiled"))
    assert site.browser("radiologist2").post(f"{review}/claim").status == 200
    heard = doors.news("radiologist2", "ReportFiled")
    assert [one["type"] for one in heard if one["type"] in {"TaskClaimed", "ReportSigned"}] == ["TaskClaimed", "ReportSigned"]
    assert author not in str(heard)
    assert AUTHOR not in str(heard)

    live = site.browser("radiologist2").live()
    live.hear_until("Connected")
    amendment = {**CALM, "impression": "未见明显异常", "reason": "措辞", "password": PASSWORD}
    assert site.browser("radiologist").post(f"/api/v1/reports/{doors.report_id}/amend", json=amendment).status == 200
    assert author not in str(live.hear_until("ReportAmended"))
    live.close()


def test_no_door_tells_the_second_reader_of_the_first_until_their_own_is_signed(doors):
    site, second = doors.site, doors.site.browser("radiologist2")
    assert site.browser("clinic").post(f"/api/v1/tasks/{doors.task_id}/second-reading").status == 200
    live = second.live()
    live.hear_until("Connected")
    read(doors, "radiologist", BLEEDING)
    words = (BLEEDING["findings"], BLEEDING["impression"], '"preliminary"')
    assert doors.telling("radiologist2", *words) == set()
    assert second.post(f"/api/v1/tasks/{doors.task_id}/claim").status == 200
    assert doors.telling("radiologist2", *words) == set()
    author = site.people["radiologist"].practitioner_id
    refused = second.post(f"/api/v1/tasks/{doors.task_id}/handover", json={"to": author})
    assert (refused.status, refused.json().get("code")) == (403, "reader-unfit"), refused.body
    told = live.hear_until("ReadingSigned")["data"]
    assert not [word for word in (author, AUTHOR, *words) if word in str(told)]
    live.close()
    heard = str(doors.news("radiologist2", "TaskPassedOn"))
    assert not [word for word in (author, AUTHOR, *words) if word in heard]
    with site.database.reading() as db:  # which the log keeps
        assert author in str([event.data for event in events_of(db, doors.task_id)])

    assert second.request("PUT", f"/api/v1/tasks/{doors.task_id}/report", json=CALM).status == 200
    assert second.post(f"/api/v1/tasks/{doors.task_id}/report/sign", json={"password": PASSWORD}).status == 200
    assert f"/api/v1/tasks/{doors.task_id}/readings" in doors.telling("radiologist2", *words)
