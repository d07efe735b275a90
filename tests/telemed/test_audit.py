import logging

import pytest

from telemed.kernel.audit import AuditRecord, Witness, audit_table, broken_seals
from telemed.kernel.errors import Unavailable


def records(database):
    with database.reading() as db:
        assert list(broken_seals(db)) == []
        return [row.entity_id for row in db.execute(audit_table.select().order_by(audit_table.c.sequence))]


def asked(what):
    return AuditRecord("CT1", "Query", "Query", what)


@pytest.fixture
def witness(database, chronicle):
    return Witness(database, chronicle.trail)


def test_what_is_asked_is_written_in_its_order_with_its_moment(witness, database, chronicle):
    with database.transaction() as db:
        chronicle.trail.append(db, asked("before"))
    witness.start()
    before = chronicle.trail.now()
    for number in range(20):
        witness.note(asked(str(number)))
    after = chronicle.trail.now()
    witness.stop()
    assert records(database) == ["before", *map(str, range(20))]
    with database.reading() as db:
        moments = db.scalars(audit_table.select().with_only_columns(audit_table.c.at).where(audit_table.c.sequence > 1)).all()
    assert all(before <= moment <= after for moment in moments)


def test_one_question_that_cannot_be_written_holds_up_no_other(witness, database, caplog):
    witness.start()
    witness.note(asked("1"))
    witness.note(AuditRecord("CT1", "Query", "Query", "2", detail={"what": object()}))
    witness.note(asked("3"))
    with caplog.at_level(logging.CRITICAL):
        witness.stop()
    assert records(database) == ["1", "3"]


def test_while_nothing_can_be_written_no_more_than_so_many_are_answered(witness, database, monkeypatch):
    monkeypatch.setattr(Witness, "MOST", 3)
    for number in range(3):
        witness.note(asked(str(number)))
    with pytest.raises(Unavailable):
        witness.note(asked("3"))
    witness.start()
    witness.stop()
    assert records(database) == ["0", "1", "2"]
