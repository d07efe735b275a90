"""What the database knows of its own tables."""

from __future__ import annotations

from support.server import until

from telemed.stocktaking import Stocktaking


def known(database):
    if not database.is_sqlite:
        return True  # PostgreSQL takes stock by itself
    with database.reading() as db:
        tables = db.exec_driver_sql("SELECT name FROM sqlite_master WHERE name = 'sqlite_stat1'").all()
        return bool(tables) and bool(db.exec_driver_sql("SELECT 1 FROM sqlite_stat1 WHERE tbl = 'audit_record'").all())


def test_stock_is_taken_at_the_start_and_again(database, chronicle):
    worker = Stocktaking(database, every_s=0.05)
    worker.start()
    with database.transaction() as db:
        chronicle.enter(db, "Looked", "x", {}, actor="test", institution="i", entity="Study")
    until(lambda: known(database))
    worker.stop()
