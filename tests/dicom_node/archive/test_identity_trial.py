"""However many hospitals number their patients alike, and whatever people merge and take back: nobody meets a stranger's studies.

Every patient ID is borne by many patients, at other hospitals and at the same one. While their studies come, somebody merges
patients and takes merges back, and tries to merge those of two hospitals.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import defaultdict
from dataclasses import replace
from typing import NamedTuple

import pytest
from sqlalchemy import func, select
from support.objects import an_image

from dicom_node.archive.charset import PersonName
from dicom_node.archive.header import read_header
from dicom_node.archive.identity import merge, unmerge
from dicom_node.archive.indexing import Received, enter
from dicom_node.archive.matching import Query
from dicom_node.archive.part10 import read_preface
from dicom_node.archive.search import search_studies
from dicom_node.archive.tables import patient_table, study_table
from telemed.kernel.errors import Conflict, Invalid

#: Studies on each database; `TELEMED_IDENTITY_RUNS=100000` takes some minutes.
RUNS = int(os.environ.get("TELEMED_IDENTITY_RUNS", "2000"))
AT_ONCE = 200
HOSPITALS = [f"hospital-{number}" for number in range(20)]
IDS = [f"{number:06}" for number in range(max(RUNS // 200, 1))]
NAMES = ("WANG^FANG", "LI^WEI")
BIRTH_DATES = ("19580214", "19700101")
ISSUERS = ("A", "B")


class Who(NamedTuple):
    """A patient as the devices name them."""

    hospital: str
    patient_id: str
    issuer: str
    name: str
    birth_date: str


class Trial:
    """The studies that came so far, and who is whom by what people said."""

    def __init__(self, database, chronicle):
        self.database, self.chronicle, self.chance = database, chronicle, random.Random(26)
        file = memoryview(an_image())
        preface = read_preface(file)
        self.header, self.syntax = read_header(file[preface.length :], preface.transfer_syntax_uid), preface.transfer_syntax_uid
        self.numbers = itertools.count()
        self.studies: dict[Who, set[str]] = defaultdict(set)
        #: Merges that stand: its id, who was absorbed and into whom.
        self.merged: list[tuple[str, Who, Who]] = []
        self.attempts = 0

    def receive(self, count: int) -> None:
        """File *count* studies, each of anybody."""
        received = []
        for _ in range(count):
            who = Who(*map(self.chance.choice, (HOSPITALS, IDS, ISSUERS, NAMES, BIRTH_DATES)))
            uid = f"1.2.3.{next(self.numbers)}"
            self.studies[who].add(uid)
            named = {"patient_id": who.patient_id, "issuer": who.issuer, "birth_date": who.birth_date, "sex": "F"}
            uids = {"study_instance_uid": uid, "series_instance_uid": f"{uid}.1", "sop_instance_uid": f"{uid}.1.1"}
            header = replace(self.header, patient_name=PersonName(who.name), **named, **uids)
            at = self.chronicle.clock.now()
            received.append(Received(who.hospital, header, self.syntax, uid, uid, 1, "CT1", at))
        with self.database.transaction() as db:
            enter(db, received)

    def key_of(self, who: Who) -> str:
        columns = patient_table.c
        named = select(columns.id).where(
            columns.institution == who.hospital, columns.patient_id == who.patient_id, columns.issuer == who.issuer,
            columns.name == who.name, columns.birth_date == who.birth_date,
        )  # fmt: skip
        with self.database.reading() as db:
            return db.execute(named).scalar_one()

    def join(self, survivor: Who, absorbed: Who) -> None:
        """Say that two are one person; refused for two hospitals, or for whom is part of somebody already."""
        self.attempts += 1
        part_of = {one for _, one, _ in self.merged}
        keys = {"survivor_key": self.key_of(survivor), "absorbed_key": self.key_of(absorbed)}
        saying = {"reason": "same ID card", "despite_conflicts": True, "actor": "coordinator"}
        refusal = Invalid if survivor.hospital != absorbed.hospital else Conflict if {survivor, absorbed} & part_of else None
        with self.database.transaction() as db:
            if refusal:
                with pytest.raises(refusal):
                    merge(db, self.chronicle, **keys, **saying)
            else:
                self.merged.append((merge(db, self.chronicle, **keys, **saying), absorbed, survivor))

    def part(self) -> None:
        """Take some merge back."""
        if self.merged:
            made, *_ = self.merged.pop(self.chance.randrange(len(self.merged)))
            with self.database.transaction() as db:
                unmerge(db, self.chronicle, made, actor="admin")

    def person(self, who: Who) -> Who:
        """Who *who* is by the merges that stand."""
        into = {absorbed: survivor for _, absorbed, survivor in self.merged}
        while who in into:
            who = into[who]
        return who

    def expected(self) -> dict[Who, set[str]]:
        """The studies of each person."""
        found: dict[Who, set[str]] = defaultdict(set)
        for who, uids in self.studies.items():
            found[self.person(who)] |= uids
        return found

    def shown(self) -> dict[Who, set[str]]:
        """The studies of each person as the index has them."""
        patient, study = patient_table.c, study_table.c
        columns = (patient.institution, patient.patient_id, patient.issuer, patient.name, patient.birth_date)
        query = select(*columns, study.institution, study.study_instance_uid).join(study_table, study.patient_key == patient.id)
        found: dict[Who, set[str]] = defaultdict(set)
        with self.database.reading() as db:
            for *who, institution, uid in db.execute(query):
                assert institution == who[0]
                found[Who(*who)].add(uid)
        return found

    def found(self, hospital: str, patient_id: str) -> set[str]:
        """What equipment of *hospital* finds under *patient_id*."""
        with self.database.reading() as db:
            mine = study_table.c.institution == hospital
            return {one.study_instance_uid for one in search_studies(db, mine, Query({"PatientID": patient_id}))}


def test_no_two_hospitals_patients_become_one_however_their_ids_collide(database, chronicle):
    trial = Trial(database, chronicle)
    for _ in range(RUNS // AT_ONCE):
        trial.receive(AT_ONCE)
        known = list(trial.studies)
        for _ in range(AT_ONCE // 50):
            trial.join(*trial.chance.sample(known, 2))
            one = trial.chance.choice(known)
            beside = [other for other in known if other.hospital == one.hospital and other != one]
            trial.join(one, trial.chance.choice(beside))
            if trial.chance.random() < 0.3:
                trial.part()
    assert trial.shown() == trial.expected()
    with database.reading() as db:
        assert db.execute(select(func.count()).select_from(patient_table)).scalar_one() == len(trial.studies)
    persons = trial.expected()
    for hospital in trial.chance.sample(HOSPITALS, 5):
        for patient_id in trial.chance.sample(IDS, min(10, len(IDS))):
            bearers = {trial.person(who) for who in trial.studies if who[:2] == (hospital, patient_id)}
            assert trial.found(hospital, patient_id) == set().union(*(persons[one] for one in bearers))
    assert 0 < len(trial.merged) < trial.attempts
