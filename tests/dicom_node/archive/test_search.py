import io
import shutil
from pathlib import Path

import pydicom
import pytest
from benchmarks import catalogue
from sqlalchemy import event, insert, select, true, update

from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.matching import Query, name_matches
from dicom_node.archive.search import (
    MANY_PATIENTS,
    search_attributes,
    search_instances,
    search_instances_alone,
    search_series,
    search_series_alone,
    search_studies,
)
from dicom_node.archive.tables import patient_table, study_table, word_table
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid

MR = Path(pydicom.__file__).parent / "data" / "test_files" / "MR_small.dcm"


@pytest.fixture
def archive(database, chronicle, tmp_path):
    return Archive(database, chronicle, Blobs(tmp_path / "blobs"))


def put(archive, institution="lianhua", **changes):
    dataset = pydicom.dcmread(MR)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = io.BytesIO()
    dataset.save_as(file)
    archive.store(file.getvalue(), institution=institution, transfer_syntax_uid=None, source="test")


@pytest.fixture
def filled(archive, database):
    for number, (name, date) in enumerate([("王^小东", "20260301"), ("李^伟", "20260302"), ("WANG^FANG", "20260303")]):
        for image in range(2):
            put(
                archive,
                SpecificCharacterSet="GB18030",
                PatientName=name,
                PatientID=f"P{number}",
                StudyDate=date,
                AccessionNumber=f"A{number}",
                StudyInstanceUID=f"1.2.{number}",
                SeriesInstanceUID=f"1.3.{number}",
                SOPInstanceUID=f"1.4.{number}.{image}",
                InstanceNumber=image + 1,
                Modality="MR" if number else "CT",
            )
    put(archive, "hehua", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.3.9", SOPInstanceUID="1.4.9")
    return database


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({}, ["1.2.2", "1.2.1", "1.2.0"]),
        ({"PatientName": "王*"}, ["1.2.0"]),
        ({"PatientName": "wang*"}, ["1.2.2"]),
        ({"PatientID": "P1"}, ["1.2.1"]),
        ({"StudyDate": "20260302-"}, ["1.2.2", "1.2.1"]),
        ({"ModalitiesInStudy": "CT\\US"}, ["1.2.0"]),
        ({"StudyInstanceUID": "1.2.0,1.2.2,1.2.9"}, ["1.2.2", "1.2.0"]),
        ({"AccessionNumber": "A?", "PatientID": ""}, ["1.2.2", "1.2.1", "1.2.0"]),
        ({"StudyDescription": "no such thing"}, []),
    ],
)
def test_studies_are_found_by_their_keys_among_those_that_may_be_seen(filled, keys, found):
    with filled.reading() as db:
        studies = search_studies(db, study_table.c.institution == "lianhua", Query(keys))
    assert [study.study_instance_uid for study in studies] == found


@pytest.mark.parametrize(("read", "found"), [(False, ["1.2.2"]), (True, ["1.2.2", "1.2.0"])])
def test_a_name_in_characters_is_found_by_how_it_is_read_where_that_is_asked_for(filled, read, found):
    mine, query = study_table.c.institution == "lianhua", Query({"PatientName": "wang*"}, read=read)
    with filled.reading() as db:
        studies = search_studies(db, mine, query)
        persons = search_attributes(db, "PATIENT", mine, query, frozenset({"PatientName"}))
    assert [study.study_instance_uid for study in studies] == found
    assert len(persons) == len(found)


def test_limit_and_offset_page_through_the_newest_first(filled):
    with filled.reading() as db:
        pages = [search_studies(db, true(), Query(limit=2, offset=offset)) for offset in (0, 2, 4)]
    assert [study.study_instance_uid for page in pages for study in page] == ["1.2.2", "1.2.1", "1.2.0", "1.2.9"]


def test_series_and_instances_are_found_with_what_they_belong_to(filled):
    with filled.reading() as db:
        [series] = search_series(db, true(), Query({"Modality": "CT"}))
        instances = search_instances(db, true(), Query({"StudyInstanceUID": "1.2.1"}))
        [second] = search_instances(db, true(), Query({"SeriesInstanceUID": "1.3.0", "InstanceNumber": "2", "Rows": "64"}))
    assert (series.series.instance_count, series.study.patient.display_name) == (2, "王小东")
    assert [found.instance.number for found in instances] == [1, 2]
    assert (second.instance.sop_instance_uid, second.series.modality) == ("1.4.0.1", "CT")


def test_series_and_instances_alone_are_those_found_with_what_is_above_them(filled):
    query = Query({"StudyInstanceUID": "1.2.0,1.2.1"})
    with filled.reading() as db:
        series, instances = search_series(db, true(), query), search_instances(db, true(), query)
        series_alone, instances_alone = search_series_alone(db, true(), query), search_instances_alone(db, true(), query)
    assert len(instances) == 4
    assert series_alone == [(one.series, one.study.study_instance_uid) for one in series]
    above = [(one.instance, one.series.series_instance_uid, one.study.study_instance_uid) for one in instances]
    assert instances_alone == above


def test_what_a_level_does_not_know_is_refused(filled):
    with filled.reading() as db:
        with pytest.raises(Invalid, match="SOPInstanceUID cannot be matched"):
            search_studies(db, true(), Query({"SOPInstanceUID": "1.2"}))
        with pytest.raises(Invalid, match="whole number"):
            search_instances(db, true(), Query({"InstanceNumber": "first"}))


@pytest.mark.parametrize(("key", "count"), [("Ouyang*", 50), ("*an*", 811), ("*^*", 1200)], ids=["few", "many", "most"])
def test_a_name_is_found_however_many_have_it(database, key, count):
    with database.transaction() as db:
        catalogue.enter(db, "lianhua", range(MANY_PATIENTS + 200))
        survivor, absorbed = db.scalars(select(patient_table.c.id).where(patient_table.c.name.like("Ouyang%")).limit(2))
        db.execute(update(patient_table).where(patient_table.c.id == survivor).values(name_folded="nobody"))
        db.execute(update(patient_table).where(patient_table.c.id == absorbed).values(merged_into=survivor))
        db.execute(update(study_table).where(study_table.c.patient_key == absorbed).values(patient_key=survivor))
    everybody = Query(limit=None)
    with database.reading() as db:
        names = {row.id: (row.name_folded, row.merged_into or row.id) for row in db.execute(select(patient_table))}
        fitting = {whose for name, whose in names.values() if name_matches(key, [name])}
        expected = [one.id for one in search_studies(db, true(), everybody) if one.patient_key in fitting]
        found = [one.id for one in search_studies(db, true(), Query(keys={"PatientName": key}, limit=None))]
        by_key = [one.id for one in search_studies(db, true(), Query(keys={"PatientName": key}, limit=None, after=""))]
    assert found == expected
    assert by_key == sorted(expected)
    assert len(fitting) >= count - 1


@pytest.mark.parametrize("every", [24, 3, 1], ids=["few", "many", "most"])
def test_a_name_in_characters_is_found_by_how_it_is_read_however_many_have_it(database, every):
    with database.transaction() as db:
        catalogue.enter(db, "lianhua", range(MANY_PATIENTS + 200))
        in_characters = set(db.scalars(select(patient_table.c.id).order_by(patient_table.c.id)).all()[::every])
        ours = patient_table.c.id.in_(in_characters)
        db.execute(update(patient_table).where(ours).values(name_folded="", name_ideographic="王"))
        db.execute(insert(word_table), [{"word": "wang", "patient_key": key} for key in in_characters])
        of_them = update(study_table).where(study_table.c.patient_key == (absorbed := min(in_characters)))
        survivor = db.scalars(select(patient_table.c.id).where(~ours | (patient_table.c.id != absorbed)).limit(1)).one()
        db.execute(update(patient_table).where(patient_table.c.id == absorbed).values(merged_into=survivor))
        db.execute(of_them.values(patient_key=survivor))
    everybody = Query(limit=None)
    with database.reading() as db:
        names = db.execute(select(patient_table)).all()
        fitting = {one.merged_into or one.id for one in names if one.id in in_characters or one.name_folded.startswith("wang")}
        expected = [one.id for one in search_studies(db, true(), everybody) if one.patient_key in fitting]
        found = [one.id for one in search_studies(db, true(), Query({"PatientName": "Wang*"}, limit=None, read=True))]
        by_key = [one.id for one in search_studies(db, true(), Query({"PatientName": "Wang*"}, None, read=True, after=""))]
    assert found == expected
    assert by_key == sorted(expected)


def test_how_many_have_a_common_name_is_counted_once(database):
    with database.transaction() as db:
        catalogue.enter(db, "lianhua", range(MANY_PATIENTS + 200))
    asked = []
    with database.reading() as db:
        event.listen(db, "before_execute", lambda *call: asked.append(call))
        for key in ("*an*", "?*^*", "?*^*"):
            before = len(asked)
            search_studies(db, true(), Query(keys={"PatientName": key}))
            asked[before:] = [len(asked) - before]
    assert asked == [3, 3, 1]


@pytest.mark.parametrize("how", [{}, {"read": True, "after": ""}], ids=["newest", "read-by-key"])
def test_the_beginning_of_a_name_that_many_have_costs_in_a_large_archive_what_it_does_in_a_small_one(empty_sqlite, tmp_path, how):
    steps = []
    for studies in (6_000, 12_000):
        database = Database(f"sqlite:///{shutil.copy(empty_sqlite, tmp_path / f'{studies}.sqlite')}")
        with database.transaction() as db:
            catalogue.enter(db, "lianhua", range(studies), objects=False)
        database.take_stock()
        counted = []
        with database.reading() as db:
            driver = db.connection.driver_connection
            driver.set_progress_handler(lambda counted=counted: counted.append(1), 100)  # SQLite's own steps, by the hundred
            found = search_studies(db, true(), Query(keys={"PatientName": "Z*"}, limit=50, **how))
            driver.set_progress_handler(None, 0)
        database.close()
        assert len(found) == 50
        steps.append(len(counted))
    assert steps[1] < 1.2 * steps[0]
