from ipaddress import ip_network

import pytest
from sqlalchemy import select

from dicom_node.access import Access, Certificate, KnownPeer, KnownPeers, Reject
from dicom_node.refusals import Refusal, Refusals
from telemed.kernel.audit import Witness, audit_table

KNOWN = KnownPeers([KnownPeer("CT1", (ip_network("10.0.0.0/8"),), "lianhua")])


@pytest.fixture
def witness(database, chronicle):
    return Witness(database, chronicle.trail)


@pytest.fixture
def written(witness, database):
    """Return a function that ends the counting and returns what is in the trail."""

    def written(refusals):
        witness.start()
        refusals.start()
        refusals.stop()
        witness.stop()
        with database.reading() as db:
            return db.execute(select(audit_table).order_by(audit_table.c.sequence)).all()

    return written


def test_who_is_turned_away_is_in_the_trail_with_the_reason(witness, written):
    refusals = Refusals(witness)
    access = Access(KNOWN, "TELEMED", refused=refusals.note)
    assert access.admit("CT1", "TELEMED", "10.1.2.3") == "lianhua"
    assert access.admit("CT1", "ORTHANC", "10.1.2.3") is Reject.UNKNOWN_CALLED_AE
    assert access.admit("CT1", "TELEMED", "192.168.1.1") is Reject.UNKNOWN_CALLING_AE
    assert access.admit("CT1", "TELEMED", "10.1.2.3", Certificate(frozenset({"US1"}), "00")) is Reject.UNKNOWN_CALLING_AE
    found = written(refusals)
    assert [(row.action, row.outcome, row.actor, row.entity_id) for row in found] == [
        ("AssociationRefused", 4, "CT1", address) for address in ("10.1.2.3", "192.168.1.1", "10.1.2.3")
    ]
    assert [row.detail["why"].split()[1] for row in found] == ["called", "AE", "certificate"]
    assert found[0].detail["called"] == "ORTHANC"


def test_a_flood_is_a_few_records(witness, written):
    refusals = Refusals(witness)
    for number in range(5_000):
        refusals.note(Refusal("CT1", "TELEMED", "10.0.0.9", "why"))
        refusals.note(Refusal(f"CT{number}", "TELEMED", "10.0.0.9", "why"))
    found = written(refusals)
    assert len(found) == Refusals.MOST + 1
    assert sum(row.detail["times"] for row in found) == 10_000
    assert max(row.detail["times"] for row in found if row.actor == "CT1") == 5_001


def test_what_a_stranger_says_can_be_kept(witness, written):
    refusals = Refusals(witness)
    refusals.note(Refusal("A\0B\n" + "X" * 50, "\x7f", "10.0.0.9", "why"))
    [row] = written(refusals)
    assert (row.actor, row.detail["called"]) == ("A?B?" + "X" * 12, "?")


def test_who_is_turned_away_is_in_the_log_at_once_and_not_at_every_knock(witness, caplog):
    refusals = Refusals(witness)
    for _ in range(3):
        refusals.note(Refusal("CT1", "TELEMED", "10.0.0.9", "another's certificate"))
    assert caplog.messages == ["refused 'CT1', who called 'TELEMED' from 10.0.0.9: another's certificate"]
