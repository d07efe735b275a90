"""The rota and the register over HTTP: who may do what, and what a browser is given."""

from __future__ import annotations

from datetime import timedelta

import pytest

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def a_duty(site, person, **terms):
    now = site.chronicle.clock.now()
    span = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=8)).isoformat()}
    who = {"practitioner_id": site.people[person].practitioner_id, "specialty": "radiologist", "kind": "duty"}
    return who | span | terms


def test_a_coordinator_plans_and_two_specialists_swap(site):
    coordinator, one, two = (site.browser(name) for name in ("coordinator", "radiologist", "radiologist2"))
    duty = coordinator.post("/api/v1/schedule/duties", json=a_duty(site, "radiologist")).json()
    hours = {"institution": site.hospital, "specialty": "radiologist", "days": "1111111", "from_hour": 0, "until_hour": 24}
    assert coordinator.request("PUT", "/api/v1/schedule/hours", json=hours).status == 204
    taker = site.people["radiologist2"].practitioner_id
    change = one.post("/api/v1/schedule/changes", json={"duty_id": duty["id"], "taker_id": taker, "reason": "进修"}).json()
    week = two.get("/api/v1/schedule?since=2026-03-02").json()
    assert ([each["id"] for each in week["changes"]], week["may_edit"]) == ([change["id"]], False)
    assert week["uncovered"][0]["span"] == {"since": "2026-03-01T16:00:00Z", "until": "2026-03-02T02:00:00Z"}
    assert two.post(f"/api/v1/schedule/changes/{change['id']}/agree").json()["status"] == "agreed"
    assert two.get("/api/v1/schedule?since=2026-03-02").json()["duties"][0]["practitioner_id"] == taker
    assert coordinator.request("DELETE", f"/api/v1/schedule/duties/{duty['id']}").status == 204
    assert two.get("/api/v1/schedule?since=2026-03-02").json()["duties"] == []


def test_a_hospital_that_is_none_promises_no_hours(site):
    hours = {"institution": "none", "specialty": "radiologist", "days": "1111111", "from_hour": 0, "until_hour": 24}
    assert site.browser("admin").request("PUT", "/api/v1/schedule/hours", json=hours).status == 404


def test_the_ends_of_the_calendar_are_no_days_to_ask_about(site):
    for day in ("0001-01-01", "9999-12-31"):
        assert site.browser("admin").get(f"/api/v1/schedule?since={day}").status == 422
        assert site.browser("regulator").get(f"/api/v1/figures/turnaround?to={day}").status == 422


def test_a_rota_is_read_by_its_hospital_and_kept_by_its_coordinator(site):
    assert site.browser("clinic").get("/api/v1/schedule?since=2026-03-02").status == 403
    assert site.browser("radiologist").post("/api/v1/schedule/duties", json=a_duty(site, "radiologist")).status == 403
    assert site.browser("coordinator").get(f"/api/v1/schedule?since=2026-03-02&institution={site.clinic}").status == 403
    assert site.browser("admin").get(f"/api/v1/schedule?since=2026-03-02&institution={site.clinic}").status == 200


def test_the_administrator_keeps_the_register_and_qualifications(site):
    admin, coordinator = site.browser("admin"), site.browser("coordinator")
    (held,) = admin.get("/api/v1/agreements").json()["items"]
    given = {
        "institution": site.clinic,
        "performer": site.hospital,
        "valid_from": "2026-01-01",
        "liability": "受邀方负责",
        "price": "80",
    }
    assert coordinator.post("/api/v1/agreements", json=given).status == 403
    register = admin.post("/api/v1/agreements", json=given).json()["items"]
    assert (register[1]["liability"], register[1]["services"]) == ("受邀方负责", [])
    assert admin.post(f"/api/v1/agreements/{held['id']}/end", json={"on": "2026-03-01"}).status == 204
    assert coordinator.get("/api/v1/agreements").json()["items"][0]["valid_until"] == "2026-03-01"
    person = site.people["radiologist"].practitioner_id
    seen = {"registration": "1104", "practising_since": "2015-07-01", "expertise": ["chest"], "in_training": False}
    assert admin.request("PUT", f"/api/v1/people/{person}/qualification", json=seen).status == 204
    people = coordinator.get("/api/v1/people").json()["items"]
    assert next(one for one in people if one["id"] == person)["qualification"] == seen
