"""What the administrator sees of the node and does about it: forwarding, and identical UIDs with other content."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

import pydicom
import pytest
from pydicom.data import get_testdata_file

from dicom_node.directory import Entry, add_peer
from dicom_node.forwarding.sending import Forwarding
from telemed.kernel.events import events_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def store(site, **attributes):
    image = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    buffer = BytesIO()
    image.save_as(buffer)
    site.archive.store(buffer.getvalue(), institution=site.clinic, transfer_syntax_uid=None, source="CT1")
    return image.StudyInstanceUID


def test_the_administrator_forwards_to_a_peer_and_sees_and_clears_its_queue(site):
    with site.database.transaction() as db:
        add_peer(db, site.chronicle, Entry("ORTHANC", "127.0.0.1", 1, ""), actor="test")
    admin = site.browser("admin")
    assert admin.post("/api/v1/forwarding/ORTHANC/rules", json={"institution": site.clinic, "modality": "ct"}).status == 204
    assert admin.post("/api/v1/forwarding/ORTHANC/rules", json={"institution": site.clinic, "modality": "CT"}).status == 409
    assert admin.post("/api/v1/forwarding/NOBODY/rules", json={}).status == 404
    store(site)
    worker = Forwarding(site.database, site.chronicle, site.archive, aet="TELEMED")
    worker.take()
    assert worker.send("ORTHANC") == 1
    [shown] = admin.get("/api/v1/forwarding").json()["items"]
    assert (shown["address"], shown["waiting"], shown["given_up"]) == ("127.0.0.1:1", 1, 0)
    assert shown["rules"] == [{"ae_title": "ORTHANC", "institution": site.clinic, "modality": "CT", "reports": False}]
    assert "cannot be reached" in shown["error"]
    assert datetime.fromisoformat(shown["next_try_at"]) > datetime.fromisoformat(shown["oldest_at"])
    assert admin.post("/api/v1/forwarding/ORTHANC/retry").json() == {"instances": 1}
    assert admin.get("/api/v1/forwarding").json()["items"][0]["next_try_at"] is None
    assert admin.post("/api/v1/forwarding/ORTHANC/cancel").json() == {"instances": 1}
    assert admin.request("DELETE", f"/api/v1/forwarding/ORTHANC/rules?institution={site.clinic}&modality=CT").status == 204
    [shown] = admin.get("/api/v1/forwarding").json()["items"]
    assert (shown["waiting"], shown["rules"]) == (0, [])


def test_other_content_under_a_known_uid_is_listed_by_what_differs_until_somebody_resolves_it(site):
    study = store(site)
    store(site, PatientName="SOMEBODY^ELSE", InstanceNumber=77)
    store(site, PixelData=bytes(128 * 128 * 2))
    admin = site.browser("admin")
    found = {tuple(one["differs"]): one for one in admin.get("/api/v1/conflicts").json()["items"]}
    assert set(found) == {("patient_name", "patient_name_raw", "instance_number"), ("content",)}
    conflict = found["content",]
    assert (conflict["study_instance_uid"], conflict["source"], conflict["institution"]) == (study, "CT1", site.clinic)
    resolve = f"/api/v1/conflicts/{conflict['id']}/resolve"
    assert admin.post(resolve, json={"reason": ""}).status == 422
    assert admin.post(resolve, json={"reason": "sent again by the service engineer"}).status == 204
    assert admin.post(resolve, json={"reason": "twice"}).status == 404
    assert len(admin.get("/api/v1/conflicts").json()["items"]) == 1
    with site.database.reading() as db:
        told = [event.data["reason"] for event in events_of(db, study) if event.type == "ConflictResolved"]
    assert told == ["sent again by the service engineer"]
