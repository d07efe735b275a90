"""The one database, as whatever stands on it uses it."""

from __future__ import annotations

import sqlite3

import psycopg


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
