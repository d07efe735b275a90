"""Double reading over HTTP: the second reader is told nothing by any door before their own is signed."""

from __future__ import annotations

from support.builders import a_task
from support.site import PASSWORD

CALM = {"findings": "颅内未见出血", "impression": "未见异常", "kind": "diagnosis"}
BLEEDING = {"findings": "左侧基底节区高密度", "impression": "左侧基底节区脑出血", "kind": "diagnosis", "critical": True}
SIGNATURE = {"password": PASSWORD}


def read(browser, task_id, text):
    path = f"/api/v1/tasks/{task_id}"
    assert browser.post(f"{path}/claim").status == 200
    assert browser.request("PUT", f"{path}/report", json=text).status == 200
    answer = browser.post(f"{path}/report/sign", json=SIGNATURE)
    assert answer.status == 200, answer.body
    return answer.json()


def test_two_blind_readings_are_compared_and_the_clinic_has_one_report(site):
    task_id = a_task(site.database, site.chronicle, site.people["clinic"])
    path = f"/api/v1/tasks/{task_id}"
    first, second, clinic = (site.browser(name) for name in ("radiologist", "radiologist2", "clinic"))
    assert clinic.post(f"{path}/second-reading").json()["stage"] == "first"
    told = read(first, task_id, BLEEDING)
    assert told["status"] == "preliminary"
    study = told["study_instance_uid"]
    (seen,) = clinic.get(f"/api/v1/reports?study_instance_uid={study}").json()["items"]
    assert (seen["id"], seen["status"]) == (told["id"], "preliminary")

    assert second.post(f"{path}/claim").json()["stage"] == "second"
    for door in (
        path,
        f"{path}/report",
        f"{path}/readings",
        f"{path}/report/remarks",
        f"/api/v1/reports?study_instance_uid={study}",
    ):
        assert BLEEDING["impression"] not in second.get(door).body.decode(), door
    for door in ("", ".pdf", "/slip.pdf"):
        assert second.get(f"/api/v1/reports/{told['id']}{door}").status == 404
    read(second, task_id, CALM)
    assert [one["impression"] for one in second.get(f"{path}/readings").json()["items"]] == [
        BLEEDING["impression"],
        CALM["impression"],
    ]
    wrong = second.post(f"{path}/comparison", json={"score": "1", "password": "not it"})
    assert wrong.status in {401, 403}, wrong.body
    done = second.post(f"{path}/comparison", json={"score": "2a", "comment": "钙化", **SIGNATURE})
    assert done.status == 200, done.body
    final = done.json()["report"]
    assert (final["status"], final["version"], final["amends"], final["impression"]) == (
        "final",
        2,
        told["id"],
        "左侧基底节区脑出血",
    )
    assert [one["by"]["name"] for one in final["readings"]] == ["王敏", "陈晨"]
    assert clinic.get(f"/api/v1/reports/{final['id']}").json()["critical"]
    assert clinic.get(f"{path}/readings").json()["items"] == []


def test_the_administrator_rules_which_tasks_are_read_twice(site):
    admin = site.browser("admin")
    rule = admin.post("/api/v1/reading-rules", json={"lane": "imaging"})
    assert rule.status == 201
    assert admin.get("/api/v1/reading-rules").json()["items"] == [rule.json()]
    assert site.browser("radiologist").post("/api/v1/reading-rules", json={}).status == 403
    task_id = a_task(site.database, site.chronicle, site.people["clinic"])
    assert read(site.browser("radiologist"), task_id, CALM)["status"] == "preliminary"
    assert admin.request("DELETE", f"/api/v1/reading-rules/{rule.json()['id']}").status == 204
    assert admin.get("/api/v1/reading-rules").json()["items"] == []
