"""The two laws of asking: consent and agreement."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from support.builders import a_clinic, a_county, a_hospital, a_nurse, a_person, a_study, a_task, an_agreement, an_order

from consult.consents.model import Consent, ConsentKind
from consult.intake import ask
from consult.practitioners.model import Role
from consult.queue import views as queue
from consult.requests.actions import revoke
from consult.requests.model import Kind, Lane, Priority, RequestStatus, age_on
from consult.requests.tables import request_table
from consult.requests.views import request_by_id
from telemed.kernel.audit import audit_table
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused


def rows(database, table):
    with database.reading() as db:
        return db.execute(table.select()).all()


def test_a_request_keeps_who_asked_what_on_whose_consent(database, chronicle):
    county = a_county(database, chronicle)
    a_task(database, chronicle, county.nurse, kind=Kind.CONSULTATION)
    (placed,) = rows(database, request_table)
    assert (placed.kind, placed.consent_kind, placed.requester_id) == ("consultation", "written", county.nurse.practitioner_id)
    assert (placed.performer_id, placed.status) == (county.hospital, RequestStatus.ACTIVE)


def test_nothing_is_asked_without_consent(database, chronicle):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    lacking = (None, Consent(ConsentKind.EMERGENCY, "  "), Consent(ConsentKind.STANDING, "routed"))
    for consent in lacking:
        with pytest.raises(Refused) as refused:
            a_task(database, chronicle, county.nurse, uid, consent=consent)
        assert refused.value.code == "consent-missing"
    assert rows(database, request_table) == []


def test_an_emergency_needs_its_reason_and_the_audit_trail_keeps_it(database, chronicle):
    county = a_county(database, chronicle)
    a_task(database, chronicle, county.nurse, consent=Consent(ConsentKind.EMERGENCY, "昏迷，无家属"))
    (record,) = [row for row in rows(database, audit_table) if row.action == "RequestPlaced"]
    assert (record.actor, record.detail["consent"]) == (county.nurse.practitioner_id, "emergency")
    assert record.detail["consent_note"] == "昏迷，无家属"


def test_nothing_is_asked_without_an_agreement_valid_on_that_day(database, chronicle):
    clinic, hospital = a_clinic(database, chronicle), a_hospital(database, chronicle)
    nurse = a_nurse(database, chronicle, clinic)
    an_agreement(database, chronicle, clinic, hospital, valid_until=date(2026, 3, 1))
    with pytest.raises(Refused, match="莲花乡卫生院 has no cooperation agreement") as refused:
        a_task(database, chronicle, nurse)
    assert refused.value.code == "no-agreement"
    assert rows(database, request_table) == []


def test_the_day_of_an_agreement_is_counted_where_the_clinic_is(database, chronicle):
    clinic, hospital = a_clinic(database, chronicle), a_hospital(database, chronicle)
    nurse = a_nurse(database, chronicle, clinic)
    an_agreement(database, chronicle, clinic, hospital, valid_from=date(2026, 3, 3))
    chronicle.clock.at = datetime(2026, 3, 2, 16, 30, tzinfo=UTC)  # half past midnight of the third, in China
    assert a_task(database, chronicle, nurse)


def test_nobody_asks_about_another_institution_s_study(database, chronicle):
    county = a_county(database, chronicle)
    elsewhere = a_study(database, chronicle, a_clinic(database, chronicle, "邻乡卫生院"))
    with pytest.raises(NotFound):
        a_task(database, chronicle, county.nurse, elsewhere)


def test_somebody_without_the_clinic_s_role_cannot_ask(database, chronicle):
    county = a_county(database, chronicle)
    regulator = a_person(database, chronicle, county.clinic, Role.REGULATOR)
    with pytest.raises(Refused, match="only the clinic"):
        a_task(database, chronicle, regulator)


def test_a_dated_lane_needs_its_date_and_a_clocked_one_refuses_it(database, chronicle):
    county = a_county(database, chronicle)
    with pytest.raises(Invalid, match="the lane mdt needs the date"):
        a_task(database, chronicle, county.nurse, lane=Lane.MDT)
    wanted_by = chronicle.clock.now() + timedelta(days=2)
    with pytest.raises(Invalid):
        a_task(database, chronicle, county.nurse, wanted_by=wanted_by)
    task_id = a_task(database, chronicle, county.nurse, lane=Lane.MDT, wanted_by=wanted_by)
    with database.reading() as db:
        assert queue.task(db, county.nurse, task_id).due_at == wanted_by


def test_a_text_too_long_to_keep_is_refused(database, chronicle):
    county = a_county(database, chronicle)
    with pytest.raises(Invalid, match="too long"):
        a_task(database, chronicle, county.nurse, reason="长" * 4001)
    with pytest.raises(Invalid, match="too long"):
        a_task(database, chronicle, county.nurse, consent=Consent(ConsentKind.WRITTEN, "长" * 4001))


def test_a_request_is_withdrawn_once_and_by_its_own_side(database, chronicle):
    county = a_county(database, chronicle)
    a_task(database, chronicle, county.nurse)
    (placed,) = rows(database, request_table)
    with database.transaction() as db, pytest.raises(Refused):
        revoke(db, chronicle, placed.id, reason="", by=county.radiologist)
    with database.transaction() as db:
        revoke(db, chronicle, placed.id, reason="转院", by=county.nurse)
        assert request_by_id(db, placed.id).status is RequestStatus.REVOKED
        with pytest.raises(Conflict):
            revoke(db, chronicle, placed.id, reason="", by=county.nurse)


def test_a_refused_request_leaves_no_trace_in_its_transaction(database, chronicle):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    a_task(database, chronicle, county.nurse, uid)
    before = len(rows(database, audit_table))
    with pytest.raises(Conflict), database.transaction() as db:
        ask(db, chronicle, an_order(uid, priority=Priority.STAT), by=county.nurse)
    assert len(rows(database, audit_table)) == before


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(1958, 2, 14), date(2026, 2, 13), 67),
        (date(1958, 2, 14), date(2026, 2, 14), 68),
        (date(2024, 2, 29), date(2025, 2, 28), 0),
        (date(2026, 3, 3), date(2026, 3, 2), None),
        (None, date(2026, 3, 2), None),
    ],
)
def test_age_is_counted_in_whole_years(born, day, age):
    assert age_on(born, day) == age
