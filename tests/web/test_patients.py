"""Who is whom, over the API: found, compared, merged, told apart, taken back; and what a device writes."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from support.objects import an_image
from support.site import Site

from telemed.kernel.audit import audit_table

API = "/api/v1"


def put(site: Site, number: int, *, institution: str | None = None, **attributes) -> str:
    uid = f"1.2.{number}"
    data = an_image(StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.1.1", **attributes)
    site.archive.store(data, institution=institution or site.clinic, transfer_syntax_uid=None, source="CT1")
    return uid


def trail(site: Site, action: str) -> list[tuple[str, str, dict]]:
    columns = (audit_table.c.actor, audit_table.c.entity_id, audit_table.c.detail)
    with site.database.reading() as db:
        rows = db.execute(select(*columns).where(audit_table.c.action == action).order_by(audit_table.c.sequence))
        return [tuple(row) for row in rows]


def test_two_patients_are_found_compared_merged_and_parted_again(site):
    chinese = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "王^小明"}
    one = put(site, 1, PatientID="OLD", PatientSex="F", **chinese)
    two = put(site, 2, PatientID="NEW", PatientSex="M", **chinese)
    admin, nurse = site.browser("admin"), site.browser("clinic")
    [new, old] = admin.get(f"{API}/patients?q=wxm").json()["items"]
    assert (new["identity"]["name"], new["identity"]["patient_id"], old["identity"]["patient_id"]) == ("王小明", "NEW", "OLD")
    asked = {"survivor": new["identity"]["id"], "absorbed": old["identity"]["id"], "reason": "同一身份证"}
    warned = admin.post(f"{API}/patients/merges", json=asked)
    assert (warned.status, warned.json()["code"]) == (409, "demographics")
    assert admin.post(f"{API}/patients/merges", json=asked | {"despite_conflicts": True}).status == 204
    for q in ("OLD", "NEW", "wang"):
        assert {item["study_instance_uid"] for item in nurse.get(f"{API}/studies?q={q}").json()["items"]} == {one, two}
    shown = nurse.get(f"{API}/studies?patient_id=OLD").json()["items"]
    assert [item["patient"]["patient_id"] for item in shown] == ["NEW", "NEW"]
    [merge] = admin.get(f"{API}/patients/merges").json()["items"]
    assert (merge["merged_by"], merge["reason"], merge["absorbed"]["patient_id"]) == ("郑伟", "同一身份证", "OLD")
    assert admin.post(f"{API}/patients/merges/{merge['id']}/undo").status == 204
    assert [item["study_instance_uid"] for item in nurse.get(f"{API}/studies?q=OLD").json()["items"]] == [one]
    assert [deed[2] for deed in trail(site, "PatientQuery")] == [{"asked": "wxm"}]


def test_a_coordinator_reconciles_their_own_institution_only(site):
    elsewhere = [put(site, number, PatientID=str(number)) for number in (1, 2)]
    assert elsewhere
    put(site, 3, institution=site.hospital, PatientID="H3")
    put(site, 4, institution=site.hospital, PatientID="H4")
    admin, coordinator = site.browser("admin"), site.browser("coordinator")
    everybody = {one["identity"]["patient_id"]: one["identity"]["id"] for one in admin.get(f"{API}/patients?q=c").json()["items"]}
    assert set(everybody) == {"1", "2", "H3", "H4"}
    mine = coordinator.get(f"{API}/patients?q=c").json()["items"]
    assert {one["identity"]["patient_id"] for one in mine} == {"H3", "H4"}
    theirs = {"survivor": everybody["1"], "absorbed": everybody["2"], "reason": "same"}
    assert coordinator.post(f"{API}/patients/merges", json=theirs).status == 404
    own = {"survivor": everybody["H3"], "absorbed": everybody["H4"], "reason": "same"}
    assert coordinator.post(f"{API}/patients/merges", json=own).status == 204
    for name in ("clinic", "radiologist", "regulator"):
        assert site.browser(name).get(f"{API}/patients?q=c").status == 403


def test_two_people_under_one_id_are_listed_until_somebody_tells_them_apart(site):
    put(site, 1, PatientID="0001", PatientName="WANG^FANG")
    put(site, 2, PatientID="0001", PatientName="LI^WEI")
    admin = site.browser("admin")
    [doubt] = admin.get(f"{API}/patients/doubtful").json()["items"]
    assert (doubt["patient_id"], doubt["differences"], len(doubt["persons"])) == ("0001", ["name"], 2)
    told = {"institution": doubt["institution"]["id"], "patient_id": "0001"}
    assert admin.post(f"{API}/patients/distinct", json=told).status == 204
    assert admin.get(f"{API}/patients/doubtful").json()["items"] == []
    assert admin.post(f"{API}/patients/distinct", json=told | {"patient_id": "nobody"}).status == 404


def test_the_administrator_sees_unread_names_and_says_what_the_device_writes(site):
    put(site, 1, PatientID="J1", PatientName="山田^太郎".encode("shift_jis"), SpecificCharacterSet="ISO_IR 192")
    admin = site.browser("admin")
    [name] = admin.get(f"{API}/charsets/illegible").json()["items"]
    assert {"charset": "ISO_IR 13", "text": "山田^太郎"} in name["readings"]
    assert "ISO_IR 13" in admin.get(f"{API}/charsets").json()["items"]
    asked = {"ae_title": name["ae_title"], "charset": "ISO_IR 13"}
    assert admin.post(f"{API}/charsets/profiles", json=asked).status == 204
    [profile] = admin.get(f"{API}/charsets/profiles").json()["items"]
    assert (profile["ae_title"], profile["institution"], profile["charset"]) == ("CT1", None, "ISO_IR 13")
    assert admin.request("DELETE", f"{API}/charsets/profiles/{profile['id']}").status == 204
    assert admin.post(f"{API}/charsets/profiles", json={"charset": "ISO_IR 13"}).status == 422
    assert site.browser("coordinator").get(f"{API}/charsets/illegible").status == 403


@pytest.mark.parametrize("path", ["/api/v1/studies/{}", "/dicom-web/studies/{}/metadata", "/api/v1/recordings/{}.1.1/analysis"])
def test_a_look_that_is_denied_is_in_the_trail_once_a_minute(site, clock, path):
    uid = put(site, 1, PatientID="1")
    stranger = site.browser("stranger")
    for _ in range(3):
        assert stranger.get(path.format(uid)).status == 404
    holder = {"holder": site.clinic}
    assert trail(site, "StudyDenied") == [(site.people["stranger"].practitioner_id, uid, holder)]
    clock.pass_(minutes=2)
    assert site.browser("admin").get(path.format(uid)).status == 403
    assert [deed[0] for deed in trail(site, "StudyDenied")][1:] == [site.people["admin"].practitioner_id]
    assert stranger.get(path.format("1.2.999")).status == 404
    assert site.browser("clinic").get(f"/dicom-web/studies/{uid}/series/9.9/metadata").status == 404
    assert len(trail(site, "StudyDenied")) == 2


def test_studies_are_moved_to_another_person_of_the_same_id_and_back(site):
    one, two = put(site, 1, PatientID="0001", PatientName="WANG^FANG"), put(site, 2, PatientID="0001", PatientName="WANG^FANG")
    admin, nurse = site.browser("admin"), site.browser("clinic")
    [person] = admin.get(f"{API}/patients?q=0001").json()["items"]
    patient = person["identity"]["id"]
    studies = admin.get(f"{API}/patients/{patient}/studies").json()["items"]
    assert {study["study_instance_uid"] for study in studies} == {one, two}
    asked = {"studies": [two], "reason": "两个人用同一编号"}
    assert nurse.post(f"{API}/patients/{patient}/splits", json=asked).status == 403
    assert admin.post(f"{API}/patients/{patient}/splits", json=asked | {"studies": ["9.9"]}).status == 404
    assert admin.post(f"{API}/patients/{patient}/splits", json=asked).status == 204
    assert sorted(item["studies"] for item in admin.get(f"{API}/patients?q=0001").json()["items"]) == [1, 1]
    [told] = admin.get(f"{API}/patients/splits").json()["items"]
    assert (told["split_by"], told["studies"], told["target"], told["reason"]) == ("郑伟", 1, None, "两个人用同一编号")
    assert admin.post(f"{API}/patients/splits/{told['id']}/undo").status == 204
    assert [item["studies"] for item in admin.get(f"{API}/patients?q=0001").json()["items"]] == [2]
    assert admin.post(f"{API}/patients/splits/{told['id']}/undo").status == 409
