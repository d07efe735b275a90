"""Who is whom: nobody is merged but by a person, and every merge can be taken back."""

import itertools

import pytest
from sqlalchemy import select, true
from support.objects import an_image

from dicom_node.archive import identity, index
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.identity import doubtful, found, merge, merges, tell_apart, unmerge
from dicom_node.archive.matching import Query
from dicom_node.archive.search import search_attributes, search_studies
from dicom_node.archive.tables import merge_table, patient_table, study_table
from telemed.kernel.audit import audit_table
from telemed.kernel.errors import Conflict, Invalid, NotFound
from telemed.kernel.events import events_of


@pytest.fixture
def archive(database, chronicle, tmp_path):
    return Archive(database, chronicle, Blobs(tmp_path / "blobs"))


@pytest.fixture
def put(archive):
    numbers = itertools.count()

    def put(institution="lianhua", **attributes):
        uid = f"1.2.{next(numbers)}"
        data = an_image(StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.1.1", **attributes)
        archive.store(data, institution=institution, transfer_syntax_uid=None, source="CT1")
        return uid

    return put


@pytest.fixture
def key_of(database):
    def key_of(study, institution="lianhua"):
        with database.reading() as db:
            return index.study(db, institution, study).patient_key

    return key_of


@pytest.fixture
def join(database, chronicle):
    def join(survivor, absorbed, *, reason="same ID card", despite_conflicts=False):
        with database.transaction() as db:
            return merge(
                db,
                chronicle,
                survivor_key=survivor,
                absorbed_key=absorbed,
                reason=reason,
                despite_conflicts=despite_conflicts,
                actor="coordinator",
            )

    return join


@pytest.fixture
def part(database, chronicle):
    def part(merge_id):
        with database.transaction() as db:
            unmerge(db, chronicle, merge_id, actor="admin")

    return part


def everything(database):
    """Every row of who is whom, but for the list of merges itself."""
    with database.reading() as db:
        return [
            sorted(map(tuple, db.execute(select(*columns))))
            for columns in (
                (patient_table.c.id, patient_table.c.patient_id, patient_table.c.merged_into),
                (study_table.c.id, study_table.c.patient_key, study_table.c.received_patient_key),
            )
        ]


def uids(database, **keys):
    with database.reading() as db:
        return {one.study_instance_uid for one in search_studies(db, true(), Query(keys))}


def test_a_merged_persons_studies_are_found_together_by_either_id(database, put, key_of, join):
    old, new = put(PatientID="OLD", PatientName="WANG^FANG"), put(PatientID="NEW", PatientName="WANG^FANG")
    other = put(PatientID="X", PatientName="LI^WEI")
    join(key_of(new), key_of(old))
    for asked in (
        {"PatientID": "OLD"},
        {"PatientID": "NEW"},
        {"PatientName": "WANG*"},
        {"PatientID": "OLD", "PatientName": "wang*"},
    ):
        assert uids(database, **asked) == {old, new}
    assert uids(database) == {old, new, other}
    with database.reading() as db:
        assert {one.patient.patient_id for one in search_studies(db, true(), Query({"PatientID": "OLD"}))} == {"NEW"}
        counted = frozenset({"PatientID", "NumberOfPatientRelatedStudies"})
        [(_, person)] = search_attributes(db, "PATIENT", true(), Query({"PatientID": "OLD"}), counted)
        assert person == {"PatientID": "NEW", "NumberOfPatientRelatedStudies": 2}
        assert {one.study_instance_uid for one in index.studies_of_patient(db, "lianhua", "OLD")} == {old, new}


def test_the_objects_and_the_id_in_them_stay(database, archive, put, key_of, join):
    old, new = put(PatientID="OLD"), put(PatientID="NEW")
    before = archive.read("lianhua", f"{old}.1.1")
    named = key_of(old)
    join(key_of(new), named)
    assert archive.read("lianhua", f"{old}.1.1") == before
    with database.reading() as db:
        assert index.study(db, "lianhua", old).received_patient_key == named
        assert identity.patient(db, named).patient_id == "OLD"


def test_a_study_that_comes_later_under_the_old_id_is_the_merged_persons(database, put, key_of, join, part):
    old, new = put(PatientID="OLD"), put(PatientID="NEW")
    absorbed = key_of(old)
    merged = join(key_of(new), absorbed)
    late = put(PatientID="OLD")
    assert key_of(late) == key_of(new)
    part(merged)
    assert key_of(late) == key_of(old) == absorbed != key_of(new)


def test_taking_a_merge_back_restores_everything(database, put, key_of, join, part):
    studies = [put(PatientID=f"P{number % 3}") for number in range(6)]
    before = everything(database)
    part(join(key_of(studies[0]), key_of(studies[1])))
    assert everything(database) == before


def test_merges_may_be_taken_back_in_any_order(database, put, key_of, join, part):
    """A chain D into C into B into A: after each step it is as if the undone merges had never been made."""
    keys = [key_of(put(PatientID=f"P{number}")) for number in range(4)]
    before = everything(database)
    for order in itertools.permutations(range(3)):
        made = [join(keys[number], keys[number + 1]) for number in reversed(range(3))]
        standing = set(range(3))
        for number in order:
            part(made[2 - number])
            standing.discard(number)
            roots = [0]
            for child in range(1, 4):
                roots.append(roots[child - 1] if child - 1 in standing else child)
            with database.reading() as db:
                shown = [identity.patient(db, key).merged_into or key for key in keys]
            assert shown == [keys[root] for root in roots]
        assert everything(database) == before


def test_two_institutions_patients_are_never_merged(put, key_of, join):
    here, there = put(PatientID="1"), put("hehua", PatientID="1")
    with pytest.raises(Invalid, match="two institutions"):
        join(key_of(here), key_of(there, "hehua"))


def test_one_id_at_forty_institutions_is_forty_patients(database, archive):
    """The same ID, name and birth date everywhere: a patient belongs to one institution."""
    for number in range(40):
        uid = f"1.9.{number}"
        data = an_image(StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.1.1", PatientID="0001")
        archive.store(data, institution=f"clinic-{number}", transfer_syntax_uid=None, source="CT1")
    with database.reading() as db:
        keys = db.scalars(select(study_table.c.patient_key)).all()
        assert len(set(keys)) == len(keys) == 40
        assert doubtful(db, true()) == []


def test_differing_sex_or_birth_date_must_be_known_before_a_merge(put, key_of, join):
    one = put(PatientID="1", PatientSex="F", PatientBirthDate="19580214")
    two = put(PatientID="2", PatientSex="M", PatientBirthDate="19580214")
    with pytest.raises(Conflict, match="differ in sex"):
        join(key_of(one), key_of(two))
    join(key_of(one), key_of(two), despite_conflicts=True)


def test_a_merge_needs_a_reason_two_persons_and_to_be_taken_back_once(put, key_of, join, part):
    one, two, three = (key_of(put(PatientID=str(number))) for number in range(3))
    with pytest.raises(Invalid, match="why"):
        join(one, two, reason="  ")
    with pytest.raises(Invalid, match="one and the same"):
        join(one, one)
    with pytest.raises(NotFound):
        join(one, "nobody")
    made = join(one, two)
    with pytest.raises(Conflict, match="already"):
        join(three, two)
    part(made)
    with pytest.raises(Conflict, match="already"):
        part(made)


def test_merging_and_taking_back_are_in_log_and_trail_with_who_and_why(database, put, key_of, join, part):
    one, two = key_of(put(PatientID="1")), key_of(put(PatientID="2"))
    part(join(one, two, reason="same ID card"))
    with database.reading() as db:
        [told] = [event for event in events_of(db, one) if event.type == "PatientsMerged"]
        assert (told.data["absorbed_key"], told.data["reason"]) == (two, "same ID card")
        assert [event.type for event in events_of(db, two)] == ["PatientsUnmerged"]
        columns = (audit_table.c.actor, audit_table.c.action)
        deeds = db.execute(select(*columns).where(audit_table.c.entity == "Patient").order_by(audit_table.c.sequence))
        assert [tuple(row) for row in deeds] == [("coordinator", "PatientsMerged"), ("admin", "PatientsUnmerged")]
        [row] = merges(db, merge_table.c.institution == "lianhua")
        assert (row.merged_by, row.undone_by, row.reason) == ("coordinator", "admin", "same ID card")


@pytest.mark.parametrize(
    ("keyword", "value", "differing"),
    [
        ("PatientName", "LI^WEI", "name"),
        ("PatientSex", "M", "sex"),
        ("PatientBirthDate", "19700101", "birth_date"),
        ("IssuerOfPatientID", "OTHER", "issuer"),
    ],
)
def test_two_people_under_one_id_are_kept_apart_and_listed_until_somebody_looked(  # noqa: PLR0917 - fixtures
    database, chronicle, put, key_of, keyword, value, differing
):
    common = {"PatientID": "0001", "PatientName": "WANG^FANG", "PatientSex": "F", "PatientBirthDate": "19580214"}
    common["IssuerOfPatientID"] = "A"
    one, two = put(**common), put(**{**common, keyword: value})
    assert key_of(one) != key_of(two)
    with database.reading() as db:
        [[first, other]] = doubtful(db, true())
    assert identity.differences(first.patient, other.patient) == (differing,)
    with database.transaction() as db:
        tell_apart(db, chronicle, "lianhua", "0001", actor="admin")
    with database.reading() as db:
        assert doubtful(db, true()) == []
    put(**{**common, "PatientName": "ZHAO^MIN", "PatientBirthDate": "19991231"})
    with database.reading() as db:
        assert [len(group) for group in doubtful(db, true())] == [3]


def test_one_person_written_in_two_ways_is_no_longer_doubtful_once_merged(database, put, key_of, join):
    one, two = put(PatientID="0001", PatientName="WANG^FANG"), put(PatientID="0001", PatientName="WANG^FAN")
    join(key_of(one), key_of(two))
    with database.reading() as db:
        assert doubtful(db, true()) == []
        [person] = found(db, true(), "wang")
    assert (person.studies, len(person.merged)) == (2, 1)


def test_the_issuers_universal_id_keeps_two_issuers_apart(database, put, key_of):
    from pydicom.dataset import Dataset  # noqa: PLC0415 - only here

    def issued_by(entity):
        qualifiers = Dataset()
        qualifiers.UniversalEntityID, qualifiers.UniversalEntityIDType = entity, "ISO"
        return {"PatientID": "7", "IssuerOfPatientIDQualifiersSequence": [qualifiers]}

    one, same, other = put(**issued_by("1.2.3")), put(**issued_by("1.2.3")), put(**issued_by("1.2.4"))
    assert key_of(one) == key_of(same) != key_of(other)
    with database.reading() as db:
        assert index.study(db, "lianhua", one).patient.issuer_entity == "1.2.3"
