"""Institutions, people, agreements, AEs."""

from __future__ import annotations

from datetime import date

import pytest
from support.builders import a_clinic, a_hospital, a_nurse, a_specialist, an_agreement

from consult.practitioners import actions, views
from consult.practitioners.model import SYSTEM, Level, Role
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused

DAY = date(2026, 3, 2)


def bind(database, chronicle, title, institution_id, *networks, certificate=""):
    bound = {"ae_title": title, "networks": networks, "certificate_sha256": certificate}
    with database.transaction() as db:
        actions.bind_ae(db, chronicle, **bound, institution_id=institution_id, by=SYSTEM)


def test_a_viewer_carries_name_roles_and_institution(database, chronicle):
    clinic = a_clinic(database, chronicle)
    nurse = a_nurse(database, chronicle, clinic, name="赵兰")
    assert (nurse.name, nurse.roles, nurse.institution_id) == ("赵兰", frozenset({Role.CLINIC}), clinic)
    with database.reading() as db:
        assert views.practitioner(db, nurse.practitioner_id).institution == views.institution(db, clinic)
        assert [person.name for person in views.practitioners_of(db, clinic)] == ["赵兰"]
        with pytest.raises(NotFound):
            views.viewer_of(db, "nobody")


def test_only_an_administrator_adds_institutions_people_agreements_and_aes(database, chronicle):
    clinic, hospital = a_clinic(database, chronicle), a_hospital(database, chronicle)
    nurse = a_nurse(database, chronicle, clinic)
    deeds = (
        lambda db: actions.add_institution(db, chronicle, name="新", name_en="", kind=Level.COUNTY, by=nurse),
        lambda db: actions.add_practitioner(db, chronicle, name="新", institution_id=clinic, roles=[Role.ADMIN], by=nurse),
        lambda db: actions.add_agreement(db, chronicle, institution_id=clinic, performer_id=hospital, valid_from=DAY, by=nurse),
        lambda db: actions.bind_ae(db, chronicle, ae_title="CT1", institution_id=clinic, by=nurse),
    )
    for deed in deeds:
        with database.transaction() as db, pytest.raises(Refused, match="administrator"):
            deed(db)


def test_two_institutions_cannot_share_a_name(database, chronicle):
    a_clinic(database, chronicle, "莲花乡卫生院")
    with pytest.raises(Conflict, match="莲花乡卫生院"):
        a_clinic(database, chronicle, " 莲花乡卫生院 ")


def test_an_institution_needs_a_name_that_can_be_kept(database, chronicle):
    for name in ("", "  ", "长" * 201):
        with pytest.raises(Invalid, match="needs a name"):
            a_clinic(database, chronicle, name)


def test_only_an_agreement_that_covers_the_service_on_the_day_lets_one_ask(database, chronicle):
    clinic, old, new = (
        a_clinic(database, chronicle),
        a_hospital(database, chronicle, "旧"),
        a_hospital(database, chronicle, "新"),
    )
    an_agreement(database, chronicle, clinic, old, valid_from=date(2020, 1, 1), valid_until=date(2025, 12, 31))
    an_agreement(database, chronicle, clinic, new, valid_from=date(2026, 1, 1), services=[Role.CARDIOLOGIST])
    with database.reading() as db:
        answering = {
            (day, service): [one for one in (old, new) if views.may_ask(db, clinic, one, day, service)]
            for day in (date(2019, 12, 31), date(2025, 12, 31), DAY)
            for service in (Role.RADIOLOGIST, Role.CARDIOLOGIST)
        }
        assert list(answering.values()) == [[], [], [old], [old], [], [new]]
        assert not views.may_ask(db, new, old, DAY, Role.CARDIOLOGIST)


def test_an_agreement_needs_two_institutions_and_an_end_after_its_beginning(database, chronicle):
    clinic, hospital = a_clinic(database, chronicle), a_hospital(database, chronicle)
    with pytest.raises(Invalid, match="two institutions"):
        an_agreement(database, chronicle, clinic, clinic)
    with pytest.raises(Invalid, match="before it begins"):
        an_agreement(database, chronicle, clinic, hospital, valid_from=DAY, valid_until=date(2026, 3, 1))


def test_an_ae_speaks_for_its_institution_from_its_networks_only(database, chronicle):
    clinic, van = a_clinic(database, chronicle), a_clinic(database, chronicle, "巡诊车")
    bind(database, chronicle, "CT1", clinic, "10.20.0.0/16", "fd00::/8")
    bind(database, chronicle, "CT1", van, "10.20.5.9/32")
    bind(database, chronicle, "ANYWHERE", clinic)
    with database.reading() as db:
        assert views.institution_of_ae(db, "CT1", "10.20.1.1") == clinic
        assert views.institution_of_ae(db, "CT1 ", "10.20.5.9") == van
        assert views.institution_of_ae(db, "CT1", "fd00::1") == clinic
        assert views.institution_of_ae(db, "CT1", "10.21.0.1") is None
        assert views.institution_of_ae(db, "ct1", "10.20.1.1") is None
        assert views.institution_of_ae(db, "ANYWHERE", "203.0.113.7") == clinic


def test_an_ae_bound_to_a_certificate_speaks_with_it_only_and_before_the_one_that_is_not(database, chronicle):
    clinic, van = a_clinic(database, chronicle), a_clinic(database, chronicle, "巡诊车")
    bind(database, chronicle, "CT1", clinic, "10.20.1.1/32")
    bind(database, chronicle, "CT1", van, certificate="ab")
    with database.reading() as db:
        assert views.institution_of_ae(db, "CT1", "10.20.1.1", "ab") == van
        assert views.institution_of_ae(db, "CT1", "10.20.1.1", "cd") == clinic
        assert views.institution_of_ae(db, "CT1", "10.20.1.2", "cd") is None
    with database.transaction() as db:
        actions.unbind_ae(db, chronicle, ae_title="CT1", institution_id=van, by=SYSTEM)
        assert views.institution_of_ae(db, "CT1", "10.20.1.2", "ab") is None
        with pytest.raises(NotFound):
            actions.unbind_ae(db, chronicle, ae_title="CT1", institution_id=van, by=SYSTEM)


def test_what_is_no_ae_title_is_refused(database, chronicle):
    clinic = a_clinic(database, chronicle)
    for title in ("", " ", "SEVENTEEN_LETTERS", "A\\B", "CT\n1", "莲花"):
        with pytest.raises(Invalid, match="AE title"):
            bind(database, chronicle, title, clinic)


def test_a_range_that_is_none_is_refused_with_the_way_to_write_one(database, chronicle):
    clinic = a_clinic(database, chronicle)
    with pytest.raises(Invalid, match=r"10\.20\.0\.0/16"):
        bind(database, chronicle, "CT1", clinic, "10.20.0.0/99")


def test_people_without_a_role_are_refused(database, chronicle):
    clinic = a_clinic(database, chronicle)
    with database.transaction() as db, pytest.raises(Invalid, match="at least one role"):
        actions.add_practitioner(db, chronicle, name="甲", institution_id=clinic, roles=[], by=SYSTEM)
    with pytest.raises(NotFound):
        a_specialist(database, chronicle, "nowhere")
