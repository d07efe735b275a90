"""What was kept before a migration is as well found after it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import MetaData, Table, insert, select, text, types
from support.postgres import Cluster

from dicom_node.archive.index import ids_begin, names_begin
from dicom_node.archive.tables import patient_table
from telemed import schema
from telemed.kernel.database import Database


def test_patients_of_an_older_schema_are_found_by_pinyin_and_id(tmp_path, postgres: Cluster):
    for url in (f"sqlite:///{tmp_path}/telemed.sqlite", postgres.url(postgres.new_database())):
        database = Database(url)
        alembic = schema._alembic()
        with database.transaction() as db:
            alembic.attributes["connection"] = db
            command.upgrade(alembic, "0002")
            old = Table("patient", MetaData(), autoload_with=db)
            row = dict.fromkeys(old.c.keys(), "") | {"name": "王^小明", "variant": 0, "name_raw": b"", "institution": "lianhua"}
            db.execute(insert(old), [row | {"id": f"{number:05}", "patient_id": f"P{number}"} for number in range(1500)])
        schema.upgrade(database)
        with database.reading() as db:
            found = select(patient_table.c.id).where(names_begin("wxm"), ids_begin("p149"))
            assert len(db.scalars(found).all()) == 11
        database.close()


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_every_table_keeps_its_rows_through_every_later_migration(tmp_path, postgres: Cluster):
    """One row in each table, each referring to the others: a table that is altered by copying must not take them with it."""
    for url in (f"sqlite:///{tmp_path}/full.sqlite", postgres.url(postgres.new_database())):
        database = Database(url)
        alembic, old = schema._alembic(), MetaData()
        with database.altering() as db:
            alembic.attributes["connection"] = db
            command.upgrade(alembic, "0009")
            old.reflect(db)
            full = [table for table in old.sorted_tables if table.name != "alembic_version"]
            for table in full:
                db.execute(insert(table), {column.name: a_value(column) for column in table.c})
        schema.upgrade(database)
        with database.reading() as db:
            kept = {table.name: db.scalar(text(f"SELECT COUNT(*) FROM {table.name}")) for table in full}
        assert {name: count for name, count in kept.items() if count != 1 and name != "patient_word"} == {}
        database.close()


def a_value(column):
    if isinstance(column.type, (types.Integer, types.Numeric)):
        return 1
    if isinstance(column.type, (types.DateTime, types.Date)):
        return datetime(2026, 3, 2, tzinfo=UTC)
    if isinstance(column.type, types.Boolean):
        return True
    if isinstance(column.type, types.LargeBinary):
        return b"x"
    return [] if isinstance(column.type, types.JSON) else "x"
