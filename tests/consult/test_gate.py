"""The couch gate: what is asked for again, and what becomes of it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from support.builders import a_clinic, a_nurse

from consult.gate.actions import judge, keep
from consult.gate.model import Verdict, electrodes_of, faults_of
from consult.gate.views import gate_of, open_cards, share
from consult.gate.watch import CouchGate
from consult.triage.model import Analysis
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from ecg.formats import dicom
from ecg.pipeline import analyse
from ecg.processing.quality import REASONS as QUALITY_REASONS
from ecg.recording import PatientTags, Recording
from ecg.statements import RULES
from sample_data.ecg_synthesis import synthesise
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import Conflict, Invalid, NotFound
from telemed.kernel.events import events_of


def with_fault(*rows: int, kind: str = "off") -> Recording:
    """A recording whose leads *rows* are off, clipped or hum."""
    good = synthesise("normal", seed=1)
    samples = np.array(good.millivolts)
    for row in rows:
        if kind == "off":
            samples[row] = 0.0
        elif kind == "mains":
            samples[row] += 0.12 * np.sin(2 * np.pi * 50 * np.arange(samples.shape[1]) / 500)
        else:
            samples[row] = np.clip(samples[row] * 6, -0.5, 0.6)
    return Recording("t", good.leads, 500, samples)


def judged_json(recording: Recording) -> dict:
    return analyse(recording).as_json()


def swapped(first: str, second: str) -> Recording:
    """The same heart with two limb electrodes exchanged."""
    good = synthesise("normal", seed=1)
    one, two = good.millivolts[0], good.millivolts[1]
    potential = {"RA": np.zeros_like(one), "LA": one, "LL": two}
    potential[first], potential[second] = potential[second], potential[first]
    ra, la, ll = potential["RA"], potential["LA"], potential["LL"]
    limb = [la - ra, ll - ra, ll - la, ra - (la + ll) / 2, la - (ra + ll) / 2, ll - (ra + la) / 2]
    return Recording("t", good.leads, 500, np.concatenate([np.stack(limb), good.millivolts[6:]]))


def test_a_good_recording_passes():
    for kind in ("normal", "atrial-fibrillation", "inferior-st-elevation", "complete-av-block"):
        assert faults_of(judged_json(synthesise(kind, seed=1))) == ()


def test_an_electrode_that_is_off_is_named_in_both_languages():
    (fault,) = faults_of(judged_json(with_fault(8)))
    assert (fault.code, fault.repeat, fault.leads, fault.electrodes) == ("lead-off", True, ("V3",), ("V3",))
    assert fault.text.zh.startswith("V3 电极脱落")
    assert fault.text.en.startswith("V3: electrode off")


@pytest.mark.parametrize(
    ("leads", "electrodes"),
    [
        (["I", "II", "aVR"], ("RA",)),
        (["I", "III", "aVL"], ("LA",)),
        (["II", "III", "aVF"], ("LL",)),
        (["I", "II", "III", "V6"], ("RA", "LA", "LL", "V6")),
        (["II"], ("RA", "LL")),
        (["V1", "V7"], ("V1", "V7")),
        (["aVR"], ()),
        (["ch1"], ()),
    ],
)
def test_bad_leads_point_at_the_electrode_they_share(leads, electrodes):
    assert electrodes_of(leads) == electrodes


def test_swapped_arms_are_asked_for_first_and_point_at_both_hands():
    fault = faults_of(judged_json(swapped("RA", "LA")))[0]
    assert (fault.code, fault.electrodes) == ("arm-electrodes-swapped", ("RA", "LA"))


def test_exchanged_chest_electrodes_are_named_by_their_places():
    good = synthesise("normal", seed=1)
    samples = np.array(good.millivolts)
    samples[[8, 9]] = samples[[9, 8]]
    (fault,) = faults_of(judged_json(Recording("t", good.leads, 500, samples)))
    assert (fault.code, fault.repeat, fault.electrodes) == ("chest-electrodes-swapped", True, ("V3", "V4"))
    assert fault.text.zh.startswith("V3、V4 电极可能接错")


def test_mains_is_a_hint_as_long_as_the_lead_can_be_measured_and_a_clipped_lead_is_asked_for_again():
    assert [(fault.code, fault.repeat) for fault in faults_of(judged_json(with_fault(10, kind="mains")))] == [("mains", False)]
    clipped = faults_of(judged_json(with_fault(7, kind="clipped")))
    assert ("saturated", True) in [(fault.code, fault.repeat) for fault in clipped]


def test_too_short_and_too_slow_concern_the_whole_recording():
    short = synthesise("normal", seed=1, seconds=5)
    slow = synthesise("normal", seed=1, rate=200)
    assert [(fault.code, fault.repeat) for fault in faults_of(judged_json(short))] == [("too-short", True)]
    assert [(fault.code, fault.repeat) for fault in faults_of(judged_json(slow))] == [("low-rate", False)]


def test_every_reason_and_every_statement_about_electrodes_has_words():
    from consult.gate.model import CHEST, MISPLACED, REASONS  # noqa: PLC0415 - only here
    from ecg.criteria import electrodes  # noqa: PLC0415 - only here

    assert set(QUALITY_REASONS) <= set(REASONS)
    assert {rule.code for rule in electrodes.RULES} <= {CHEST, *MISPLACED}
    assert {CHEST, *MISPLACED} <= {rule.code for rule in RULES}


@pytest.fixture
def clinic(database, chronicle):
    institution = a_clinic(database, chronicle)
    return institution, a_nurse(database, chronicle, institution)


def a_judgement(database, chronicle, institution: str, uid: str, recording: Recording, *, study: str = "2.25.1"):
    with database.transaction() as db:
        return judge(db, chronicle, institution, study, Analysis(uid, judged_json(recording)))


def test_a_repeat_in_the_same_study_replaces_what_was_asked_about(database, chronicle, clinic):
    institution, _ = clinic
    assert a_judgement(database, chronicle, institution, "1.1", with_fault(8)).verdict is Verdict.OPEN
    assert a_judgement(database, chronicle, institution, "1.2", synthesise("normal", seed=2)).verdict is Verdict.PASSED
    with database.reading() as db:
        replaced = gate_of(db, institution, "1.1")
        assert (replaced.verdict, replaced.replaced_by) == (Verdict.REPEATED, "1.2")
        assert [event.type for event in events_of(db, "1.1")] == ["EcgJudged", "EcgRepeated"]
        assert events_of(db, "1.1")[0].data["faults"] == ["lead-off"]


def test_judging_again_changes_nothing(database, chronicle, clinic):
    institution, _ = clinic
    first = a_judgement(database, chronicle, institution, "1.1", with_fault(8))
    assert a_judgement(database, chronicle, institution, "1.1", synthesise("normal", seed=1)) == first


def test_keeping_a_bad_recording_needs_a_reason_and_is_done_once(database, chronicle, clinic):
    institution, nurse = clinic
    a_judgement(database, chronicle, institution, "1.1", with_fault(8))
    with database.transaction() as db:
        with pytest.raises(Invalid, match="say why"):
            keep(db, chronicle, "1.1", reason=" ", by=nurse)
        with pytest.raises(Invalid, match="too long"):
            keep(db, chronicle, "1.1", reason="x" * 501, by=nurse)
        assert keep(db, chronicle, "1.1", reason="室颤，抢救中", by=nurse).verdict is Verdict.KEPT
        with pytest.raises(Conflict):
            keep(db, chronicle, "1.1", reason="again", by=nurse)
        assert events_of(db, "1.1")[-1].data["reason"] == "室颤，抢救中"


def test_a_hint_is_put_aside_without_a_reason_and_another_clinics_recording_not_at_all(database, chronicle, clinic):
    institution, nurse = clinic
    a_judgement(database, chronicle, institution, "1.1", with_fault(10, kind="mains"))
    stranger = a_nurse(database, chronicle, a_clinic(database, chronicle, "别处卫生院"))
    with database.transaction() as db:
        with pytest.raises(NotFound):
            keep(db, chronicle, "1.1", reason="", by=stranger)
        assert keep(db, chronicle, "1.1", reason="", by=nurse).verdict is Verdict.KEPT


def test_the_share_of_repeats_can_be_told(database, chronicle, clinic):
    institution, nurse = clinic
    a_judgement(database, chronicle, institution, "1.1", with_fault(8), study="2.25.1")
    a_judgement(database, chronicle, institution, "1.2", synthesise("normal", seed=2), study="2.25.1")
    a_judgement(database, chronicle, institution, "1.3", with_fault(6), study="2.25.2")
    with database.transaction() as db:
        keep(db, chronicle, "1.3", reason="emergency", by=nurse)
    now = chronicle.clock.now()
    with database.reading() as db:
        found = share(db, institution, now - timedelta(hours=1), now + timedelta(hours=1))
    assert (found.judged, found.asked, found.repeated, found.kept) == (3, 2, 1, 1)


def test_what_a_modality_sent_is_judged_when_it_arrives(database, chronicle, clinic, tmp_path):
    institution, nurse = clinic
    archive, confinement = Archive(database, chronicle, Blobs(tmp_path / "blobs")), Confinement(processes=1, seconds=60)
    patient = PatientTags("P1", "LI^Ming", "M")
    uids = {"study_instance_uid": "2.25.1", "series_instance_uid": "2.25.2", "sop_instance_uid": "2.25.3"}
    content = dicom.write(with_fault(8), patient, **uids, acquired_at=datetime(2026, 3, 2, tzinfo=UTC))
    gate = CouchGate(database, chronicle, archive, confinement)
    try:
        archive.store(io.BytesIO(content).getvalue(), institution=institution, transfer_syntax_uid=None, source="MODALITY")
        with database.reading() as db:
            stored = next(event for event in events_of(db, "2.25.1") if event.type == "InstanceStored")
        write = gate.prepare(stored)
        with database.transaction() as db:
            write(db)
        assert gate.prepare(stored) is None
        with database.reading() as db:
            (card,) = open_cards(db, nurse)
    finally:
        confinement.close()
    assert (card.patient.patient_id, card.gate.faults[0].electrodes) == ("P1", ("V3",))


@pytest.fixture
def couch(database, chronicle, tmp_path):
    """The gate and what hands it a recording of patient P1 and returns what it said."""
    archive, confinement = Archive(database, chronicle, Blobs(tmp_path / "blobs")), Confinement(processes=1, seconds=60)
    gate = CouchGate(database, chronicle, archive, confinement)

    def received(institution: str, recording: Recording, study: str, number: int, day: int):
        uid = f"{study}.{number}"
        uids = {"study_instance_uid": study, "series_instance_uid": f"{study}.9", "sop_instance_uid": uid}
        patient = PatientTags("P1", "LI^Ming", "M")
        content = dicom.write(recording, patient, **uids, acquired_at=datetime(2026, 3, day, tzinfo=UTC))
        archive.store(content, institution=institution, transfer_syntax_uid=None, source="MODALITY")
        with database.reading() as db:
            stored = next(
                event
                for event in events_of(db, study)
                if event.type == "InstanceStored" and event.data["sop_instance_uid"] == uid
            )
        write = gate.prepare(stored)
        with database.transaction() as db:
            write(db)
        with database.reading() as db:
            return gate_of(db, institution, uid)

    yield received
    confinement.close()


def test_electrodes_exchanged_since_the_patients_previous_ecg_are_a_hint(couch, clinic):
    institution, _ = clinic
    couch(institution, swapped("LA", "LL"), "2.25.1", 1, day=1)
    said = couch(institution, synthesise("normal", seed=2), "2.25.2", 1, day=2)
    (fault,) = said.faults
    assert (fault.code, fault.repeat) == ("electrodes-exchanged-since-previous", False)
    assert (fault.electrodes, fault.leads) == (("LA", "LL"), ("III",))
    assert "左手与左腿电极可能互换" in fault.text.zh
    assert not said.asks


def test_a_repeat_is_not_compared_with_what_it_replaces_nor_a_first_ecg_with_a_later_one(couch, clinic):
    institution, _ = clinic
    couch(institution, swapped("LA", "LL"), "2.25.2", 1, day=2)
    assert couch(institution, synthesise("normal", seed=2), "2.25.2", 2, day=2).faults == ()
    assert couch(institution, swapped("RA", "LA"), "2.25.3", 1, day=3).faults[0].code == "arm-electrodes-swapped"
    assert couch(institution, synthesise("normal", seed=3), "2.25.1", 1, day=1).faults == ()


def test_another_clinics_patient_of_the_same_id_is_another_patient(couch, clinic, database, chronicle):
    institution, _ = clinic
    couch(a_clinic(database, chronicle, "别处卫生院"), swapped("LA", "LL"), "2.25.1", 1, day=1)
    assert couch(institution, synthesise("normal", seed=2), "2.25.2", 1, day=2).faults == ()
