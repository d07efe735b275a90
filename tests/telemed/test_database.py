"""The one database, as whatever stands on it uses it."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from telemed.kernel.audit import audit_table
from telemed.kernel.errors import Invalid

trail = audit_table.c
#: A moment that is in no year of UTC's.
BEFORE_ALL = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))


@pytest.mark.parametrize(
    "asked", [trail.actor == "\ud800", trail.at > BEFORE_ALL, trail.sequence == 10**30], ids=["half", "moment", "number"]
)
def test_what_no_column_takes_is_wrong_and_the_next_question_is_answered(database, asked):
    with pytest.raises(Invalid, match="cannot be kept"), database.reading() as db:
        db.execute(select(trail.sequence).where(asked))
    with database.reading() as db:
        assert db.execute(select(trail.sequence)).first() is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_nul_is_no_text_to_postgresql(database):
    with pytest.raises(Invalid, match="cannot be kept"), database.reading() as db:
        db.execute(select(trail.sequence).where(trail.actor == "a\0b"))


def test_an_error_names_no_value_of_its_statement(database):
    with pytest.raises(DBAPIError) as raised, database.reading() as db:
        db.execute(text("SELECT :name FROM no_table"), {"name": "王小东"})
    assert "王小东" not in str(raised.value)


def is_open(driver: sqlite3.Connection | psycopg.Connection) -> bool:
    try:
        driver.execute("SELECT 1")
    except (sqlite3.Error, psycopg.Error):
        return False
    return True


def test_a_connection_that_somebody_has_when_all_are_closed_is_closed_when_it_comes_back(database):
    with database.reading() as db:
        late = db.connection.driver_connection
        database.close()
        assert is_open(late)
    assert not is_open(late)
    with database.reading() as db:
        later = db.connection.driver_connection
    assert not is_open(later)
