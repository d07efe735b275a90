"""Two people in one row are parted by a person, study by study, and put back exactly."""

import itertools

import pytest
from sqlalchemy import select, true
from support.objects import an_image

from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.identity import doubtful, found, merge, persons, unmerge
from dicom_node.archive.matching import Query
from dicom_node.archive.search import search_studies
from dicom_node.archive.splitting import split, splits, studies_shown_with, unsplit
from dicom_node.archive.tables import patient_table, study_table, word_table
from telemed.kernel.audit import audit_table
from telemed.kernel.errors import Conflict, Invalid, NotFound


class Desk:
    """What a test does: put studies into an archive, and say who is whom."""

    def __init__(self, database, chronicle, folder):
        self.database, self.chronicle = database, chronicle
        self.archive = Archive(database, chronicle, Blobs(folder))
        self.numbers = itertools.count()

    def put(self, patient_id, institution="lianhua", **attributes):
        uid = f"1.2.{next(self.numbers)}"
        data = an_image(
            StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.1.1", PatientID=patient_id, **attributes
        )
        self.archive.store(data, institution=institution, transfer_syntax_uid=None, source="CT1")
        return uid

    def key_of(self, study, institution="lianhua"):
        with self.database.reading() as db:
            return index.study(db, institution, study).patient_key

    def split(self, from_key, *studies, to=None, reason="two sisters"):
        told = {"study_instance_uids": studies, "reason": reason, "actor": "admin"}
        with self.database.transaction() as db:
            return split(db, self.chronicle, from_key=from_key, to_key=to, **told)

    def unsplit(self, split_id):
        with self.database.transaction() as db:
            unsplit(db, self.chronicle, split_id, actor="admin")

    def merge(self, survivor, absorbed):
        told = {"reason": "same", "despite_conflicts": True, "actor": "admin"}
        with self.database.transaction() as db:
            return merge(db, self.chronicle, survivor_key=survivor, absorbed_key=absorbed, **told)

    def unmerge(self, merge_id):
        with self.database.transaction() as db:
            unmerge(db, self.chronicle, merge_id, actor="admin")

    def everything(self):
        """Every row of who is whom."""
        with self.database.reading() as db:
            return [
                sorted(map(tuple, db.execute(select(*columns))))
                for columns in (
                    (patient_table.c.id, patient_table.c.variant, patient_table.c.merged_into),
                    (study_table.c.id, study_table.c.patient_key, study_table.c.received_patient_key),
                    (word_table.c.word, word_table.c.patient_key),
                )
            ]


@pytest.fixture
def desk(database, chronicle, tmp_path):
    return Desk(database, chronicle, tmp_path / "blobs")


def test_studies_of_two_people_in_one_row_are_parted_and_put_back_exactly(desk):
    mine, hers, more = (desk.put("0001", PatientName="WANG^FANG") for _ in range(3))
    before = desk.everything()
    one = desk.key_of(mine)
    done = desk.split(one, hers)
    other = desk.key_of(hers)
    assert desk.key_of(mine) == desk.key_of(more) == one != other
    with desk.database.reading() as db:
        people = persons(db, {one, other})
        assert (people[one].studies, people[other].studies) == (2, 1)
        assert {person.patient.id for person in found(db, true(), "wang")} == {one, other}
        assert doubtful(db, true()) == []  # somebody has just looked
        assert [study.study_instance_uid for study in studies_shown_with(db, other)] == [hers]
        assert len(search_studies(db, true(), Query({"PatientID": "0001"}))) == 3
    desk.unsplit(done)
    assert desk.everything() == before
    with desk.database.reading() as db:
        [told] = splits(db, true())
        deeds = list(db.scalars(select(audit_table.c.action).order_by(audit_table.c.sequence)))
    assert (told.undone_by, told.undone_at, told.reason) == ("admin", desk.chronicle.clock.now(), "two sisters")
    assert [deed for deed in deeds if deed.startswith("Patients")] == ["PatientsSplit", "PatientsUnsplit"]
    with pytest.raises(Conflict, match="already"):
        desk.unsplit(done)


def test_what_comes_later_of_a_moved_study_stays_with_whom_it_was_moved_to(desk):
    mine, hers = desk.put("0001"), desk.put("0001")
    desk.split(desk.key_of(mine), hers)
    other = desk.key_of(hers)
    data = an_image(StudyInstanceUID=hers, SeriesInstanceUID=f"{hers}.1", SOPInstanceUID=f"{hers}.1.2", PatientID="0001")
    desk.archive.store(data, institution="lianhua", transfer_syntax_uid=None, source="CT1")
    assert desk.key_of(hers) == other


def test_a_study_goes_to_a_patient_who_is_there_already_and_all_of_them_may(desk):
    mine, hers, known = desk.put("0001"), desk.put("0001"), desk.put("77")
    one, target = desk.key_of(mine), desk.key_of(known)
    before = desk.everything()
    done = desk.split(one, mine, hers, to=target)
    assert desk.key_of(mine) == desk.key_of(hers) == target
    desk.unsplit(done)
    assert desk.everything() == before


def test_splits_and_merges_are_taken_back_in_any_order(desk):
    def fresh():
        mine, hers, absorbed = (desk.put(f"{next(desk.numbers)}") for _ in range(3))
        one, other, old = map(desk.key_of, (mine, hers, absorbed))
        return one, other, old, absorbed

    one, other, old, study = fresh()
    before = desk.everything()
    joined = desk.merge(one, old)
    parted = desk.split(one, study, to=other)
    desk.unmerge(joined)
    assert desk.key_of(study) == other
    desk.unsplit(parted)
    assert desk.everything() == before

    joined = desk.merge(one, old)
    parted = desk.split(one, study, to=other)
    later = desk.merge(one, other)
    assert desk.key_of(study) == one
    desk.unsplit(parted)
    desk.unmerge(later)
    desk.unmerge(joined)
    assert desk.everything() == before


def test_a_study_that_was_moved_twice_is_moved_back_in_the_other_order(desk):
    mine, hers, known = desk.put("0001"), desk.put("0001"), desk.put("77")
    one, target = desk.key_of(mine), desk.key_of(known)
    before = desk.everything()
    first = desk.split(one, hers)
    second = desk.split(desk.key_of(hers), hers, to=target)
    with pytest.raises(Conflict, match="moved again"):
        desk.unsplit(first)
    desk.unsplit(second)
    desk.unsplit(first)
    assert [rows for number, rows in enumerate(desk.everything()) if number == 1] == [before[1]]


def test_what_cannot_be_split_is_refused_and_nothing_has_changed(desk):
    mine, hers, other, far = desk.put("0001"), desk.put("0001"), desk.put("77"), desk.put("0001", institution="hehua")
    one, target = desk.key_of(mine), desk.key_of(other)
    away = desk.key_of(far, "hehua")
    before = desk.everything()
    for studies, to, reason, kind in (
        ((mine, hers), None, "all of them", Invalid),
        ((hers,), one, "the same", Invalid),
        ((hers,), away, "elsewhere", Invalid),
        ((hers,), None, " ", Invalid),
        ((), None, "none", Invalid),
        ((other,), None, "not theirs", NotFound),
        ((hers,), "nobody", "nobody", NotFound),
    ):
        with pytest.raises(kind):
            desk.split(one, *studies, to=to, reason=reason)
    desk.merge(target, one)
    with pytest.raises(Conflict):
        desk.split(one, hers)
    with pytest.raises(NotFound):
        desk.unsplit("none")
    assert before[0] != desk.everything()[0]  # but for the merge
