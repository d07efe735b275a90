"""What was kept before a migration is as well found after it."""

from __future__ import annotations

from alembic import command
from sqlalchemy import MetaData, Table, insert, select
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
