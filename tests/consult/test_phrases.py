"""Templates and macros: which fit, whose they are, and how every change is taken back."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import update
from support.builders import a_county, a_hospital, a_specialist, a_study, a_task

from consult.phrases import actions, views
from consult.phrases.built_in import built_in
from consult.phrases.matching import regions_in
from consult.phrases.model import Keeper, PhraseKind, PhraseWording, Region, blanks_in, checked
from consult.reports.checks import Writing, remarks
from consult.requests.model import Lane
from dicom_node.archive.tables import series_table, study_table
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused

KNEE = PhraseWording(
    "膝关节", findings="{{侧:左|右}}膝关节未见骨折。", impression="未见骨折。", modalities=("dx",), regions=(Region.LIMB,)
)
MACRO = PhraseWording("请结合临床", abbreviation="JHLC", text="请结合临床。")


def do(database, chronicle, action, *args, **kwargs):
    with database.transaction() as db:
        return action(db, chronicle, *args, **kwargs)


def offered(database, viewer, task_id, language="zh"):
    with database.reading() as db:
        return views.offered(db, viewer, task_id, language)


def named(database, viewer, id_):
    with database.reading() as db:
        return next(one for one in views.phrases(db, viewer, "zh") if one.id == id_)


def of_body_part(database, uid, body_part="", description=""):
    with database.transaction() as db:
        study = db.execute(update(study_table).where(study_table.c.study_instance_uid == uid).values(description=description))
        assert study.rowcount == 1
        db.execute(update(series_table).values(body_part=body_part, description=""))
    return uid


def test_what_is_built_in_is_worded_in_both_languages_with_the_same_tags():
    chinese, english = built_in("zh"), built_in("en")
    assert [one.id for one in chinese] == [one.id for one in english]
    assert len({one.id for one in chinese}) == len(chinese) > 40
    for zh, en in zip(chinese, english, strict=True):
        assert (zh.kind, zh.wording.modalities, zh.wording.regions, zh.wording.lanes) == (
            en.kind, en.wording.modalities, en.wording.regions, en.wording.lanes,
        )  # fmt: skip
    abbreviations = [one.wording.abbreviation for one in chinese if one.kind is PhraseKind.MACRO]
    assert len(set(abbreviations)) == len(abbreviations)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_built_in_template_without_blanks_leaves_a_reader_nothing_to_be_asked_about(language):
    for one in built_in(language):
        said = one.wording
        if one.kind is PhraseKind.TEMPLATE and not blanks_in(said.findings, said.impression):
            assert remarks(Writing(said.findings, said.impression)) == (), one.id


@pytest.mark.parametrize(
    ("words", "regions"),
    [
        (["CHEST"], {Region.CHEST}),
        (["TSPINE"], {Region.SPINE}),
        (["胸椎正侧位"], {Region.SPINE}),
        (["头颅+胸部CT平扫"], {Region.HEAD, Region.CHEST}),
        (["左膝关节正侧位"], {Region.LIMB}),
        (["", "Axial"], set()),
    ],
)
def test_regions_are_read_from_body_parts_and_descriptions(words, regions):
    assert regions_in(words) == regions


@pytest.mark.parametrize(
    ("study", "first"),
    [
        (("CT", "HEAD", Lane.IMAGING), "ct-head-normal"),
        (("CT", "HEAD", Lane.STROKE), "ct-head-stroke"),
        (("CT", "CHEST", Lane.IMAGING), "ct-chest-normal"),
        (("CT", "CHEST", Lane.TRAUMA), "ct-chest-trauma"),
        (("CT", "LSPINE", Lane.IMAGING), "ct-lumbar-disc"),
        (("DX", "CHEST", Lane.IMAGING), "cr-chest-normal"),
        (("US", "THYROID", Lane.ULTRASOUND), "us-thyroid"),
        (("ECG", "", Lane.ECG), "ecg-normal"),
        (("ECG", "", Lane.ECG_CRITICAL), "ecg-sinus-rate"),
    ],
)
def test_the_first_template_is_of_the_studys_modality_region_and_lane(database, chronicle, study, first):
    modality, body_part, lane = study
    county = a_county(database, chronicle)
    uid = of_body_part(database, a_study(database, chronicle, county.clinic, modality=modality), body_part)
    task_id = a_task(database, chronicle, county.nurse, uid, modality=modality, lane=lane)
    reader = county.cardiologist if modality == "ECG" else county.radiologist
    offer = offered(database, reader, task_id)
    assert offer.fit[0].id == first
    assert all(modality in one.wording.modalities or not one.wording.modalities for one in offer.fit)
    assert {one.id for one in offer.fit} | {one.id for one in offer.others} == {
        one.id for one in built_in("zh") if one.kind is PhraseKind.TEMPLATE
    }


def test_no_template_of_a_region_fits_a_study_whose_region_nobody_named(database, chronicle):
    county = a_county(database, chronicle)
    uid = of_body_part(database, a_study(database, chronicle, county.clinic, modality="CT"), "")
    task_id = a_task(database, chronicle, county.nurse, uid, modality="CT", lane=Lane.IMAGING)
    offer = offered(database, county.radiologist, task_id)
    assert not any(one.wording.regions for one in offer.fit)
    assert "ct-head-normal" in {one.id for one in offer.others}
    assert {one.id for one in offer.macros} >= {
        one.id for one in built_in("zh") if one.kind is PhraseKind.MACRO and "CT" in one.wording.modalities
    }


def test_ones_own_copy_stands_before_the_hospitals_and_both_in_place_of_what_they_were_copied_from(database, chronicle):
    county = a_county(database, chronicle)
    uid = of_body_part(database, a_study(database, chronicle, county.clinic), "HEAD")
    task_id = a_task(database, chronicle, county.nurse, uid)
    copy = dataclasses.replace(built_in("zh")[0].wording, impression="颅脑 CT 未见异常。")
    terms = {"shared": True, "based_on": "ct-head-normal"}
    hospitals = do(database, chronicle, actions.add, PhraseKind.TEMPLATE, copy, **terms, by=county.colleague)
    assert offered(database, county.radiologist, task_id).fit[0].id == hospitals
    terms = {"shared": False, "based_on": hospitals}
    own = do(database, chronicle, actions.add, PhraseKind.TEMPLATE, copy, **terms, by=county.radiologist)
    mine = offered(database, county.radiologist, task_id)
    assert (mine.fit[0].id, mine.fit[0].keeper) == (own, Keeper.PERSON)
    assert {hospitals, "ct-head-normal"}.isdisjoint(one.id for one in (*mine.fit, *mine.others))
    assert offered(database, county.colleague, task_id).fit[0].id == hospitals
    do(database, chronicle, actions.remove, own, by=county.radiologist)
    assert offered(database, county.radiologist, task_id).fit[0].id == hospitals


def test_every_change_is_a_version_and_can_be_taken_back(database, chronicle, clock):
    county = a_county(database, chronicle)
    id_ = do(database, chronicle, actions.add, PhraseKind.TEMPLATE, KNEE, shared=True, by=county.radiologist)
    clock.pass_(minutes=1)
    changed = dataclasses.replace(KNEE, impression="未见明确骨折。")
    do(database, chronicle, actions.change, id_, changed, 1, by=county.colleague)
    with pytest.raises(Conflict, match="version 2"):
        do(database, chronicle, actions.change, id_, KNEE, 1, by=county.radiologist)
    with database.reading() as db:
        second, first = views.versions(db, county.radiologist, id_)
    assert (first.wording.impression, second.wording.impression) == ("未见骨折。", "未见明确骨折。")
    assert (first.changed_by.name, second.changed_by.name) == ("王敏", "陈涛")
    do(database, chronicle, actions.remove, id_, by=county.radiologist)
    assert named(database, county.colleague, id_).removed_at is not None
    do(database, chronicle, actions.restore, id_, 1, by=county.colleague)
    back = named(database, county.radiologist, id_)
    assert (back.version, back.wording.impression, back.removed_at) == (3, "未见骨折。", None)
    do(database, chronicle, actions.remove, id_, by=county.radiologist)
    do(database, chronicle, actions.restore, id_, 3, by=county.radiologist)
    assert (named(database, county.radiologist, id_).version, named(database, county.radiologist, id_).removed_at) == (3, None)
    with pytest.raises(NotFound):
        do(database, chronicle, actions.restore, id_, 9, by=county.radiologist)


def test_nobody_sees_or_changes_what_another_person_or_hospital_keeps(database, chronicle):
    county = a_county(database, chronicle)
    stranger = a_specialist(database, chronicle, a_hospital(database, chronicle, "白云县医院"))
    own = do(database, chronicle, actions.add, PhraseKind.MACRO, MACRO, shared=False, by=county.radiologist)
    shared = do(database, chronicle, actions.add, PhraseKind.MACRO, MACRO, shared=True, by=county.radiologist)
    for id_, who in ((own, county.colleague), (own, stranger), (shared, stranger), (shared, county.nurse)):
        with database.reading() as db:
            assert id_ not in {one.id for one in views.phrases(db, who, "zh")}
            with pytest.raises(NotFound):
                views.versions(db, who, id_)
        for action, args in ((actions.change, (MACRO, None)), (actions.remove, ()), (actions.restore, (1,))):
            with pytest.raises(NotFound):
                do(database, chronicle, action, id_, *args, by=who)
    with pytest.raises(Refused):
        do(database, chronicle, actions.add, PhraseKind.MACRO, MACRO, shared=True, by=county.nurse)


@pytest.mark.parametrize(
    ("kind", "wording"),
    [
        (PhraseKind.TEMPLATE, PhraseWording(" ", findings="x")),
        (PhraseKind.TEMPLATE, PhraseWording("x", text="only a macro has one")),
        (PhraseKind.MACRO, PhraseWording("x", abbreviation="a b", text="x")),
        (PhraseKind.MACRO, PhraseWording("x", abbreviation="；", text="x")),
        (PhraseKind.MACRO, PhraseWording("x", text="x")),
        (PhraseKind.MACRO, PhraseWording("x", abbreviation="x")),
        (PhraseKind.TEMPLATE, PhraseWording("x", findings="长" * 5001)),
        (PhraseKind.TEMPLATE, PhraseWording("x", findings="x", modalities=tuple(f"M{n}" for n in range(13)))),
    ],
)
def test_a_phrase_that_says_nothing_or_too_much_is_refused(kind, wording):
    with pytest.raises(Invalid):
        checked(kind, wording)


def test_a_phrase_is_kept_trimmed():
    assert checked(PhraseKind.MACRO, MACRO).abbreviation == "jhlc"
    assert checked(PhraseKind.TEMPLATE, KNEE).modalities == ("DX",)


def test_a_blank_is_what_stands_in_double_braces_on_one_line():
    assert blanks_in("约 {{大小}} mm", "{{侧:左|右}}肾") == ("{{大小}}", "{{侧:左|右}}")
    assert blanks_in("{大小}", "{{a\nb}}", "f(x) = {}") == ()
