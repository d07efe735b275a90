"""Consent: what it needs, what shows it, what its end withdraws; and the standing one of routed studies."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import delete, insert, update
from support.builders import WRITTEN, a_county, a_study, a_task

from consult.access import may_read_study
from consult.consents import actions, views
from consult.consents.model import Consent, ConsentKind, EvidenceKind, Scope, sufficient
from consult.consents.tables import evidence_table
from consult.consents.verification import differences
from consult.intake import revoke_consent
from consult.practitioners.model import SYSTEM
from consult.practitioners.views import agreements_of
from consult.queue import actions as queue
from consult.queue.model import TaskStatus
from consult.queue.views import task as task_of
from consult.requests.model import RequestStatus
from consult.requests.views import request_by_id
from telemed.kernel.audit import audit_table, broken_seals
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused

PNG = b"\x89PNG\r\n\x1a\n" + b"drawn"


def do(database, chronicle, action, *args, **kwargs):
    with database.transaction() as db:
        return action(db, chronicle, *args, **kwargs)


def recorded(database, chronicle, county, consent=WRITTEN, uid=None):
    uid = uid or a_study(database, chronicle, county.clinic)
    terms = {"institution_id": county.clinic, "study_instance_uid": uid}
    return do(database, chronicle, actions.record, consent, **terms, by=county.nurse)


@pytest.mark.parametrize(
    "consent",
    [
        None,
        Consent(ConsentKind.EMERGENCY, " "),
        Consent(ConsentKind.GUARDIAN, guardian="张三"),
        Consent(ConsentKind.GUARDIAN, relation="父亲"),
        Consent(ConsentKind.WRITTEN, scopes=frozenset({Scope.TEACHING})),
        Consent(ConsentKind.STANDING),
    ],
)
def test_what_is_no_consent_to_the_transfer_is_refused(consent):
    with pytest.raises(Refused) as refused:
        sufficient(consent)
    assert refused.value.code == "consent-missing"


def test_a_consent_is_an_object_of_its_own_that_its_request_names(database, chronicle):
    county = a_county(database, chronicle)
    uid = a_study(database, chronicle, county.clinic)
    guardian = Consent(ConsentKind.GUARDIAN, "", "张三", "父亲", frozenset({Scope.TRANSFER, Scope.TEACHING}))
    kept = recorded(database, chronicle, county, guardian, uid)
    task_id = a_task(database, chronicle, county.nurse, uid, consent=None, consent_id=kept.id)
    with database.reading() as db:
        request = request_by_id(db, task_of(db, county.nurse, task_id).request_id)
        (found,) = views.consents_of_study(db, county.clinic, uid)
    assert (request.consent_id, request.consent_kind, request.standing_id) == (kept.id, ConsentKind.GUARDIAN, None)
    assert (found.guardian, found.relation, set(found.scopes)) == ("张三", "父亲", {Scope.TRANSFER, Scope.TEACHING})


def test_a_consent_for_one_study_is_none_for_another_and_a_revoked_one_none_at_all(database, chronicle):
    county = a_county(database, chronicle)
    kept = recorded(database, chronicle, county)
    with pytest.raises(Refused, match="another study"):
        a_task(database, chronicle, county.nurse, consent=None, consent_id=kept.id)
    do(database, chronicle, revoke_consent, kept.id, reason="患者要求", by=county.nurse)
    with pytest.raises(Refused, match="was revoked"):
        a_task(database, chronicle, county.nurse, kept.study_instance_uid, consent=None, consent_id=kept.id)
    with pytest.raises(NotFound):
        a_task(database, chronicle, county.nurse, kept.study_instance_uid, consent=None, consent_id="nothing")


def test_an_emergency_stands_in_the_trail_as_one(database, chronicle):
    county = a_county(database, chronicle)
    recorded(database, chronicle, county, Consent(ConsentKind.EMERGENCY, "昏迷，无家属"))
    with database.reading() as db:
        (record,) = db.execute(audit_table.select().where(audit_table.c.action == "ConsentOverridden")).all()
        assert list(broken_seals(db)) == []
    assert (record.actor, record.detail["note"]) == (county.nurse.practitioner_id, "昏迷，无家属")


def test_paper_and_signature_are_kept_as_they_came_and_never_replaced(database, chronicle):
    county = a_county(database, chronicle)
    kept = recorded(database, chronicle, county)
    terms = {"media_type": "image/png", "content": PNG, "by": county.nurse}
    shown = do(database, chronicle, actions.show, kept.id, EvidenceKind.SIGNATURE, **terms)
    assert [(one.kind, one.sha256) for one in shown.evidence] == [(EvidenceKind.SIGNATURE, hashlib.sha256(PNG).hexdigest())]
    with database.reading() as db:
        assert views.evidence_content(db, kept.id, EvidenceKind.SIGNATURE).content == PNG
        with pytest.raises(NotFound):
            views.evidence_content(db, kept.id, EvidenceKind.PAPER)
    with pytest.raises(Conflict, match="already"):
        do(database, chronicle, actions.show, kept.id, EvidenceKind.SIGNATURE, **terms)
    for media_type, content in (("image/svg+xml", PNG), ("image/jpeg", PNG), ("image/png", PNG + bytes(1 << 20))):
        with pytest.raises(Invalid, match="JPEG or PNG"):
            do(
                database,
                chronicle,
                actions.show,
                kept.id,
                EvidenceKind.PAPER,
                media_type=media_type,
                content=content,
                by=county.nurse,
            )
    with pytest.raises(NotFound):
        do(database, chronicle, actions.show, kept.id, EvidenceKind.PAPER, **(terms | {"by": county.radiologist}))


def test_a_revoked_consent_withdraws_what_is_being_read_and_the_hospital_sees_the_study_no_more(database, chronicle):
    county = a_county(database, chronicle)
    kept = recorded(database, chronicle, county)
    task_id = a_task(database, chronicle, county.nurse, kept.study_instance_uid, consent=None, consent_id=kept.id)
    do(database, chronicle, queue.claim, task_id, by=county.radiologist)
    do(database, chronicle, queue.start, task_id, by=county.radiologist)
    with pytest.raises(NotFound):
        do(database, chronicle, revoke_consent, kept.id, reason="x", by=county.radiologist)
    with pytest.raises(Invalid, match="how the patient revoked"):
        do(database, chronicle, revoke_consent, kept.id, reason=" ", by=county.nurse)
    revoked = do(database, chronicle, revoke_consent, kept.id, reason="患者要求", by=county.nurse)
    assert revoked.revoked_at == chronicle.clock.now()
    with database.reading() as db:
        task = task_of(db, county.nurse, task_id)
        assert (task.status, task.owner) == (TaskStatus.CANCELLED, None)
        assert request_by_id(db, task.request_id).status is RequestStatus.REVOKED
        with pytest.raises(NotFound):
            may_read_study(db, county.radiologist, kept.study_instance_uid)
    with pytest.raises(Conflict, match="already"):
        do(database, chronicle, revoke_consent, kept.id, reason="x", by=county.nurse)


def test_studies_are_routed_only_where_somebody_at_the_clinic_keeps_the_papers(database, chronicle):
    county = a_county(database, chronicle)
    with database.reading() as db:
        (agreement,) = agreements_of(db, county.clinic)
        (standing,) = views.standing_of(db, [agreement.id]).values()
    assert standing.keeper_id == county.nurse.practitioner_id
    with pytest.raises(Refused, match="does not work at the clinic"):
        do(database, chronicle, actions.let_route, agreement.id, keeper_id=county.radiologist.practitioner_id, by=SYSTEM)
    with pytest.raises(Refused, match="administrator"):
        do(database, chronicle, actions.let_route, agreement.id, keeper_id=standing.keeper_id, by=county.nurse)
    do(database, chronicle, actions.end_routing, agreement.id, by=SYSTEM)
    with database.reading() as db:
        assert views.standing_of(db, [agreement.id]) == {}
    with pytest.raises(NotFound):
        do(database, chronicle, actions.end_routing, agreement.id, by=SYSTEM)


def test_a_photograph_or_signature_that_changed_went_or_came_unseen_is_named(database, chronicle):
    county = a_county(database, chronicle)
    changed, gone, sound, bare = (recorded(database, chronicle, county) for _ in range(4))
    terms = {"media_type": "image/png", "content": PNG, "by": county.nurse}
    for kept in (changed, gone, sound):
        do(database, chronicle, actions.show, kept.id, EvidenceKind.SIGNATURE, **terms)
    assert list(differences(database)) == []
    forged = PNG + b"!"
    forgery = {"content": forged, "sha256": hashlib.sha256(forged).hexdigest()}
    of = evidence_table.c
    unseen = {"kind": "paper", "media_type": "image/png", "added_by": county.nurse.practitioner_id, "added_at": bare.recorded_at}
    with database.transaction() as db:
        db.execute(update(evidence_table).where(of.consent_id == changed.id).values(forgery))
        db.execute(delete(evidence_table).where(of.consent_id == gone.id))
        db.execute(insert(evidence_table).values(consent_id=bare.id, **unseen, **forgery))
    assert sorted(differences(database)) == sorted(
        [
            f"the signature of consent {changed.id} has changed since it was recorded",
            f"the signature of consent {gone.id} is missing",
            f"the paper of consent {bare.id} is kept, and the audit trail does not know of it",
        ]
    )
