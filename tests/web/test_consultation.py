"""A consultation over the API alone, from the request to the receipt, on both databases."""

from __future__ import annotations

import csv
import io
from datetime import datetime

from sqlalchemy import select
from support.builders import a_study, a_task, found_by_name
from support.site import PASSWORD

from telemed.kernel.audit import audit_table

API = "/api/v1"
DRAFT = {"findings": "双肺纹理清晰。", "impression": "未见明显异常。", "kind": "diagnosis"}
CONSENT = {"kind": "written", "note": "page 1"}


def test_from_the_request_to_the_receipt(site, database, chronicle, clock):
    uid = a_study(database, chronicle, site.clinic)
    clinic, reader, colleague = (site.browser(name) for name in ("clinic", "radiologist", "radiologist2"))
    live = clinic.live()
    live.hear_until("Connected")

    wanted = {"study_instance_uid": uid, "kind": "diagnosis", "priority": "urgent", "reason": "咳嗽", "consent": CONSENT}
    placed = clinic.post(f"{API}/requests", json=wanted)
    assert placed.status == 201, placed.body
    task = placed.json()
    assert (task["status"], task["priority"], task["patient"]["name"]) == ("requested", "urgent", "王小东")
    path = f"{API}/tasks/{task['id']}"

    queue = reader.get(f"{API}/tasks?status=requested").json()
    assert [item["id"] for item in queue["items"]] == [task["id"]]
    assert reader.post(f"{path}/claim").json()["owner"]["name"] == "王敏"
    taken = colleague.post(f"{path}/claim")
    assert (taken.status, "王敏" in taken.json()["detail"]) == (409, True)

    assert reader.get(f"{path}/report").headers["ETag"] == '"0"'
    saved = reader.request("PUT", f"{path}/report", json=DRAFT, headers={"If-Match": '"0"'})
    assert (saved.json()["version"], saved.headers["ETag"]) == (1, '"1"')
    stale = reader.request("PUT", f"{path}/report", json=DRAFT, headers={"If-Match": '"0"'})
    assert (stale.status, stale.json()["code"]) == (409, "draft-stale")
    assert clinic.get(f"{path}/report").status == 404

    clock.pass_(minutes=8)
    forged = reader.post(f"{path}/report/sign", json={"password": "a wrong password"})
    assert (forged.status, forged.json()["code"]) == (403, "password")
    signed = reader.post(f"{path}/report/sign", json={"password": PASSWORD})
    assert signed.status == 200, signed.body
    report = signed.json()
    assert (report["status"], report["impression"], report["signed_by"]["name"]) == ("final", DRAFT["impression"], "王敏")
    assert reader.request("PUT", f"{path}/report", json=DRAFT).status == 409

    news = live.hear_until("ReportSigned")
    assert news["data"]["report_id"] == report["id"]
    clock.pass_(seconds=5)
    live.say(shown=report["id"])
    live.hear_until("ReportDelivered")
    clock.pass_(minutes=1)
    receipt = clinic.post(f"{API}/reports/{report['id']}/receipt")
    assert receipt.json()["read_by"]["name"] == "赵兰"

    document = clinic.get(f"{API}/reports/{report['id']}.pdf")
    assert (document.headers["Content-Type"], document.body[:5]) == ("application/pdf", b"%PDF-")
    assert document.headers["Content-Disposition"].startswith("inline")
    slip = clinic.get(f"{API}/reports/{report['id']}/slip.pdf")
    assert (slip.headers["Content-Type"], slip.body[:5]) == ("application/pdf", b"%PDF-")
    printed = clinic.get(f"{API}/reports/{report['id']}/print.pdf")
    assert printed.body == document.body
    assert "frame-ancestors 'self'" in printed.headers["Content-Security-Policy"]

    ledger = clinic.get(f"{path}/turnaround").json()
    stamps = [ledger[f"T{number}"] for number in (0, 1, 3, 4, 5, 6)]
    assert stamps == sorted(stamps)
    assert ledger["elapsed_s"] == 8 * 60 + 5

    listed = clinic.get(f"{API}/studies").json()["items"][0]
    assert (listed["task"]["status"], listed["report"]["id"]) == ("completed", report["id"])
    assert [item["id"] for item in clinic.get(f"{API}/reports?study_instance_uid={uid}").json()["items"]] == [report["id"]]
    figures = site.browser("regulator").get(f"{API}/figures/turnaround?from=2026-03-01&to=2026-03-03").json()
    assert (figures["count"], figures["delivered"], figures["share_within_target"]) == (1, 1, 1.0)
    scores = site.browser("regulator").get(f"{API}/figures/scores?from=2026-03-01&to=2026-03-03&by=reader").json()["items"]
    assert [(score["name"], score["turnaround"]["delivered"]) for score in scores] == [(site.people["radiologist"].name, 1)]
    table = site.browser("regulator").get(f"{API}/figures/consultations.csv?from=2026-03-01&to=2026-03-03")
    [line] = csv.DictReader(io.StringIO(table.body.decode("utf-8-sig")))
    moments = [datetime.fromisoformat(line[point]) == datetime.fromisoformat(ledger[point]) for point in ("T0", "T5")]
    assert (line["lane"], moments) == ("imaging", [True, True])

    amendment = {**DRAFT, "impression": "右肺小结节。", "reason": "复核", "password": PASSWORD}
    amended = reader.post(f"{API}/reports/{report['id']}/amend", json=amendment)
    assert (amended.status, amended.json()["amends"], amended.json()["version"]) == (200, report["id"], 2)
    assert clinic.get(f"{API}/reports/{report['id']}.pdf").body == document.body, "what was signed stays"
    superseded = clinic.get(f"{API}/reports/{report['id']}/print.pdf")
    assert superseded.headers["Content-Disposition"].endswith('-superseded.pdf"')
    assert (superseded.body[:5], superseded.body == document.body) == (b"%PDF-", False)
    assert clinic.get(f"{API}/reports/{report['id']}").json()["impression"] == DRAFT["impression"]


def test_a_signed_report_is_corrected_added_to_and_cancelled(site, database, chronicle, clock):
    uid = a_study(database, chronicle, site.clinic)
    task_id = a_task(database, chronicle, site.people["clinic"], uid)
    clinic, reader = site.browser("clinic"), site.browser("radiologist")
    live = clinic.live()
    live.hear_until("Connected")
    reader.post(f"{API}/tasks/{task_id}/claim")
    reader.request("PUT", f"{API}/tasks/{task_id}/report", json=DRAFT)
    first = reader.post(f"{API}/tasks/{task_id}/report/sign", json={"password": PASSWORD}).json()

    def change(report, verb, **given):
        clock.pass_(minutes=1)
        return reader.post(f"{API}/reports/{report['id']}/{verb}", json={"password": PASSWORD, **given})

    for verb, given in (("append", {"text": "另见骨折。"}), ("cancel", {"cause": "wrong-patient"})):
        forged = change(first, verb, **{**given, "password": "a wrong password"})
        assert (forged.status, forged.json()["code"]) == (403, "password")
        assert clinic.post(f"{API}/reports/{first['id']}/{verb}", json={"password": PASSWORD, **given}).status == 403

    corrected = change(first, "amend", **DRAFT, status="corrected", reason="左右写反").json()
    assert (corrected["status"], corrected["amends"]) == ("corrected", first["id"])
    live.hear_until("ReportCorrected")
    lacking = change(corrected, "append", text=" ")
    assert (lacking.status, lacking.json()["code"]) == (422, "addendum-missing")
    appended = change(corrected, "append", text="另见骨折。", critical=True).json()
    assert (appended["status"], appended["critical"], appended["findings"]) == ("appended", True, DRAFT["findings"])
    assert [one["text"] for one in appended["addenda"]] == ["另见骨折。"]
    live.hear_until("ReportAppended")
    assert clinic.get(f"{API}/reports/{appended['id']}.pdf").status == 409, "withheld until it is read back"

    assert change(appended, "cancel", cause="because").status == 422
    wordless = change(appended, "cancel", cause="other")
    assert (wordless.status, wordless.json()["code"]) == (422, "reason-missing")
    assert change(first, "cancel", cause="wrong-study").json()["code"] == "report-superseded"
    cancelled = change(appended, "cancel", cause="wrong-study").json()
    assert (cancelled["status"], cancelled["version"], cancelled["cause"]) == ("cancelled", 4, "wrong-study")
    live.hear_until("ReportCancelled")
    assert clinic.get(f"{API}/reports/{cancelled['id']}/print.pdf").body[:5] == b"%PDF-", "nothing keeps its news back"
    assert clinic.post(f"{API}/reports/{cancelled['id']}/receipt").json()["read_by"]["name"] == "赵兰"
    final = change(cancelled, "append", text="另见骨折。")
    assert (final.status, final.json()["code"]) == (409, "report-state")
    assert clinic.get(f"{API}/studies").json()["items"][0]["report"]["status"] == "cancelled"
    again = {"study_instance_uid": uid, "kind": "diagnosis", "priority": "urgent", "reason": "请重新阅片", "consent": CONSENT}
    assert clinic.post(f"{API}/requests", json=again).status == 201


def test_what_is_another_institutions_is_not_there(site, database, chronicle):
    uid = a_study(database, chronicle, site.clinic)
    task_id = a_task(database, chronicle, site.people["clinic"], uid)
    stranger = site.browser("stranger")
    absent = stranger.get(f"{API}/studies/1.2.3")
    hidden = stranger.get(f"{API}/studies/{uid}")
    assert {**absent.json(), "instance": ""} == {**hidden.json(), "instance": ""}
    for path in (f"/tasks/{task_id}", f"/tasks/{task_id}/turnaround", f"/tasks/{task_id}/report"):
        assert stranger.get(API + path).status == 404
    assert stranger.get(f"{API}/studies").json()["items"] == stranger.get(f"{API}/tasks").json()["items"] == []
    assert stranger.get(f"{API}/reports?study_instance_uid={uid}").json()["items"] == []


def test_lists_are_paged_without_gaps_or_repeats(site, database, chronicle, clock):
    uids = []
    for _ in range(7):
        uids.append(a_study(database, chronicle, site.clinic))
        clock.pass_(seconds=1)
    browser, found, cursor = site.browser("clinic"), [], ""
    while cursor is not None:
        page = browser.get(f"{API}/studies?limit=3&cursor={cursor}" if cursor else f"{API}/studies?limit=3").json()
        found += [item["study_instance_uid"] for item in page["items"]]
        cursor = page["next"]
    assert found == uids[::-1]


def test_studies_are_found_by_patient_accession_and_modality(site, database, chronicle):
    uid = a_study(database, chronicle, site.clinic, patient_id="P7")
    a_study(database, chronicle, site.clinic, modality="ECG", patient_id="P8")
    browser = site.browser("clinic")
    for query in ("patient_id=P7", "modality=ct", "accession_number=A1&patient_id=P7"):
        assert [item["study_instance_uid"] for item in browser.get(f"{API}/studies?{query}").json()["items"]] == [uid]
    detail = [browser.get(f"{API}/studies/{uid}").json() for _ in range(3)][-1]
    with database.reading() as db:
        looked = select(audit_table.c.actor).where(audit_table.c.action == "StudyRead")
        assert db.scalars(looked).all() == [site.people["clinic"].practitioner_id]
    assert [instance["kind"] for series in detail["series"] for instance in series["instances"]] == ["image", "image"]


def test_without_consent_nothing_is_asked(site, database, chronicle):
    uid = a_study(database, chronicle, site.clinic)
    answer = site.browser("clinic").post(f"{API}/requests", json={"study_instance_uid": uid, "kind": "diagnosis"})
    assert (answer.status, answer.json()["code"]) == (403, "consent-missing")
    assert site.browser("radiologist").get(f"{API}/tasks").json()["items"] == []


def test_a_task_is_released_declined_and_handed_over(site, database, chronicle):
    path = f"{API}/tasks/{a_task(database, chronicle, site.people['clinic'])}"
    reader = site.browser("radiologist")
    assert reader.post(f"{path}/claim").status == 200
    people = reader.get(f"{API}/people?role=radiologist").json()["items"]
    colleague = next(person for person in people if person["name"] == "陈晨")
    assert reader.post(f"{path}/handover", json={"to": colleague["id"]}).json()["owner"]["id"] == colleague["id"]
    assert reader.post(f"{path}/release").status == 409
    second = site.browser("radiologist2")
    assert second.post(f"{path}/start").json()["status"] == "in-progress"
    assert second.post(f"{path}/decline", json={"code": "no-reason", "reason": "x"}).status == 422
    assert second.post(f"{path}/decline", json={"code": "incomplete", "reason": "缺少侧位"}).status == 204
    assert second.get(path).json()["status"] == "requested"


def test_a_hospital_is_shown_what_it_was_asked_about_elsewhere_of_who_may_be_the_same(site, database, chronicle):
    elsewhere = found_by_name(database, a_study(database, chronicle, site.clinic))
    a_task(database, chronicle, site.people["clinic"], elsewhere)
    path = f"{API}/studies/alike?name=王小东&sex=M&birth_date=1958-02-14"
    shown = site.browser("coordinator").get(path).json()["items"]
    assert [one["study_instance_uid"] for one in shown] == [elsewhere]
    assert site.browser("clinic").get(path).json()["items"] == []
    assert site.browser("coordinator").get(f"{API}/studies/alike?name=王小东&sex=M").status == 422
