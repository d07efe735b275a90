import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.archive.completeness import Kept, Missing, Proof, Verdict, judge

AT = datetime(2026, 3, 2, tzinfo=UTC)
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def an_image(number=None, *, series=1, uid=None, **attributes):
    name = uid or f"{series}.{number}"
    return Kept(name, "1.2.840.10008.5.1.4.1.1.2", f"series{series}", series, number, attributes, "CT1", AT)


def judged(images, announced=(), committed=None):
    return judge(images, announced=None if announced is None else frozenset(announced), committed=committed)


def slices(*places):
    return [
        an_image(uid=str(place), ImageOrientationPatient=AXIAL, ImagePositionPatient=[0.0, 0.0, float(place)]) for place in places
    ]


def test_a_step_that_named_what_is_here_proves_it_at_once():
    images = [an_image(1), an_image(2)]
    assert judged(images, ["1.1", "1.2"]) == Verdict(Proof.MPPS, final=True)
    assert judged(images, ["1.1"]) == Verdict(Proof.MPPS, final=True)
    assert judged(images, ["1.1", "1.2", "1.3", "1.4"]) == Verdict(missing=(Missing(None, "", 2),))
    assert judged(images, []).proof is None


def test_while_a_step_goes_on_nothing_proves_anything():
    assert judged([an_image(n, NumberOfStudyRelatedInstances=2) for n in (1, 2)], None).proof is None
    assert judged([an_image(1), an_image(2)], None, committed=2).proof is None


def test_the_study_s_own_count_proves_it_at_once():
    assert judged([an_image(n, NumberOfStudyRelatedInstances=2) for n in (1, 2)]) == Verdict(Proof.COUNT, final=True)
    assert judged([an_image(1, NumberOfStudyRelatedInstances=3)]).missing == (Missing(None, "", 2),)
    assert judged([an_image(1, NumberOfStudyRelatedInstances=2), an_image(9, series=9)]) == Verdict()


def test_the_count_of_a_series_tells_what_is_missing_and_proves_no_study():
    assert judged([an_image(n, NumberOfSeriesRelatedInstances=2) for n in (1, 2)]) == Verdict()
    assert judged([an_image(1, series=4, NumberOfSeriesRelatedInstances=3)]).missing == (Missing(4, "", 2),)


@pytest.mark.parametrize(("count", "missing"), [(5, ()), (6, (Missing(1, "5", 1),))])
def test_a_series_whose_counts_fit_lacks_nothing_whatever_its_numbers(count, missing):
    images = [an_image(n, AcquisitionNumber=1, ImagesInAcquisition=count) for n in (1, 2, 3, 4, 6)]
    assert judged(images) == Verdict(missing=missing)


def test_a_request_for_commitment_proves_it_when_it_named_everything():
    images = [an_image(1), an_image(2)]
    assert judged(images, committed=2).proof is Proof.COMMITMENT
    assert judged(images, committed=1).proof is None


class Device:
    """A modality: what it made of a study and how it says so; its images come in disorder, twice or not at all."""

    def __init__(self, chance: random.Random) -> None:
        self.way = chance.choice(["nothing", "steps", "count", "series", "acquisitions", "commitment"])
        self.made = []
        for series in range(1, chance.randint(2, 5)):
            numbers = range(1, chance.randint(2, 12))
            said = {"NumberOfSeriesRelatedInstances": len(numbers)} if self.way == "series" else {}
            if self.way == "acquisitions":
                said = {"AcquisitionNumber": series, "ImagesInAcquisition": len(numbers)}
            self.made += [an_image(number, series=series, **said) for number in numbers]
        if self.way == "count":
            counted = [replace(one, attributes={"NumberOfStudyRelatedInstances": len(self.made)}) for one in self.made]
            self.made = counted + [an_image(1, series=90 + n) for n in range(chance.choice([0, 0, 1, 3]))]  # reports, not counted
            self.counted = {one.sop_instance_uid for one in counted}
        sent = [one for one in self.made if chance.random() > chance.choice([0, 0, 0.05, 0.5])]
        sent += chance.sample(sent, len(sent) // 4)
        chance.shuffle(sent)
        self.sent, self.ended = sent, chance.random() < 0.8

    def judged_after(self, arrived):
        kept = list({one.sop_instance_uid: one for one in self.sent[:arrived]}.values())
        uids = frozenset(one.sop_instance_uid for one in self.made)
        announced = (uids if self.ended else None) if self.way == "steps" else frozenset()
        # Damaged or absent, one instance keeps the whole request from being noted: it is asked for when all is sent.
        asked = self.way == "commitment" and len(kept) == len(uids)
        return kept, judge(kept, announced=announced, committed=len(uids) if asked else None)

    def is_whole(self, kept):
        needed = self.counted if self.way == "count" else {one.sop_instance_uid for one in self.made}
        return needed <= {one.sop_instance_uid for one in kept}


def test_of_ten_thousand_studies_none_is_called_complete_that_is_not():
    chance, proved = random.Random(20260302), Counter()
    for _ in range(10_000):
        device = Device(chance)
        for arrived in {len(device.sent), chance.randint(0, len(device.sent))} - {0}:
            kept, verdict = device.judged_after(arrived)
            if verdict.proof is not None:
                assert device.is_whole(kept), (device.way, verdict)
                assert not verdict.missing
                proved[verdict.proof] += 1
    assert min(proved[proof] for proof in (Proof.MPPS, Proof.COUNT, Proof.COMMITMENT)) > 200, proved


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([*range(1, 17), 20], [Missing(1, "17-19", 3)]),
        ([1, 2, 3, 5, 6, 7, 8, 9, 12], [Missing(1, "4, 10-11", 3)]),
        ([5, 6, 7, 8], []),  # where a series begins is its maker's business
        ([1, 1, 2, 2, 3, 3, 4, 4], []),
        ([1, 2, 9], []),
        ([1, 101, 201, 301], []),  # numbered in hundreds
        ([1, 2, None, 4, 5], [Missing(1, "3", 1)]),
    ],
)
def test_a_gap_in_the_numbers_of_a_series_is_named(numbers, missing):
    assert list(judged([an_image(n, uid=str(i)) for i, n in enumerate(numbers)]).missing) == missing


@pytest.mark.parametrize(
    ("places", "count"),
    [
        (range(0, 50, 5), 0),
        ([0, 5, 10, 15, 30, 35, 40, 45, 50], 2),
        ([0, 5, 10, 15, 22, 27, 32], 0),  # a step of another kind is no hole
        ([0, 1, 2, 3, 10, 17, 24, 31], 0),  # two kinds of spacing
        ([0, 5], 0),
    ],
)
def test_a_hole_in_a_stack_of_slices_is_counted(places, count):
    missing = judged(slices(*places)).missing
    assert missing == ((Missing(1, "", count),) if count else ())


def test_planes_that_differ_are_no_stack():
    sagittal = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    tilted = an_image(uid="s", ImageOrientationPatient=sagittal, ImagePositionPatient=[0.0, 0.0, 7.0])
    assert judged([*slices(0, 5, 10, 15, 30, 35, 40, 45, 50), tilted]).missing == ()


@given(
    st.lists(
        st.builds(
            an_image,
            st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
            uid=st.uuids().map(str),
            series=st.integers(1, 3),
            ImagePositionPatient=st.lists(st.floats(-1e308, 1e308), max_size=4),
            ImageOrientationPatient=st.one_of(st.just(AXIAL), st.lists(st.floats(-1e308, 1e308), max_size=7)),
            ImagesInAcquisition=st.integers(-5, 5),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_a_device_writes_is_judged(images):
    verdict = judged(images)
    assert all(0 < gap.count <= len(images) for gap in verdict.missing)
