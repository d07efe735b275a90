"""Templates, macros and the versions of a draft over the API."""

from __future__ import annotations

from support.builders import a_study, a_task

API = "/api/v1"
WORDING = {
    "name": "膝关节",
    "findings": "{{侧:左|右}}膝未见骨折。",
    "impression": "未见骨折。",
    "modalities": ["DX"],
    "regions": ["limb"],
}


def test_a_template_is_kept_changed_removed_and_brought_back(site):
    reader, colleague = site.browser("radiologist"), site.browser("radiologist2")
    kept = reader.post(f"{API}/phrases", json={"kind": "template", "wording": WORDING, "shared": True})
    assert (kept.status, kept.json()["keeper"], kept.json()["version"]) == (201, "hospital", 1), kept.body
    path = f"{API}/phrases/{kept.json()['id']}"
    changed = {"wording": WORDING | {"impression": "未见明确骨折。"}, "version": 1}
    assert colleague.request("PUT", path, json=changed).json()["version"] == 2
    stale = reader.request("PUT", path, json=changed)
    assert (stale.status, stale.json()["code"]) == (409, "phrase-stale")
    versions = reader.get(f"{path}/versions").json()["items"]
    assert [(one["version"], one["wording"]["impression"]) for one in versions] == [(2, "未见明确骨折。"), (1, "未见骨折。")]
    assert reader.request("DELETE", path).status == 204
    restored = colleague.post(f"{path}/restore", json={"version": 1}).json()
    assert (restored["wording"]["impression"], restored["removed_at"]) == ("未见骨折。", None)
    assert kept.json()["id"] in {one["id"] for one in reader.get(f"{API}/phrases").json()["items"]}
    assert site.browser("clinic").get(f"{API}/phrases").status == 403


def test_built_in_phrases_come_in_the_language_that_is_asked_for(site):
    reader = site.browser("radiologist")
    named = {language: reader.get(f"{API}/phrases?language={language}").json()["items"][0] for language in ("zh", "en")}
    assert {language: one["wording"]["name"] for language, one in named.items()} == {
        "zh": "头颅 CT：未见异常",
        "en": "CT head: normal",
    }
    assert reader.get(f"{API}/phrases?language=fr").status == 422


def test_a_reader_is_offered_what_fits_their_task_and_a_stranger_nothing(site, database, chronicle):
    task_id = a_task(database, chronicle, site.people["clinic"], a_study(database, chronicle, site.clinic))
    offer = site.browser("radiologist").get(f"{API}/tasks/{task_id}/phrases").json()
    assert offer["fit"][0]["id"] == "ct-head-normal"
    assert {one["kind"] for one in offer["macros"]} == {"macro"}
    assert site.browser("cardiologist").get(f"{API}/tasks/{task_id}/phrases").status == 404


def test_versions_of_a_draft_are_listed_and_read(site, database, chronicle, clock):
    task_id = a_task(database, chronicle, site.people["clinic"], a_study(database, chronicle, site.clinic))
    reader, path = site.browser("radiologist"), f"{API}/tasks/{task_id}"
    reader.post(f"{path}/claim")
    for text in ("双肺", ""):
        reader.request("PUT", f"{path}/report", json={"findings": text})
        clock.pass_(seconds=2)
    versions = reader.get(f"{path}/report/versions").json()["items"]
    assert [(one["version"], one["characters"], one["author"]["name"]) for one in versions] == [(2, 0, "王敏"), (1, 2, "王敏")]
    assert reader.get(f"{path}/report/versions/1").json()["findings"] == "双肺"
    assert [reader.get(f"{path}/report/versions/{version}").status for version in ("9", "x")] == [404, 404]
    assert site.browser("clinic").get(f"{path}/report/versions").status == 403


def test_a_report_with_a_blank_left_is_refused_at_signing(site, database, chronicle):
    task_id = a_task(database, chronicle, site.people["clinic"], a_study(database, chronicle, site.clinic))
    reader, path = site.browser("radiologist"), f"{API}/tasks/{task_id}"
    reader.post(f"{path}/claim")
    draft = {"findings": "大小约 {{大小}} mm。", "impression": "结节。", "kind": "diagnosis"}
    assert reader.request("PUT", f"{path}/report", json=draft).status == 200
    refused = reader.post(f"{path}/report/sign", json={"password": "a long enough password"})
    assert (refused.status, refused.json()["code"]) == (422, "blank-left")
