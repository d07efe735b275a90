"""Region reading over HTTP: whose door opens, and that a signature asks for the password again."""

from __future__ import annotations

from support.builders import a_task
from support.site import PASSWORD

from consult.queue.escalation import TASKS
from consult.queue.watch import QueueWatch
from consult.sections.actions import SECTIONS

SIGNATURE = {"password": PASSWORD}
REGIONS = {"regions": ["chest", "head"]}


def test_two_read_two_regions_and_one_signs_the_report(site):
    task_id = a_task(site.database, site.chronicle, site.people["clinic"])
    path = f"/api/v1/tasks/{task_id}"
    lead, other = site.browser("radiologist"), site.browser("radiologist2")
    assert lead.post(f"{path}/claim").status == 200
    answer = lead.post(f"{path}/sections", json=REGIONS)
    assert answer.status == 201, answer.body
    head, chest = answer.json()["items"]
    assert (head["region"], head["name"]["zh"], head["status"]) == ("head", "头部", "open")
    assert [one["region"] for one in other.get("/api/v1/sections").json()["items"]] == ["head", "chest"]

    for browser, section in ((lead, head), (other, chest)):
        door = f"/api/v1/sections/{section['id']}"
        assert browser.post(f"{door}/claim").status == 200
        text = {"findings": f"{section['region']}所见", "impression": f"{section['region']}意见", "version": 0}
        assert browser.request("PUT", door, json=text).status == 200
        assert browser.request("PUT", door, json=text).status == 409
        assert browser.post(f"{door}/sign", json={"password": "not it"}).status in {401, 403}
        unsigned = lead.post(f"{path}/report/sign", json=SIGNATURE)
        assert (unsigned.status, unsigned.json()["code"]) == (409, "sections-open")
        assert browser.post(f"{door}/sign", json=SIGNATURE).json()["status"] == "signed"
    draft = lead.get(f"{path}/report").json()
    assert draft["impression"].split("\n")[1::3] == ["head意见", "chest意见"]
    text = {key: draft[key] for key in ("findings", "impression", "critical")} | {"kind": "diagnosis"}
    assert lead.request("PUT", f"{path}/report", json=text).status == 200
    report = lead.post(f"{path}/report/sign", json=SIGNATURE).json()
    assert [(one["region"], one["by"]["name"]) for one in report["readings"]] == [("head", "王敏"), ("chest", "陈晨")]


def test_sections_are_closed_to_other_hospitals_the_clinic_and_other_specialties(site):
    task_id = a_task(site.database, site.chronicle, site.people["clinic"])
    path = f"/api/v1/tasks/{task_id}/sections"
    lead = site.browser("radiologist")
    lead.post(f"/api/v1/tasks/{task_id}/claim")
    head, _ = lead.post(path, json=REGIONS).json()["items"]
    door = f"/api/v1/sections/{head['id']}"
    for name, status in (("stranger", 403), ("clinic", 403), ("coordinator", 403), ("cardiologist", 404)):
        browser = site.browser(name)
        assert browser.post(path, json=REGIONS).status == status, name
        for verb, body in (("claim", None), ("release", None), ("sign", SIGNATURE), ("take-over", {"reason": "换班"})):
            assert browser.post(f"{door}/{verb}", json=body).status == status, (name, verb)
        assert browser.request("PUT", door, json={"version": 0}).status == status, name
        assert browser.request("DELETE", path).status == status, name
    assert site.browser("stranger").get(path).status == 404
    assert site.browser("clinic").get(path).json()["items"] == []
    assert site.browser("cardiologist").get("/api/v1/sections").json()["items"] == []
    assert site.browser("radiologist2").post(f"{door}/take-over", json={"reason": "换班"}).status == 403
    assert site.browser("radiologist2").request("DELETE", path).status == 403
    assert lead.request("DELETE", path).status == 204
    assert lead.get(path).json()["items"] == []


def test_the_heartbeat_of_the_reading_room_keeps_regions_too(site):
    task_id = a_task(site.database, site.chronicle, site.people["clinic"])
    lead, other = site.browser("radiologist"), site.browser("radiologist2")
    lead.post(f"/api/v1/tasks/{task_id}/claim")
    head, chest = lead.post(f"/api/v1/tasks/{task_id}/sections", json=REGIONS).json()["items"]
    assert other.post(f"/api/v1/sections/{head['id']}/claim").status == 200
    assert lead.post(f"/api/v1/sections/{chest['id']}/claim").status == 200
    watch = QueueWatch(site.database, site.chronicle, leased=(TASKS, SECTIONS))
    for _ in range(2):
        site.chronicle.clock.pass_(seconds=60)
        assert lead.post("/api/v1/tasks/renew").json() == [task_id]
        watch.look()
    shown = lead.get(f"/api/v1/tasks/{task_id}/sections").json()["items"]
    assert [(one["region"], one["status"]) for one in shown] == [("head", "open"), ("chest", "claimed")]
