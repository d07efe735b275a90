"""An order and its study find each other, or wait for a person: never the wrong one."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consult.requests.matching import EARLY, LATE, Facts, Ground, contradictions, match

AT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
ORDER = Facts("o", "1.2.3", "A1", "P1", "F", "19580214", frozenset({"CT"}), frozenset({"CT1"}), AT)
STUDY = replace(ORDER, id="s", at=AT + timedelta(minutes=20))


def unnumbered(facts: Facts, **terms) -> Facts:
    return replace(facts, study_instance_uid="" if facts.id.startswith("o") else "9.9", accession_number="", **terms)


@pytest.mark.parametrize(
    ("study", "order", "ground"),
    [
        (STUDY, ORDER, Ground.STUDY_UID),
        (replace(STUDY, study_instance_uid="9.9"), ORDER, Ground.ACCESSION),
        (unnumbered(STUDY), unnumbered(ORDER), Ground.PATIENT),
        (unnumbered(STUDY, stations=frozenset()), unnumbered(ORDER), Ground.PATIENT),
        (unnumbered(STUDY, at=AT - EARLY), unnumbered(ORDER), Ground.PATIENT),
        (unnumbered(STUDY, at=AT + LATE), unnumbered(ORDER), Ground.PATIENT),
    ],
)
def test_one_order_and_one_study_that_name_each_other_are_linked(study, order, ground):
    assert match(study, [order]) == ("o", ground)


@pytest.mark.parametrize(
    ("study", "orders"),
    [
        (STUDY, []),
        (replace(STUDY, patient_id="P2"), [ORDER]),  # a number typed twice
        (replace(STUDY, sex="M"), [ORDER]),
        (replace(STUDY, birth_date="19580215"), [ORDER]),
        (replace(STUDY, modalities=frozenset({"US"})), [ORDER]),
        (replace(STUDY, study_instance_uid="9.9", accession_number="A2"), [ORDER]),
        (unnumbered(STUDY, stations=frozenset({"CT2"})), [unnumbered(ORDER)]),
        (unnumbered(STUDY, at=AT - EARLY - timedelta(seconds=1)), [unnumbered(ORDER)]),
        (unnumbered(STUDY, at=AT + LATE + timedelta(seconds=1)), [unnumbered(ORDER)]),
        (unnumbered(STUDY), [unnumbered(ORDER), unnumbered(replace(ORDER, id="o2"))]),
        (unnumbered(STUDY, patient_id=""), [unnumbered(ORDER, patient_id="")]),
    ],
)
def test_a_contradiction_a_rival_or_too_little_leaves_both_to_a_person(study, orders):
    assert match(study, orders) is None


def test_two_studies_that_fit_one_order_are_both_left_to_a_person():
    assert match(unnumbered(STUDY), [unnumbered(ORDER)], others=[unnumbered(replace(STUDY, id="s2"))]) is None


facts = st.builds(
    Facts,
    id=st.uuids().map(str),
    study_instance_uid=st.sampled_from(["", "1", "2"]),
    accession_number=st.sampled_from(["", "A1", "A2"]),
    patient_id=st.sampled_from(["", "P1", "P2"]),
    sex=st.sampled_from(["", "M", "F"]),
    birth_date=st.sampled_from(["", "19580214", "19600101"]),
    modalities=st.sampled_from([frozenset(), frozenset({"CT"}), frozenset({"US"})]),
    stations=st.sampled_from([frozenset(), frozenset({"CT1"})]),
    at=st.just(AT),
)


@settings(max_examples=80)
@given(facts, st.lists(facts, max_size=5))
def test_nothing_that_contradicts_is_ever_linked_and_the_order_of_orders_does_not_matter(study, orders):
    found = match(study, orders)
    assert found == match(study, orders[::-1])
    if found:
        (order,) = [each for each in orders if each.id == found[0]]
        assert contradictions(study, order) == ()


def a_thousand_pairs(seed: int) -> tuple[list[Facts], list[Facts]]:
    """A county's week: most come over the worklist, some with the number typed, some without, some mistyped or doubled."""
    chance = random.Random(seed)
    orders, studies = [], []
    for number in range(1000):
        at = AT + timedelta(minutes=chance.randrange(7 * 24 * 60))
        modality = chance.choice(["CT", "DX", "US", "ECG"])
        order = Facts(
            f"o{number}",
            f"2.25.{number}",
            f"A{number:05}",
            f"P{number:05}",
            chance.choice("MF"),
            f"19{chance.randrange(30, 99)}0{chance.randrange(1, 9)}1{chance.randrange(9)}",
            frozenset({modality}),
            frozenset({modality + "1"}),
            at,
        )
        study = replace(order, id=f"s{number}", at=at + timedelta(minutes=chance.randrange(1, 90)))
        way = chance.random()
        if way < 0.55:  # the modality took both from the worklist
            pass
        elif way < 0.80:  # it makes UIDs of its own
            study = replace(study, study_instance_uid=f"1.2.{number}")
        elif way < 0.985:  # nothing but the patient was typed at the machine
            study = replace(study, study_instance_uid=f"1.2.{number}", accession_number="", sex=chance.choice(["", order.sex]))
        elif way < 0.992:  # the neighbour's accession number was typed
            study = replace(study, study_instance_uid=f"1.2.{number}", accession_number=f"A{(number + 1) % 1000:05}")
        else:  # nothing can be believed
            study = replace(study, study_instance_uid=f"1.2.{number}", accession_number="", patient_id="0")
        orders.append(order)
        studies.append(study)
    chance.shuffle(studies)
    return orders, studies


@pytest.mark.parametrize("seed", range(3))
def test_of_a_thousand_mixed_pairs_none_is_linked_wrongly_and_98_in_100_by_themselves(seed):
    orders, studies = a_thousand_pairs(seed)
    waiting = {order.id: order for order in orders}
    right = wrong = 0
    for study in sorted(studies, key=lambda each: each.at):
        found = match(study, waiting.values())
        if found is not None:
            del waiting[found[0]]
            right, wrong = (right + 1, wrong) if found[0][1:] == study.id[1:] else (right, wrong + 1)
    assert wrong == 0
    assert right >= 980, right
