from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest
from support.server import until

from telemed.kernel.audit import audit_table, broken_seals
from telemed.kernel.errors import Unavailable
from telemed.kernel.events import Follower


def tell(chronicle, db, number, **more):
    data = {"number": number, **more}
    return chronicle.enter(db, "Happened", "subject", data, actor="somebody", institution="here", entity="Thing")


def test_a_follower_sees_every_event_of_many_writers_once_and_in_order(database, chronicle):
    seen = []
    follower = Follower("reader", database, chronicle.events, ["Happened"], lambda event: lambda _db: seen.append(event.position))
    follower.start()

    def write():
        for number in range(15):
            with database.transaction() as db:
                tell(chronicle, db, number)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    until(lambda: len(seen) == 60)
    follower.stop()
    assert seen == sorted(set(seen))
    assert chronicle.events.position_of("reader") == chronicle.events.latest()


def test_what_concerns_nobody_is_looked_through_once(database, chronicle):
    events = chronicle.events
    with database.transaction() as db:
        events.append_all(db, [("Happened", "subject", {"number": number}) for number in (1, 2)])
        events.append_all(db, [("Other", "subject", {})] * 3)
    found, reached = events.read_on(0, ["Happened"], limit=1)
    assert [event.data["number"] for event in found] == [1]
    assert reached == found[0].position
    found, reached = events.read_on(reached, ["Happened"], limit=100)
    assert [event.data["number"] for event in found] == [2]
    assert reached == events.latest()
    assert events.read_on(reached, ["Happened"], limit=100) == ([], reached)


def test_news_of_another_type_wakes_nobody(database, chronicle):
    events = chronicle.events
    with database.transaction() as db:
        tell(chronicle, db, 1)
    latest = events.latest()
    with database.transaction() as db:
        events.append(db, "Other", "subject")

    def waited(seconds, types):
        began = time.monotonic()
        events.wait(latest, seconds, types=types)
        return time.monotonic() - began

    assert waited(0.3, ["Happened"]) >= 0.3
    assert waited(30, ["Happened", "Other"]) < 30
    assert waited(30, None) < 30


def test_an_event_that_cannot_be_answered_is_set_aside_and_the_rest_goes_on(database, chronicle):
    seen = []

    def prepare(event):
        if event.data["number"] == 1:
            raise ZeroDivisionError
        return lambda _db: seen.append(event.data["number"])

    with database.transaction() as db:
        for number in range(3):
            tell(chronicle, db, number)
    follower = Follower("reader", database, chronicle.events, ["Happened"], prepare)
    follower.start()
    until(lambda: seen == [0, 2])
    follower.stop()
    aside = chronicle.events.after(0, types=["EventSetAside"])
    assert [event.data["position"] for event in aside] == [2]


def test_a_rolled_back_transaction_leaves_neither_event_nor_record(database, chronicle):
    try:
        with database.transaction() as db:
            tell(chronicle, db, 1)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with database.reading() as db:
        assert chronicle.events.latest() == 0
        assert db.execute(audit_table.select()).all() == []


def test_an_altered_and_a_removed_audit_record_are_named(database, chronicle):
    with database.transaction() as db:
        for number in range(6):
            tell(chronicle, db, number)
    with database.reading() as db:
        assert list(broken_seals(db)) == []
    with database.transaction() as db:
        db.execute(audit_table.update().where(audit_table.c.sequence == 2).values(actor="somebody else"))
        db.execute(audit_table.delete().where(audit_table.c.sequence == 5))
    with database.reading() as db:
        broken = list(broken_seals(db))
    assert broken[0].startswith("audit record 2 was altered")
    assert "audit records 5 to 5 are missing" in broken


def test_a_follower_outlives_a_log_that_cannot_be_read(database, chronicle, caplog):
    seen = []
    follower = Follower("reader", database, chronicle.events, ["Happened"], lambda event: lambda _db: seen.append(event.position))
    follower.start()
    try:
        renamed(database, "event", "away")
        until(lambda: "follower reader failed" in caplog.text)
        renamed(database, "away", "event")
        with database.transaction() as db:
            tell(chronicle, db, 1)
        until(lambda: seen)
    finally:
        follower.stop()


def renamed(database, table, name):
    with database.engine.begin() as db:
        db.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")


def test_who_finds_no_connection_free_is_told_to_come_again(database, monkeypatch):
    monkeypatch.setattr(database.engine.pool, "_timeout", 0.05)
    with ExitStack() as stack:
        while not database.engine.pool.overflow() >= database.engine.pool._max_overflow:
            stack.enter_context(database.reading())
        with pytest.raises(Unavailable, match="in use"):
            stack.enter_context(database.reading())
    assert database.is_up()
